// Running sums along every axis: a line has a thread, some lanes, a warp, or
// several.
tile.kernel @threads(%x: memref<5x300xf32>, %y: memref<5x300xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<5x300xf32> -> tensor<5x300xf32>
  %b = tile.scan %a axis 0 : tensor<5x300xf32>
  tile.store %b, %y[0, 0] : tensor<5x300xf32>, memref<5x300xf32>
  tile.return
}
tile.kernel @lanes(%x: memref<37x9xi32>, %y: memref<37x9xi32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<37x9xi32> -> tensor<37x9xi32>
  %b = tile.scan %a axis 1 : tensor<37x9xi32>
  %c = arith.subi %b, %a : tensor<37x9xi32>
  tile.store %c, %y[0, 0] : tensor<37x9xi32>, memref<37x9xi32>
  tile.return
}
tile.kernel @columns(%x: memref<100x8xi32>, %y: memref<100x8xi32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<100x8xi32> -> tensor<100x8xi32>
  %b = tile.scan %a axis 0 : tensor<100x8xi32>
  tile.store %b, %y[0, 0] : tensor<100x8xi32>, memref<100x8xi32>
  tile.return
}
tile.kernel @parts(%x: memref<2x1000xf32>, %y: memref<2x1000xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<2x1000xf32> -> tensor<2x1000xf32>
  %b = tile.scan %a axis 1 : tensor<2x1000xf32>
  tile.store %b, %y[0, 0] : tensor<2x1000xf32>, memref<2x1000xf32>
  tile.return
}
tile.kernel @first(%x: memref<6x5x7xf32>, %y: memref<6x5x7xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0, 0] : memref<6x5x7xf32> -> tensor<6x5x7xf32>
  %b = tile.scan %a axis 0 : tensor<6x5x7xf32>
  tile.store %b, %y[0, 0, 0] : tensor<6x5x7xf32>, memref<6x5x7xf32>
  tile.return
}
tile.kernel @middle(%x: memref<6x5x7xf32>, %y: memref<6x5x7xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0, 0] : memref<6x5x7xf32> -> tensor<6x5x7xf32>
  %b = tile.scan %a axis 1 : tensor<6x5x7xf32>
  tile.store %b, %y[0, 0, 0] : tensor<6x5x7xf32>, memref<6x5x7xf32>
  tile.return
}
// A vector that has an element for each row of a matrix.
tile.kernel @of_rows(%x: memref<70x20xf32>, %y: memref<70xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<70x20xf32> -> tensor<70x20xf32>
  %s = tile.reduce sum %a axis 1 : tensor<70x20xf32>
  %b = tile.scan %s axis 0 : tensor<70xf32>
  tile.store %b, %y[0] : tensor<70xf32>, memref<70xf32>
  tile.return
}
// The same from the last element on.
tile.kernel @threads_back(%x: memref<5x300xf32>, %y: memref<5x300xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<5x300xf32> -> tensor<5x300xf32>
  %b = tile.scan %a axis 0 reverse : tensor<5x300xf32>
  tile.store %b, %y[0, 0] : tensor<5x300xf32>, memref<5x300xf32>
  tile.return
}
tile.kernel @lanes_back(%x: memref<37x9xi32>, %y: memref<37x9xi32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<37x9xi32> -> tensor<37x9xi32>
  %b = tile.scan %a axis 1 reverse : tensor<37x9xi32>
  %c = arith.subi %b, %a : tensor<37x9xi32>
  tile.store %c, %y[0, 0] : tensor<37x9xi32>, memref<37x9xi32>
  tile.return
}
tile.kernel @parts_back(%x: memref<2x1000xf32>, %y: memref<2x1000xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<2x1000xf32> -> tensor<2x1000xf32>
  %b = tile.scan %a axis 1 reverse : tensor<2x1000xf32>
  tile.store %b, %y[0, 0] : tensor<2x1000xf32>, memref<2x1000xf32>
  tile.return
}
tile.kernel @first_back(%x: memref<6x5x7xf32>, %y: memref<6x5x7xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0, 0] : memref<6x5x7xf32> -> tensor<6x5x7xf32>
  %b = tile.scan %a axis 0 reverse : tensor<6x5x7xf32>
  tile.store %b, %y[0, 0, 0] : tensor<6x5x7xf32>, memref<6x5x7xf32>
  tile.return
}
tile.kernel @middle_back(%x: memref<6x5x7xf32>, %y: memref<6x5x7xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0, 0] : memref<6x5x7xf32> -> tensor<6x5x7xf32>
  %b = tile.scan %a axis 1 reverse : tensor<6x5x7xf32>
  tile.store %b, %y[0, 0, 0] : tensor<6x5x7xf32>, memref<6x5x7xf32>
  tile.return
}
tile.kernel @of_rows_back(%x: memref<70x20xf32>, %y: memref<70xf32>) access ["read", "write"] grid () {
  %a = tile.load %x[0, 0] : memref<70x20xf32> -> tensor<70x20xf32>
  %s = tile.reduce sum %a axis 1 : tensor<70x20xf32>
  %b = tile.scan %s axis 0 reverse : tensor<70xf32>
  tile.store %b, %y[0] : tensor<70xf32>, memref<70xf32>
  tile.return
}
