// RUN: tarn-opt %s --split-input-file --verify-diagnostics
// Constraint Cn of an op is a program named OP_Cn.

// expected-error@+1 {{'step.program' op has a negative number of bytes in the arena}}
step.program @program_C1 arena(-1) {
}

// -----

step.program @program_C2 arena(64) {
  // expected-error@+1 {{'step.fill' op uses #step.slice<arena[64 for 64]>, outside the 64 bytes of the arena}}
  step.fill arena[64 for 64]
}

// -----

step.program @program_C2_turn arena(256) {
  step.repeat 4 {
    // expected-error@+1 {{'step.fill' op uses #step.slice<arena[64 for 64 stride 64]>, outside the 256 bytes of the arena}}
    step.fill arena[64 for 64 stride 64]
  }
}

// -----

step.program @program_C3 arena(256) {
  // expected-error@+1 {{'step.fill' op uses #step.slice<arena[32 for 64]>, which is not aligned to 64 bytes}}
  step.fill arena[32 for 64]
}

// -----

step.program @program_C4 arena(256) {
  // expected-error@+1 {{'arith.constant' op is no step}}
  %c = arith.constant 0 : index
}

// -----

step.program @bind_C1 input(64) {
  // expected-error@+1 {{'step.bind' op names 64 bytes but 'tensor<8xf32>' has 32}}
  step.bind "x" role "input" input[0 for 64] : tensor<8xf32>
}

// -----

step.program @bind_C2 arena(64) {
  // expected-error@+1 {{'step.bind' op names a slice of the arena}}
  step.bind "x" role "input" arena[0 for 32] : tensor<8xf32>
}

// -----

step.program @repeat_C1 arena(64) {
  // expected-error@+1 {{'step.repeat' op has 0 turns}}
  step.repeat 0 {
  }
}

// -----

step.program @copy_C1 arena(256) {
  // expected-error@+1 {{'step.copy' op copies 32 bytes to 64}}
  step.copy arena[0 for 64], arena[64 for 32]
}

// -----

step.program @copy_C2 arena(256) {
  // expected-error@+1 {{'step.copy' op copies #step.slice<arena[0 for 128]> to #step.slice<arena[64 for 128]>, which overlap}}
  step.copy arena[64 for 128], arena[0 for 128]
}

// -----

step.program @launch_C1 arena(256) {
  // expected-error@+1 {{'step.launch' op launches @nothing, which is no tile.kernel}}
  step.launch @nothing blocks(1) (arena[0 for 64])
}

// -----

// expected-note@+1 {{the kernel}}
tile.kernel @read(%x: memref<16xf32>) access ["read"] grid () {
  tile.return
}
step.program @launch_C2 arena(256) {
  // expected-error@+1 {{'step.launch' op gives 2 slices to a kernel of 1 buffers}}
  step.launch @read blocks(1) (arena[0 for 64], arena[64 for 64])
}

// -----

// expected-note@+1 {{the kernel}}
tile.kernel @library(%x: memref<16xf32>) access ["read"] grid ()
    attributes {tile.library = {workspace = 256 : i64}} {
  tile.return
}
step.program @launch_C2_workspace arena(256) {
  // expected-error@+1 {{'step.launch' op gives 1 slices to a kernel of 1 buffers and a workspace}}
  step.launch @library blocks(1) (arena[0 for 64])
}

// -----

// expected-note@+1 {{the kernel}}
tile.kernel @library(%x: memref<16xf32>) access ["read"] grid ()
    attributes {tile.library = {workspace = 256 : i64}} {
  tile.return
}
step.program @launch_C3_workspace arena(512) {
  // expected-error@+1 {{'step.launch' op gives #step.slice<arena[256 for 64]> for buffer 1 of 256 bytes}}
  step.launch @library blocks(1) (arena[0 for 64], arena[256 for 64])
}

// -----

tile.kernel @library(%x: memref<16xf32>) access ["read"] grid ()
    attributes {tile.library = {workspace = 256 : i64}} {
  tile.return
}
step.program @launch_C5_workspace arena(256) {
  // expected-error@+1 {{'step.launch' op writes buffer 1 to #step.slice<arena[0 for 256]>, which overlaps buffer 0 in #step.slice<arena[0 for 64]>}}
  step.launch @library blocks(1) (arena[0 for 64], arena[0 for 256])
}

// -----

// expected-note@+1 {{the kernel}}
tile.kernel @read(%x: memref<16xf32>) access ["read"] grid () {
  tile.return
}
step.program @launch_C3 arena(256) {
  // expected-error@+1 {{'step.launch' op gives #step.slice<arena[0 for 32]> for buffer 0 of 64 bytes}}
  step.launch @read blocks(1) (arena[0 for 32])
}

