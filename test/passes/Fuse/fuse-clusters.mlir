// RUN: tarn-opt %s --pass-pipeline='builtin.module(func.func(tarn-fuse-clusters{explain}))' --verify-diagnostics | FileCheck %s
// Ops that can be one program become one cluster; a remark names each border.

// A row is whole: two reductions and what follows them are one kernel.
// CHECK-LABEL: func.func @softmax
// CHECK-COUNT-1: tarn.cluster
// CHECK-NOT: tarn.cluster
func.func @softmax(%x: tensor<37x65xf32>) -> tensor<37x65xf32> {
  %m = tarn.reduce_max %x dims = [1] : tensor<37x65xf32>
  %mb = tarn.broadcast %m dims = [0] : tensor<37xf32> -> tensor<37x65xf32>
  %c = tarn.sub %x, %mb : tensor<37x65xf32>
  %e = tarn.exp %c : tensor<37x65xf32>
  %s = tarn.reduce_sum %e dims = [1] : tensor<37x65xf32>
  %sb = tarn.broadcast %s dims = [0] : tensor<37xf32> -> tensor<37x65xf32>
  %y = tarn.div %e, %sb : tensor<37x65xf32>
  return %y : tensor<37x65xf32>
}

// Bias, activation and residual are stored with the product, and so is the
// value before the activation, which the backward pass wants.
// CHECK-LABEL: func.func @epilogue
// CHECK: tarn.cluster
// CHECK: tarn.dot
// CHECK: tarn.gelu
// CHECK: tarn.yield %{{.*}}, %{{.*}} :
// CHECK-NOT: tarn.cluster
func.func @epilogue(%a: tensor<32x16xf32>, %b: tensor<16x24xf32>, %bias: tensor<24xf32>,
                    %r: tensor<32x24xf32>) -> (tensor<32x24xf32>, tensor<32x24xf32>) {
  %d = tarn.dot %a, %b : tensor<32x16xf32>, tensor<16x24xf32> -> tensor<32x24xf32>
  %w = tarn.broadcast %bias dims = [1] : tensor<24xf32> -> tensor<32x24xf32>
  %x = tarn.add %d, %w : tensor<32x24xf32>
  %g = tarn.gelu tanh %x : tensor<32x24xf32>
  %y = tarn.add %g, %r : tensor<32x24xf32>
  return %y, %x : tensor<32x24xf32>, tensor<32x24xf32>
}

// CHECK-LABEL: func.func @borders
// CHECK-COUNT-2: tarn.cluster
func.func @borders(%a: tensor<32x16xf32>, %b: tensor<16x24xf32>, %c: tensor<24x8xf32>) -> tensor<32x8xf32> {
  // expected-remark @below {{border before tarn.dot: two products}}
  %d = tarn.dot %a, %b : tensor<32x16xf32>, tensor<16x24xf32> -> tensor<32x24xf32>
  %e = tarn.dot %d, %c : tensor<32x24xf32>, tensor<24x8xf32> -> tensor<32x8xf32>
  return %e : tensor<32x8xf32>
}

// Equal through a reshape, which is no kernel: joining would make the kernel
// wait for itself.
// CHECK-LABEL: func.func @through_reshape
// CHECK: tarn.cluster
// CHECK: tarn.reshape
// CHECK: tarn.cluster
func.func @through_reshape(%x: tensor<6x4xf32>, %y: tensor<24xf32>) -> tensor<24xf32> {
  // expected-remark @below {{border after tarn.exp: its result lies in memory}}
  %e = tarn.exp %x : tensor<6x4xf32>
  %r = tarn.reshape %e : tensor<6x4xf32> -> tensor<24xf32>
  %z = tarn.add %r, %y : tensor<24xf32>
  return %z : tensor<24xf32>
}

