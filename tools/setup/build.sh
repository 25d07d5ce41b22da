#!/usr/bin/env bash
# Configures and builds Tarn into build/. Arguments go to CMake.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake -S . -B build -G Ninja -DCMAKE_C_COMPILER=clang-22 \
  -DCMAKE_CXX_COMPILER=clang++-22 "$@" >build-configure.log 2>&1 ||
  { cat build-configure.log >&2; exit 1; }
mv build-configure.log build/configure.log
ninja -C build
