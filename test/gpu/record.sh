#!/usr/bin/env bash
# record.sh BUILD CASES [PROTOTYPES]: writes what run.sh runs, on a machine that
# has Tarn's compiler in BUILD and NVRTC. Copy CASES, with this source tree, to a
# machine with a GPU: a folder or, where the name ends in .tar.xz or .tar.gz, an
# archive.
#   kernels/   recorded kernels: one for each wrapper of the device header, tile
#              programs, and all kernels of small models
#   training/  artifacts for processors and GPU, and how far their losses may differ
#   timing/    full-size training steps
#   tuning/    the candidates of their products, cuBLASLt's among them
#   prototypes/  a copy of PROTOTYPES, where given: a folder with try_on_gpu.sh
# TARN_GPU_RECORD="kernels training ...": only these.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
archive=
cases=$2
prototypes=${3:-}
source=$(cd "$here/../.." && pwd)
programs=$here/../dialects/Tile/programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $cases in *.tar.*) archive=$(realpath -m "$cases") cases=$work/cases ;; esac
parts=${TARN_GPU_RECORD:-kernels training timing tuning}

compile() { "$build/bin/tarn" compile --no-progress -q "$@"; }

# machine_code CASE: its cubin, where there is NVRTC.
"$build/bin/cuda-compile" --available >/dev/null 2>&1 && nvrtc=1 || nvrtc=
machine_code() {
  [ -n "$nvrtc" ] || return 0
  # A log that is not clean is no reason not to run it.
  "$build/bin/cuda-compile" "$1/kernel.cu" -o "$1/kernel.cubin" >/dev/null || [ -s "$1/kernel.cubin" ]
  rm -f "$1/tarn_device.h"
}

# record NAME PROGRAM SIZES [OPTIONS]: SIZES as "M=128 N=90".
record() {
  local name=$1 program=$2 sizes=$3 script=
  shift 3
  for size in $sizes; do script+="s/@${size%%=*}@/${size#*=}/g;"; done
  sed "$script" "$programs/$program.mlir" |
    "$build/bin/cuda-case" --lines=false -o "$cases/kernels/$name" "$@"
  machine_code "$cases/kernels/$name"
}