// An op with a program of its own stores its results, also with their dims in
// another order; a part of one is another kernel's work.
// It reads the value in the order in which that lies in memory.
// CHECK-LABEL: func.func @views_of_programs
// CHECK: tarn.cluster
// CHECK: %[[T:.*]] = tarn.transpose
// CHECK-NEXT: tarn.yield %[[T]] :
// CHECK: tarn.cluster
// CHECK-NEXT: ^bb0
// CHECK-NEXT: tarn.transpose {{.*}} : tensor<2x8x4x16xf32>
// CHECK-NEXT: tarn.slice
func.func @views_of_programs(%q: tensor<2x4x8x16xf32>) -> (tensor<2x8x64xf32>, tensor<2x256xf32>) {
  %o, %l = tarn.attention %q, %q, %q scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  // expected-remark @below {{border after tarn.transpose: its result lies in memory}}
  %t = tarn.transpose %o permutation = [0, 2, 1, 3] : tensor<2x4x8x16xf32>
  %x = tarn.reshape %t : tensor<2x8x4x16xf32> -> tensor<2x8x64xf32>
  %s = tarn.slice %o offsets = [0, 0, 0, 8] sizes = [2, 4, 8, 8] : tensor<2x4x8x16xf32>
  %y = tarn.reshape %s : tensor<2x4x8x8xf32> -> tensor<2x256xf32>
  return %x, %y : tensor<2x8x64xf32>, tensor<2x256xf32>
}

// An op that takes in no others is a kernel alone, but for views of what it reads.
// CHECK-LABEL: func.func @own_program
// CHECK: tarn.exp
// CHECK: tarn.cluster
// CHECK-NEXT: ^bb0
// CHECK-NEXT: tarn.transpose
// CHECK-NEXT: tarn.top_k
// CHECK-NEXT: tarn.yield
// CHECK: tarn.neg
func.func @own_program(%x: tensor<8x4xf32>) -> tensor<4x2xf32> {
  // expected-remark @below {{border before tarn.top_k: an op with a program of its own takes no others}}
  %e = tarn.exp %x : tensor<8x4xf32>
  %t = tarn.transpose %e permutation = [1, 0] : tensor<8x4xf32>
  // expected-remark @below {{border before tarn.neg: an op with a program of its own takes no others}}
  %v, %i = tarn.top_k %t k = 2 : tensor<4x8xf32>
  %n = tarn.neg %v : tensor<4x2xf32>
  return %n : tensor<4x2xf32>
}

// What one kernel waits for through another kernel cannot be in it, however the
// way goes: %b reads %a through a view, %c reads %b and the view.
// CHECK-LABEL: func.func @ways_back
// CHECK-COUNT-3: tarn.cluster
func.func @ways_back(%x: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // expected-remark @below {{border before tarn.dot: an output along a dim that a sum takes away}}
  // expected-remark @below {{border before tarn.mul: another kernel that uses it comes in between}}
  %a = tarn.exp %x : tensor<8xf32>
  %r = tarn.broadcast %a dims = [0] : tensor<8xf32> -> tensor<8x8xf32>
  // expected-remark @below {{border before tarn.mul: a product beside a reduction}}
  %b = tarn.dot %w, %r : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %s = tarn.reduce_max %b dims = [1] : tensor<8x8xf32>
  %m = tarn.broadcast %s dims = [0] : tensor<8xf32> -> tensor<8x8xf32>
  %c = tarn.mul %m, %r : tensor<8x8xf32>
  return %c : tensor<8x8xf32>
}

// Reductions of the same rows are one kernel though none reads another; what
// one kernel apart from them makes of their results stays apart.
// CHECK-LABEL: func.func @reductions_of_one_value
// CHECK: tarn.cluster
// CHECK: tarn.reduce_max
// CHECK: tarn.reduce_sum
// CHECK: tarn.cluster
// CHECK: tarn.reduce_sum {{.*}} dims = [0]
// CHECK-NOT: tarn.cluster
// CHECK: return
func.func @reductions_of_one_value(%x: tensor<6x64xf32>, %t: tensor<6xi32>) -> (tensor<6xf32>, tensor<f32>) {
  // expected-remark @below {{border before tarn.reduce_sum: reductions along different rows}}
  %m = tarn.reduce_max %x dims = [1] : tensor<6x64xf32>
  %zero = tarn.constant dense<0.0> : tensor<6x64xf32>
  %i = tarn.iota dim = 1 : tensor<6x64xi32>
  %b = tarn.broadcast %t dims = [0] : tensor<6xi32> -> tensor<6x64xi32>
  // expected-remark @below {{one kernel with tarn.reduce_max: both reduce the rows of one value}}
  %hit = tarn.compare eq %i, %b : tensor<6x64xi32>
  %picked = tarn.select %hit, %x, %zero : tensor<6x64xf32>
  // expected-remark @below {{border before tarn.reduce_sum: reductions along different rows}}
  %s = tarn.reduce_sum %picked dims = [1] : tensor<6x64xf32>
  %d = tarn.sub %m, %s : tensor<6xf32>
  %all = tarn.reduce_sum %d dims = [0] : tensor<6xf32>
  return %m, %all : tensor<6xf32>, tensor<f32>
}

