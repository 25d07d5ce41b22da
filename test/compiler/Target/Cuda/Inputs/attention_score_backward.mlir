// Gradients of attention over parts of a document, with scores that are capped:
// regions, captures, and operands that lie in one buffer, as a product makes
// them.
func.func @gradients(%x: tensor<2x@T@x3x2x@D@xbf16>, %s: tensor<2x2x@T@xf32>, %l: tensor<2x2x@T@xf32>, %g: tensor<2x2x@T@x@D@xbf16>, %parts: tensor<2x@T@xi32>) -> (tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>) {
  %p = tarn.transpose %x permutation = [2, 0, 3, 1, 4] : tensor<2x@T@x3x2x@D@xbf16>
  %q1 = tarn.slice %p offsets = [0, 0, 0, 0, 0] sizes = [1, 2, 2, @T@, @D@] : tensor<3x2x2x@T@x@D@xbf16>
  %q = tarn.reshape %q1 : tensor<1x2x2x@T@x@D@xbf16> -> tensor<2x2x@T@x@D@xbf16>
  %k1 = tarn.slice %p offsets = [1, 0, 0, 0, 0] sizes = [1, 2, 2, @T@, @D@] : tensor<3x2x2x@T@x@D@xbf16>
  %k = tarn.reshape %k1 : tensor<1x2x2x@T@x@D@xbf16> -> tensor<2x2x@T@x@D@xbf16>
  %v1 = tarn.slice %p offsets = [2, 0, 0, 0, 0] sizes = [1, 2, 2, @T@, @D@] : tensor<3x2x2x@T@x@D@xbf16>
  %v = tarn.reshape %v1 : tensor<1x2x2x@T@x@D@xbf16> -> tensor<2x2x@T@x@D@xbf16>
  %0, %dk, %dv = tarn.attention_backward %q, %k, %v, %s, %l, %g captures(%parts : tensor<2x@T@xi32>) scale = 0.125 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2x@T@xi32>):
    %mi = tarn.element %c[%b, %i] : tensor<2x@T@xi32>
    %mj = tarn.element %c[%b, %j] : tensor<2x@T@xi32>
    %m = tarn.compare eq %mi, %mj : tensor<i32>
    tarn.yield %m : tensor<i1>
  } score {
  ^bb0(%y: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2x@T@xi32>):
    %t = tarn.tanh %y : tensor<f32>
    tarn.yield %t : tensor<f32>
  } score_gradient {
  ^bb0(%d: tensor<f32>, %y: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2x@T@xi32>):
    %t = tarn.tanh %y : tensor<f32>
    %t2 = tarn.mul %t, %t : tensor<f32>
    %dt = tarn.mul %d, %t2 : tensor<f32>
    %r = tarn.sub %d, %dt : tensor<f32>
    tarn.yield %r : tensor<f32>
  } : tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@xf32>, tensor<2x2x@T@xf32>, tensor<2x2x@T@x@D@xbf16> -> tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>
  %dq, %1, %2 = tarn.attention_backward %q, %k, %v, %s, %l, %g captures(%parts : tensor<2x@T@xi32>) scale = 0.125 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2x@T@xi32>):
    %mi = tarn.element %c[%b, %i] : tensor<2x@T@xi32>
    %mj = tarn.element %c[%b, %j] : tensor<2x@T@xi32>
    %m = tarn.compare eq %mi, %mj : tensor<i32>
    tarn.yield %m : tensor<i1>
  } score {
  ^bb0(%y: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2x@T@xi32>):
    %t = tarn.tanh %y : tensor<f32>
    tarn.yield %t : tensor<f32>
  } score_gradient {
  ^bb0(%d: tensor<f32>, %y: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2x@T@xi32>):
    %t = tarn.tanh %y : tensor<f32>
    %t2 = tarn.mul %t, %t : tensor<f32>
    %dt = tarn.mul %d, %t2 : tensor<f32>
    %r = tarn.sub %d, %dt : tensor<f32>
    tarn.yield %r : tensor<f32>
  } : tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@xf32>, tensor<2x2x@T@xf32>, tensor<2x2x@T@x@D@xbf16> -> tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>
  return %dq, %dk, %dv : tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>, tensor<2x2x@T@x@D@xbf16>
}
