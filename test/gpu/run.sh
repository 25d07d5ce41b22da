#!/usr/bin/env bash
# run.sh CASES: runs the recorded kernels in CASES (see record.sh) on this
# machine's GPU, compares and times them, and writes a dated file under
# test/gpu/results. Needs the driver, a C++ compiler and CMake; NVRTC only for
# cases without machine code. Goes on past failures. Under TARN_GPU_STAND_IN=1
# the host model takes the GPU's place, to test this command itself.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cases=${1:?usage: run.sh CASES}
results=${2:-$here/results}
# TARN_GPU_BUILD keeps what is built between calls.
build=${TARN_GPU_BUILD:-$(mktemp -d)}
trap '[ -n "${TARN_GPU_BUILD:-}" ] || rm -rf "$build"' EXIT
mkdir -p "$build"

cmake -S "$here" -B "$build" >"$build/log" 2>&1 &&
  cmake --build "$build" -j >>"$build/log" 2>&1 || { cat "$build/log"; exit 2; }

if [ -n "${TARN_GPU_STAND_IN:-}" ]; then
  export TARN_CUDA_DRIVER=$build/libtarn-host-driver.so
  rm -rf "$build/cases"
  cp -r "$cases" "$build/cases"
  cases=$build/cases
  for case in "$cases"/*/; do
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

# A driver that does not answer, or no GPU: no result file.
mkdir -p "$results"
file=$results/$(date -u +%Y-%m-%d-%H%M%S).txt
code=0
{
  date -u '+%Y-%m-%d %H:%M UTC'
  git -C "$here" rev-parse --short HEAD 2>/dev/null || true
  "$build/run-on-gpu" "$cases"/*/
} >"$build/results" || code=$?
cat "$build/results"
if [ "$code" = 2 ]; then exit 2; fi
cp "$build/results" "$file"
echo "written: $file"
exit "$code"