// -----

tile.kernel @read(%x: memref<16xf32>) access ["read"] grid (%i = 16 by 8) {
  tile.return
}
step.program @launch_C4 arena(256) {
  // expected-error@+1 {{'step.launch' op runs 3 blocks of a kernel of 2}}
  step.launch @read blocks(3) (arena[0 for 64])
}

// -----

tile.kernel @double(%x: memref<16xf32>, %y: memref<16xf32>) access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}
step.program @launch_C5 arena(256) {
  // In place is safe: each block reads what it then writes.
  step.launch @double blocks(2) (arena[0 for 64], arena[0 for 64])
  step.repeat 2 {
    // expected-error@+1 {{'step.launch' op writes buffer 1 to #step.slice<arena[0 for 64 stride 64]>, which overlaps buffer 0 in #step.slice<arena[64 for 64]>}}
    step.launch @double blocks(2) (arena[64 for 64], arena[0 for 64 stride 64])
  }
}

// -----

tile.kernel @softmax_like(%x: memref<16xf32>, %y: memref<16xf32>) access ["read", "write"] grid () {
  %t = tile.load %x[0] : memref<16xf32> -> tensor<16xf32>
  %m = tile.reduce max %t axis 0 : tensor<16xf32>
  %b = tile.broadcast %m axis 0 : tensor<f32> -> tensor<16xf32>
  %u = arith.subf %t, %b : tensor<16xf32>
  tile.store %u, %y[0] : tensor<16xf32>, memref<16xf32>
  tile.return
}
tile.kernel @parts(%x: memref<16xf32>, %y: memref<16xf32>) access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[0] : memref<16xf32> -> tensor<16xf32>
  %m = tile.reduce max %t axis 0 : tensor<16xf32>
  %b = tile.broadcast %m axis 0 : tensor<f32> -> tensor<8xf32>
  tile.store %b, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}
step.program @launch_C5_reduce arena(256) {
  // A block reads nothing but what it overwrites.
  step.launch @softmax_like blocks(1) (arena[0 for 64], arena[0 for 64])
  // expected-error@+1 {{'step.launch' op writes buffer 1 to #step.slice<arena[0 for 64]>, which overlaps buffer 0 in #step.slice<arena[0 for 64]>}}
  step.launch @parts blocks(2) (arena[0 for 64], arena[0 for 64])
}

// -----

step.program @program_C5 host(64) {
  // expected-error@+1 {{'step.fill' op uses #step.slice<host[0 for 64]>, but only copies reach the host's memory}}
  step.fill host[0 for 64]
}

// -----

step.program @copy_start_C1 arena(64) host(64) {
  // expected-error@+1 {{'step.copy_start' op copies 64 bytes to 32}}
  %t = step.copy_start host[0 for 32], arena[0 for 64]
  step.wait %t
}

// -----

step.program @copy_start_C2 arena(128) {
  // expected-error@+1 {{'step.copy_start' op copies #step.slice<arena[0 for 128]> to #step.slice<arena[0 for 128]>, which overlap}}
  %t = step.copy_start arena[0 for 128], arena[0 for 128]
  step.wait %t
}

// -----

step.program @copy_start_C3 arena(64) host(64) {
  // expected-error@+1 {{'step.copy_start' op must be waited for once, not 0 times}}
  %t = step.copy_start host[0 for 64], arena[0 for 64]
}

// -----

step.program @copy_start_C3_twice arena(64) host(64) {
  // expected-error@+1 {{'step.copy_start' op must be waited for once, not 2 times}}
  %t = step.copy_start host[0 for 64], arena[0 for 64]
  step.wait %t
  step.wait %t
}

// -----

step.program @copy_start_C3_list arena(64) host(64) {
  // expected-error@+1 {{'step.copy_start' op must be waited for in the same list of steps}}
  %t = step.copy_start host[0 for 64], arena[0 for 64]
  step.repeat 2 {
    // expected-note@+1 {{the wait}}
    step.wait %t
  }
}

// -----

step.program @copy_start_C4_source arena(64) host(64) {
  // expected-note@+1 {{the copy starts here}}
  %t = step.copy_start host[0 for 64], arena[0 for 64]
  // expected-error@+1 {{'step.fill' op writes #step.slice<arena[0 for 64]> while a copy from #step.slice<arena[0 for 64]> to #step.slice<host[0 for 64]> may be running}}
  step.fill arena[0 for 64]
  // expected-note@+1 {{and is waited for here}}
  step.wait %t
}

// -----

