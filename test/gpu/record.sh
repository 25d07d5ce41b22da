#!/usr/bin/env bash
# record.sh BUILD CASES: writes the cases that run.sh runs, on a machine that has
# Tarn's compiler in BUILD. Copy the folder CASES, with this source tree, to a
# machine with a GPU. Where there is NVRTC the machine code goes along.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
cases=$2
programs=$here/../dialects/Tile/programs

# record NAME PROGRAM SIZES [OPTIONS]: SIZES as "M=128 N=90".
record() {
  local name=$1 program=$2 sizes=$3 script=
  shift 3
  for size in $sizes; do script+="s/@${size%%=*}@/${size#*=}/g;"; done
  sed "$script" "$programs/$program.mlir" |
    "$build/bin/cuda-case" --lines=false -o "$cases/$name" "$@"
  if "$build/bin/cuda-compile" --available >/dev/null 2>&1; then
    "$build/bin/cuda-compile" "$cases/$name/kernel.cu" -o "$cases/$name/kernel.cubin" >/dev/null
  fi
}

mkdir -p "$cases"
# One case for each wrapper of the device header.
/usr/bin/python3 "$here/micro/make_cases.py" "$cases" >/dev/null
for case in "$cases"/micro_*; do
  cp "$here/../../compiler/Target/Cuda/device/tarn_device.h" "$case"
  if "$build/bin/cuda-compile" --available >/dev/null 2>&1; then
    "$build/bin/cuda-compile" "$case/kernel.cu" -o "$case/kernel.cubin" >/dev/null ||
      [ -s "$case/kernel.cubin" ]
  fi
done
tiles="BM=128 BN=128 BK=64"
record gemm_exact gemm_bf16 "M=256 N=256 K=512 $tiles"
record gemm_ragged gemm_bf16 "M=200 N=90 K=328 $tiles"
record gemm_small_tiles gemm_bf16 "M=200 N=90 K=328 BM=64 BN=64 BK=64"
record gemm_wide_tiles gemm_bf16 "M=300 N=520 K=328 BM=128 BN=256 BK=64"
attention="BR=128 BC=128"
for rotate in true false; do
  record attention_d128_rotate_$rotate attention_forward_bf16 \
    "H=2 T=600 D=128 SCALE=0.088388347 $attention" --absolute=0.004 --rotate=$rotate
  record attention_d64_rotate_$rotate attention_forward_bf16 \
    "H=3 T=333 D=64 SCALE=0.125 $attention" --absolute=0.004 --rotate=$rotate
done
# More tiles than any device has multiprocessors: blocks stay.
record gemm_persistent gemm_bf16 "M=1030 N=2312 K=392 BM=64 BN=64 BK=64"
# Several launches as one: a table by value, scalar and vector functions, rows.
"$build/bin/cuda-case" --lines=false --group --absolute=1e-3 \
  "$here/../compiler/Target/Cuda/Inputs/group.mlir" -o "$cases/group"
if "$build/bin/cuda-compile" --available >/dev/null 2>&1; then
  "$build/bin/cuda-compile" "$cases/group/kernel.cu" -o "$cases/group/kernel.cubin" >/dev/null
fi
record time_gemm_4096 gemm_bf16 "M=4096 N=4096 K=4096 $tiles" \
  --time-only --flops=137438953472
record time_gemm_4096_wide gemm_bf16 "M=4096 N=4096 K=4096 BM=128 BN=256 BK=64" \
  --time-only --flops=137438953472
# Half of the square, because causal.
for rotate in true false; do
  record time_attention_4096_rotate_$rotate attention_forward_bf16 \
    "H=64 T=4096 D=128 SCALE=0.088388347 $attention" --time-only \
    --rotate=$rotate --flops=274877906944
done
echo "cases in $cases: $(ls "$cases" | wc -l)"