// %g is large and is read by two products; the first one would keep it until
// %s is there, which is made of the second.
// CHECK-LABEL: func.func @holds_longer
// CHECK: tarn.cluster
// CHECK: tarn.dot {{.*}} transpose_a
// CHECK-NEXT: tarn.yield
// CHECK: return
func.func @holds_longer(%x: tensor<64x4xf32>, %w: tensor<512x4xf32>, %v: tensor<4x4xf32>, %t: tensor<64x512xf32>) -> tensor<512x4xf32> {
  // expected-remark @below {{border before tarn.dot: no output needs the product}}
  %g = tarn.exp %t : tensor<64x512xf32>
  // expected-remark @below {{border before tarn.add: what it reads would wait for what is made of it}}
  %dw = tarn.dot %g, %x transpose_a : tensor<64x512xf32>, tensor<64x4xf32> -> tensor<512x4xf32>
  // expected-remark @below {{border before tarn.dot: two products}}
  %dx = tarn.dot %g, %w : tensor<64x512xf32>, tensor<512x4xf32> -> tensor<64x4xf32>
  // expected-remark @below {{border before tarn.add: two products}}
  %dy = tarn.dot %dx, %v : tensor<64x4xf32>, tensor<4x4xf32> -> tensor<64x4xf32>
  %s = tarn.dot %t, %dy transpose_a : tensor<64x512xf32>, tensor<64x4xf32> -> tensor<512x4xf32>
  %sum = tarn.add %dw, %s : tensor<512x4xf32>
  return %sum : tensor<512x4xf32>
}

// Heads that are a part of one product are read where they lie, and what is
// made of them is kept once, in the order of the next product: the backward
// pass reads that too. Gradients are stored where they are put together.
// CHECK-LABEL: func.func @heads
// CHECK: %[[F:.*]]:2 = tarn.cluster(%{{.*}}) {
// CHECK: tarn.slice
// CHECK-NEXT: tarn.reshape
// CHECK: tarn.attention
// CHECK: %[[T:.*]] = tarn.transpose
// CHECK-NEXT: tarn.yield %{{.*}}, %[[T]] :
// CHECK: tarn.reshape %[[F]]#1
// CHECK: tarn.cluster
// CHECK-NOT: tarn.cluster
// CHECK: tarn.attention_backward
// CHECK: tarn.concat
// CHECK-NEXT: %[[G:.*]] = tarn.transpose
// CHECK-NEXT: tarn.yield %[[G]] :
// CHECK-NOT: tarn.cluster
func.func @heads(%x: tensor<2x8x192xf32>, %g: tensor<2x4x8x16xf32>) -> (tensor<2x8x64xf32>, tensor<2x8x192xf32>) {
  %h = tarn.reshape %x : tensor<2x8x192xf32> -> tensor<2x8x3x4x16xf32>
  %p = tarn.transpose %h permutation = [2, 0, 3, 1, 4] : tensor<2x8x3x4x16xf32>
  %q1 = tarn.slice %p offsets = [0, 0, 0, 0, 0] sizes = [1, 2, 4, 8, 16] : tensor<3x2x4x8x16xf32>
  %q = tarn.reshape %q1 : tensor<1x2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  %k1 = tarn.slice %p offsets = [1, 0, 0, 0, 0] sizes = [1, 2, 4, 8, 16] : tensor<3x2x4x8x16xf32>
  %k = tarn.reshape %k1 : tensor<1x2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  %v1 = tarn.slice %p offsets = [2, 0, 0, 0, 0] sizes = [1, 2, 4, 8, 16] : tensor<3x2x4x8x16xf32>
  %v = tarn.reshape %v1 : tensor<1x2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  %o, %l = tarn.attention %q, %k, %v scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  // expected-remark @below {{border after tarn.transpose: its result lies in memory}}
  %t = tarn.transpose %o permutation = [0, 2, 1, 3] : tensor<2x4x8x16xf32>
  %y = tarn.reshape %t : tensor<2x8x4x16xf32> -> tensor<2x8x64xf32>
  %dq, %dk, %dv = tarn.attention_backward %q, %k, %v, %o, %l, %g scale = 0.25 : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32>
  %a = tarn.reshape %dq : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %b = tarn.reshape %dk : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %c = tarn.reshape %dv : tensor<2x4x8x16xf32> -> tensor<1x2x4x8x16xf32>
  %d = tarn.concat %a, %b, %c dim = 0 : tensor<1x2x4x8x16xf32>, tensor<1x2x4x8x16xf32>, tensor<1x2x4x8x16xf32>
  %e = tarn.transpose %d permutation = [1, 3, 0, 2, 4] : tensor<3x2x4x8x16xf32>
  %z = tarn.reshape %e : tensor<2x8x3x4x16xf32> -> tensor<2x8x192xf32>
  return %y, %z : tensor<2x8x64xf32>, tensor<2x8x192xf32>
}