tile.kernel @read(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  tile.store %t, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}
step.program @copy_start_C4_target arena(128) host(64) {
  // expected-note@+1 {{the copy starts here}}
  %t = step.copy_start arena[0 for 64], host[0 for 64]
  step.repeat 2 {
    // expected-error@+1 {{'step.launch' op reads #step.slice<arena[0 for 64]> while a copy from}}
    step.launch @read blocks(2) (arena[0 for 64], arena[64 for 64])
  }
  // expected-note@+1 {{and is waited for here}}
  step.wait %t
}

// -----

// A second copy must wait for the first where it goes on from it.
step.program @copy_start_C4_copy arena(128) host(64) {
  // expected-note@+1 {{the copy starts here}}
  %t = step.copy_start host[0 for 64], arena[0 for 64]
  // expected-error@+1 {{'step.copy_start' op reads #step.slice<host[0 for 64]> while a copy from}}
  %u = step.copy_start arena[64 for 64], host[0 for 64]
  // expected-note@+1 {{and is waited for here}}
  step.wait %t
  step.wait %u
}

// -----

step.program @wait_C1 arena(64) {
  // expected-error@+1 {{'step.wait' op waits for nothing}}
  "step.wait"() : () -> ()
}

// -----

func.func @move_start_C1(%x: tensor<4xf32>) {
  // expected-error@+1 {{'step.move_start' op moves to the output, which holds no values}}
  %there, %out = step.move_start %x to output : tensor<4xf32>
  step.wait %out
  return
}

// -----

func.func @move_start_C2(%x: tensor<4xf32>) {
  // expected-error@+1 {{'step.move_start' op must be waited for once, not 0 times}}
  %there, %out = step.move_start %x to host : tensor<4xf32>
  return
}

// -----

func.func @move_start_C3(%x: tensor<4xf32>) {
  // expected-error@+1 {{'step.move_start' op may still be running}}
  %there, %out = step.move_start %x to host : tensor<4xf32>
  // expected-note@+1 {{when its result is used here}}
  %again, %back = step.move_start %there to arena : tensor<4xf32>
  step.wait %out
  step.wait %back
  return
}

// -----

func.func @move_start_C4(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{'step.move_start' op puts the value into the host's memory}}
  %there, %out = step.move_start %x to host : tensor<4xf32>
  step.wait %out
  // expected-note@+1 {{which this op cannot reach}}
  return %there : tensor<4xf32>
}

// -----

tile.kernel @double(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}

step.program @launch_group_C1_few arena(128) {
  // expected-error@+1 {{'step.launch_group' op is no group: it has 1 members}}
  step.launch_group {
    step.launch @double blocks(2) (arena[0 for 64], arena[64 for 64])
  }
}

// -----

step.program @launch_group_C1_kind arena(128) {
  step.launch_group {
    // expected-error@+1 {{'step.fill' op is no launch, but in a group of them}}
    step.fill arena[0 for 64]
    step.fill arena[64 for 64]
  }
}

// -----

tile.kernel @double(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}

step.program @launch_group_C2_read arena(192) {
  step.launch_group {
    // expected-error@+1 {{'step.launch' op writes #step.slice<arena[64 for 64]> in a group}}
    step.launch @double blocks(2) (arena[0 for 64], arena[64 for 64])
    // expected-note@+1 {{of which this member reads #step.slice<arena[64 for 64]>}}
    step.launch @double blocks(2) (arena[64 for 64], arena[128 for 64])
  }
}

// -----

tile.kernel @double(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}

step.program @launch_group_C2_written arena(128) {
  step.launch_group {
    // expected-error@+1 {{'step.launch' op writes #step.slice<arena[64 for 64]> in a group}}
    step.launch @double blocks(2) (arena[0 for 64], arena[64 for 64])
    // expected-note@+1 {{of which this member writes #step.slice<arena[64 for 64]>}}
    step.launch @double blocks(2) (arena[0 for 64], arena[64 for 64])
  }
}

// -----

tile.kernel @double(%x: memref<16xf32>, %y: memref<16xf32>)
    access ["read", "write"] grid (%i = 16 by 8) {
  %t = tile.load %x[%i] : memref<16xf32> -> tensor<8xf32>
  %u = arith.addf %t, %t : tensor<8xf32>
  tile.store %u, %y[%i] : tensor<8xf32>, memref<16xf32>
  tile.return
}

// Only in the second turn.
step.program @launch_group_C2_turn arena(256) {
  step.repeat 2 {
    step.launch_group {
      // expected-error@+1 {{in a group}}
      step.launch @double blocks(2)
        (arena[0 for 64], arena[64 for 64 stride 64])
      // expected-note@+1 {{of which this member reads}}
      step.launch @double blocks(2) (arena[128 for 64], arena[192 for 64])
    }
  }
}
