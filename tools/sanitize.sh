#!/usr/bin/env bash
# Builds Tarn with AddressSanitizer, UBSan and assertions into build-sanitized/
# and runs tests there. Takes an hour on two cores.
#   tools/sanitize.sh [STAGE...]    stages of tools/test.sh; usual: unit ops fuzz lit
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

mkdir -p build-sanitized
[ -d build-sanitized/nvrtc ] || ! [ -d build/nvrtc ] ||
  cp -r build/nvrtc build-sanitized/
cmake -S . -B build-sanitized -G Ninja -DCMAKE_C_COMPILER=clang-22 \
  -DCMAKE_CXX_COMPILER=clang++-22 -DTARN_SANITIZE=ON -DTARN_ASSERTS=ON
ninja -C build-sanitized
# LLVM's allocators poison what they hand out later; libMLIR, which is not built
# with sanitizers, does not take that back.
export ASAN_OPTIONS=allow_user_poisoning=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
status=0
[ $# -gt 0 ] || set -- unit ops fuzz lit
for stage in "$@"; do
  ctest --test-dir build-sanitized -L "^$stage\$" --output-on-failure -j2 ||
    status=1
done
exit $status