// What waits for the backward pass in fewer bits is made where the value is: a
// reader that rounded it for itself would keep all bits waiting.
// CHECK-LABEL: func.func @saved
// CHECK: %[[F:.*]]:2 = tarn.cluster
// CHECK: tarn.dot
// CHECK: tarn.cast {{.*}} {tarn.saved} : tensor<64x64xf32> -> tensor<64x64xbf16>
// CHECK: (tensor<64x64xf32>, tensor<64x64xbf16>)
// CHECK: tarn.cluster(%[[F]]#1)
// CHECK: tarn.cast {{.*}} : tensor<64x64xbf16> -> tensor<64x64xf32>
func.func @saved(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %y = tarn.dot %x, %w : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  // expected-remark@+1 {{border before tarn.exp: it waits for the backward pass in fewer bits}}
  %n = tarn.cast %y {tarn.saved} : tensor<64x64xf32> -> tensor<64x64xbf16>
  // expected-remark@+1 {{border after tarn.dot: its result lies in memory, and no kernel takes it}}
  %z = tarn.dot %y, %w : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  %v = tarn.cast %n : tensor<64x64xbf16> -> tensor<64x64xf32>
  %e = tarn.exp %v : tensor<64x64xf32>
  return %z, %e : tensor<64x64xf32>, tensor<64x64xf32>
}

// What comes behind a convolution is its kernel's work, what it reads through
// windows is not: other rows read it again.
// CHECK-LABEL: func.func @conv
// CHECK: tarn.cluster
// CHECK: tarn.exp
// CHECK: tarn.cluster
// CHECK: tarn.conv
// CHECK-NEXT: tarn.relu
// CHECK-NOT: tarn.cluster
func.func @conv(%x: tensor<128x4xf32>, %w: tensor<9x1x4x8xf32>) -> tensor<128x8xf32> {
  // expected-remark @below {{border before tarn.relu: what is read through windows must lie in memory}}
  %e = tarn.exp %x : tensor<128x4xf32>
  %c = tarn.conv %e, %w in = [8, 8] out = [8, 8] taps = [3, 3] strides = [1, 1] dilations = [1, 1] spacing = [1, 1] offsets = [-1, -1] : tensor<128x4xf32>, tensor<9x1x4x8xf32> -> tensor<128x8xf32>
  %r = tarn.relu %c : tensor<128x8xf32>
  return %r : tensor<128x8xf32>
}
