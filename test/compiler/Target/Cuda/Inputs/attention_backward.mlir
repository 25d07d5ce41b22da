// Gradients of causal attention in two kernels: @H@ heads of queries share @K@
// heads of keys, of @D@ features and @V@ columns.
func.func @gradients(%q: tensor<1x@H@x@T@x@D@xbf16>, %k: tensor<1x@K@x@S@x@D@xbf16>, %v: tensor<1x@K@x@S@x@V@xbf16>, %s: tensor<1x@H@x@T@xf32>, %l: tensor<1x@H@x@T@xf32>, %g: tensor<1x@H@x@T@x@V@xbf16>) -> (tensor<1x@H@x@T@x@D@xbf16>, tensor<1x@K@x@S@x@D@xbf16>, tensor<1x@K@x@S@x@V@xbf16>) {
  %0, %dk, %dv = tarn.attention_backward %q, %k, %v, %s, %l, %g scale = 0.125 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %m = tarn.compare le %j, %i : tensor<i32>
    tarn.yield %m : tensor<i1>
  } : tensor<1x@H@x@T@x@D@xbf16>, tensor<1x@K@x@S@x@D@xbf16>, tensor<1x@K@x@S@x@V@xbf16>, tensor<1x@H@x@T@xf32>, tensor<1x@H@x@T@xf32>, tensor<1x@H@x@T@x@V@xbf16> -> tensor<1x@H@x@T@x@D@xbf16>, tensor<1x@K@x@S@x@D@xbf16>, tensor<1x@K@x@S@x@V@xbf16>
  %dq, %1, %2 = tarn.attention_backward %q, %k, %v, %s, %l, %g scale = 0.125 mask {
  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %m = tarn.compare le %j, %i : tensor<i32>
    tarn.yield %m : tensor<i1>
  } : tensor<1x@H@x@T@x@D@xbf16>, tensor<1x@K@x@S@x@D@xbf16>, tensor<1x@K@x@S@x@V@xbf16>, tensor<1x@H@x@T@xf32>, tensor<1x@H@x@T@xf32>, tensor<1x@H@x@T@x@V@xbf16> -> tensor<1x@H@x@T@x@D@xbf16>, tensor<1x@K@x@S@x@D@xbf16>, tensor<1x@K@x@S@x@V@xbf16>
  return %dq, %dk, %dv : tensor<1x@H@x@T@x@D@xbf16>, tensor<1x@K@x@S@x@D@xbf16>, tensor<1x@K@x@S@x@V@xbf16>
}
