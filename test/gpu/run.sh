#!/usr/bin/env bash
# run.sh CASES [RESULTS]: runs what record.sh wrote into CASES, a folder or an
# archive, on this machine's GPU, and writes a dated file under RESULTS (test/gpu/results): kernels against
# recorded numbers, trainings against the processors', seconds of full-size steps
# and of their products, cuBLASLt's and, where python3 has torch, torch's beside
# them. Needs the driver, a C++ compiler and CMake; NVRTC only for kernels without
# machine code. Goes on past failures, for less than ten minutes. Under TARN_GPU_STAND_IN=1 the host model takes the GPU's
# place, to test this command itself.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cases=$(realpath "${1:?usage: run.sh CASES [RESULTS]}")
results=${2:-$here/results}
# TARN_GPU_BUILD keeps what is built between calls; TARN_GPU_BINARIES has the
# programs built already.
build=${TARN_GPU_BUILD:-$(mktemp -d)}
trap '[ -n "${TARN_GPU_BUILD:-}" ] || rm -rf "$build"' EXIT
mkdir -p "$build"
if [ -f "$cases" ]; then
  rm -rf "$build/unpacked"
  mkdir "$build/unpacked"
  tar -xf "$cases" -C "$build/unpacked"
  cases=$build/unpacked
fi

binaries=${TARN_GPU_BINARIES:-$build}
[ -n "${TARN_GPU_BINARIES:-}" ] ||
  { cmake -S "$here" -B "$build" && cmake --build "$build" -j "$(nproc)"; } >"$build/log" 2>&1 ||
  { cat "$build/log"; exit 2; }

if [ -n "${TARN_GPU_STAND_IN:-}" ]; then
  export TARN_CUDA_DRIVER=$binaries/libtarn-host-driver.so
  export TARN_CUBLASLT=$binaries/libtarn-host-cublaslt.so
  rm -rf "$build/cases"
  cp -r "$cases" "$build/cases"
  cases=$build/cases
  for case in "$cases"/kernels/*/; do
    # The stand-in asks a kernel for the sizes of its parameters.
    name=$(sed -n 's/^kernel //p' "$case/launch.txt")
    printf '#include "kernel.cu"\nHOST_KERNEL(%s)\n' "$name" >"$case/host.cpp"
    ${CXX:-c++} -std=c++20 -O2 -ffp-contract=off -w -fPIC -shared -x c++ \
      -I"$here/../../compiler/Target/Cuda/device" -I"$here/host_model" \
      "$case/host.cpp" -o "$case/kernel.so"
    echo "HOST $(realpath "$case")/kernel.so" >"$case/kernel.cubin"
    printf '\0' >>"$case/kernel.cubin"
  done
fi

failures=0
deadline=$((SECONDS + 540))
# part SECONDS COMMAND...: counts a failure, or no end in time.
part() {
  local seconds=$1 code=0 left=$((deadline - SECONDS))
  shift
  [ $left -gt 0 ] || { echo "FAILED: no time left"; failures=$((failures + 1)); return; }
  [ $left -ge "$seconds" ] || seconds=$left
  timeout -k 5 "$seconds" "$@" || code=$?
  [ $code != 124 ] || echo "FAILED: no end in $seconds seconds"
  [ $code = 0 ] || failures=$((failures + 1))
}

kernels() {
  [ -d "$cases/kernels" ] || return 0
  echo "== kernels: recorded numbers, twice the same bits, time of one launch"
  part 150 "$binaries/run-on-gpu" --json "$build/times.jsonl" "$cases"/kernels/*/
}

prototypes() {
  [ -f "$cases/prototypes/try_on_gpu.sh" ] && [ -z "${TARN_GPU_STAND_IN:-}" ] || return 0
  echo "== prototypes"
  part 60 env -C "$build" bash "$cases/prototypes/try_on_gpu.sh"
}

# each FOLDER FUNCTION: calls it with each artifact there, and its name.
each() {
  local art
  for art in "$cases/$1"/*.art; do
    [ ! -f "$art" ] || "$2" "$art" "$(basename "$art" .art)"
  done
}

training() {
  echo "== training: losses on the GPU against those on the processors"
  train() {
    printf '%-28s ' "$2"
    part 60 "$binaries/run-artifact" train "$1" "${TARN_GPU_STEPS:-20}" "$(cat "${1%.art}.bound")"
  }
  each training train
}

timing() {
  echo "== steps: seconds, and of what"
  time_steps() {
    echo "-- $2"
    part 60 "$binaries/run-artifact" time "$1" "${TARN_GPU_STEPS:-20}" "$build/times.jsonl"
  }
  each timing time_steps
}

tuning() {
  echo "== products: every candidate, and cuBLASLt"
  tune() { part 60 "$binaries/run-artifact" tune "$1" 5 "$results/$date.$2.tuning.json"; }
  each tuning tune
}

peers() {
  echo "== torch"
  if [ -f "$build/times.jsonl" ] &&
    python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    part 240 python3 "$here/peers.py" --tarn "$build/times.jsonl"
  else
    echo "not compared: python3 has no torch that sees a GPU, or there are no times"
  fi
}

rm -f "$build/times.jsonl"
# A driver that does not answer, or no GPU: no result file.
"$binaries/run-on-gpu" --device >"$build/device" || { cat "$build/device"; exit 2; }
mkdir -p "$results"
date=$(date -u +%Y-%m-%d-%H%M%S)
file=$results/$date.txt
run_all() {
  date -u '+%Y-%m-%d %H:%M UTC'
  git -C "$here" rev-parse --short HEAD 2>/dev/null || true
  cat "$build/device"
  kernels
  training
  timing
  tuning
  peers
  prototypes
  echo "== $failures parts failed"
}
# Not in a pipe: the count has to survive.
run_all > >(tee "$file") 2>&1
wait $!
echo "written: $file"
[ "$failures" = 0 ]
