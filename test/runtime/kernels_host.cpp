// kernels.cu as an image for the host driver.
#include "kernels.cu"

HOST_KERNEL(k_init)
HOST_KERNEL(k_forward)
HOST_KERNEL(k_loss)
HOST_KERNEL(k_reduce)
HOST_KERNEL(k_finish)
HOST_KERNEL(k_update)
HOST_KERNEL(k_mean)
HOST_KERNEL(k_next)
HOST_KERNEL(k_subnormal)
HOST_KERNEL(k_peek)
HOST_KERNEL(k_stray)
HOST_KERNEL(k_scribble)
HOST_KERNEL(k_spill)
HOST_KERNEL(k_far)
HOST_KERNEL(k_walk)