# record_model NAME MODEL OPTIONS: every kernel that no other model has.
record_model() {
  local name=$1
  shift
  compile "$@" --target cuda:sm_90a --to tile -o "$work/$name.mlir"
  "$build/bin/cuda-case" --all --positive --noise --lines=false --known "$work/known" \
    -o "$work/$name" "$work/$name.mlir"
  local case
  for case in "$work/$name"/*/; do
    case=$(basename "$case")
    mv "$work/$name/$case" "$cases/kernels/${name}_$case"
    machine_code "$cases/kernels/${name}_$case"
  done
}

kernels() {
  mkdir -p "$cases/kernels"
  # One case for each wrapper of the device header.
  /usr/bin/python3 "$here/micro/make_cases.py" "$cases/kernels" >/dev/null
  local case
  for case in "$cases/kernels"/micro_*; do
    cp "$source/compiler/Target/Cuda/device/tarn_device.h" "$case"
    machine_code "$case"
  done
  local tiles="BM=128 BN=128 BK=64" attention="BR=128 BC=128" rotate
  record gemm_exact gemm_bf16 "M=256 N=256 K=512 $tiles"
  record gemm_ragged gemm_bf16 "M=200 N=90 K=328 $tiles"
  record gemm_small_tiles gemm_bf16 "M=200 N=90 K=328 BM=64 BN=64 BK=64"
  record gemm_wide_tiles gemm_bf16 "M=300 N=520 K=328 BM=128 BN=256 BK=64"
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
    "$source/test/compiler/Target/Cuda/Inputs/group.mlir" -o "$cases/kernels/group"
  machine_code "$cases/kernels/group"
  : >"$work/known"
  record_model gpt2 "$source/examples/gpt2/gpt2.tarn" --precision bf16 \
    --set layers=1,width=64,heads=1,context=64,vocab=128 --shape B=1,T=64
  record_model gpt2_fp32 "$source/examples/gpt2/gpt2.tarn" --precision fp32 \
    --set layers=1,width=64,heads=1,context=64,vocab=128 --shape B=1,T=64
  record_model gpt2_tf32 "$source/examples/gpt2/gpt2.tarn" --precision tf32 \
    --set layers=1,width=64,heads=1,context=64,vocab=128 --shape B=1,T=64
  record_model llama "$source/examples/llama/llama.tarn" --precision bf16 \
    --set layers=1,width=128,heads=2,kv=1,hidden=96,context=64,vocab=128 --shape B=1,T=64
  record_model cnn "$source/examples/cnn/cnn.tarn" --precision bf16 --shape B=2,H=8,W=8
  record time_gemm_4096 gemm_bf16 "M=4096 N=4096 K=4096 $tiles" --time-only
  record time_gemm_4096_wide gemm_bf16 "M=4096 N=4096 K=4096 BM=128 BN=256 BK=64" --time-only
  # Half of the square, because causal.
  for rotate in true false; do
    record time_attention_4096_rotate_$rotate attention_forward_bf16 \
      "H=64 T=4096 D=128 SCALE=0.088388347 $attention" --time-only \
      --rotate=$rotate --flops=274877906944
  done
}

# train NAME BOUND MODEL OPTIONS
train() {
  local name=$1 bound=$2
  shift 2
  compile "$@" --target cpu,cuda:sm_90a -o "$cases/training/$name.art"
  echo "$bound" >"$cases/training/$name.bound"
}

training() {
  mkdir -p "$cases/training"
  local gpt2="$source/examples/gpt2/gpt2.tarn" llama="$source/examples/llama/llama.tarn"
  local rates="rate=1e-3,warmup=4,total=40"
  local nano="--set layers=4,heads=4,width=128,context=64,vocab=96,$rates --shape B=12,T=64"
  train gpt2_nano_fp32 1e-5 "$gpt2" $nano --precision fp32 --budget none
  train gpt2_nano_tf32 1e-2 "$gpt2" $nano --precision tf32 --budget none
  train gpt2_nano_bf16 1e-2 "$gpt2" $nano --precision bf16 --budget none
  train gpt2_nano_budget 1e-5 "$gpt2" $nano --precision fp32 --budget 18MiB
  train gpt2_nano_cublaslt 1e-2 "$gpt2" $nano --precision bf16 --gemm cublaslt --budget none
  train gpt2_long_bf16 1e-2 "$gpt2" --precision bf16 --budget none \
    --set layers=2,width=128,heads=2,context=512,vocab=128,$rates --shape B=2,T=512
  train llama_bf16 1e-2 "$llama" --precision bf16 --budget none \
    --set layers=2,width=256,heads=2,kv=1,hidden=384,context=256,vocab=128,$rates --shape B=2,T=256
  train cnn_fp32 1e-5 "$source/examples/cnn/cnn.tarn" --precision fp32 --budget none
  train cnn_bf16 1e-2 "$source/examples/cnn/cnn.tarn" --precision bf16 --budget none
  train mixtral_bf16 1e-2 "$source/test/frontends/HuggingFace/Inputs/toys/mixtral.json" \
    --precision bf16 --shape B=2,T=32 --budget none
}

# The names are those that peers.py knows.
sizes_gpt2="examples/gpt2/gpt2.tarn --set vocab=50304 --shape B=12,T=1024 --precision bf16"
sizes_llama="examples/llama/llama.tarn --set layers=2 --shape B=1,T=4096 --precision bf16"

# full NAME FOLDER SIZES OPTIONS
full() {
  local name=$1 folder=$2 model=${3%% *} options=${3#* }
  shift 3
  mkdir -p "$cases/$folder"
  compile "$source/$model" $options "$@" --target cuda:sm_90a --budget none -o "$cases/$folder/$name.art"
}

timing() {
  full gpt2_124m timing "$sizes_gpt2"
  full gpt2_124m_cublaslt timing "$sizes_gpt2" --gemm cublaslt
  full llama_2_layers timing "$sizes_llama"
  full llama_2_layers_cublaslt timing "$sizes_llama" --gemm cublaslt
}

tuning() {
  full gpt2_124m tuning "$sizes_gpt2" --tune-candidates
  full llama_2_layers tuning "$sizes_llama" --tune-candidates
}

mkdir -p "$cases"
for part in $parts; do "$part"; done
if [ -n "$prototypes" ]; then
  mkdir -p "$cases/prototypes"
  cp "$prototypes"/* "$cases/prototypes"
fi
du -sh "$cases"/*
[ -z "$archive" ] || tar -C "$cases" -caf "$archive" .
