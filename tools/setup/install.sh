#!/usr/bin/env bash
# Installs what Tarn builds and tests with on Debian 12. Does nothing for what
# is there already, so that it may be run any number of times.
#   tools/setup/install.sh [tests]     "tests" adds what only the tests need
set -euo pipefail

packages=(
  clang-22 lld-22 liblld-22-dev libzstd-dev zlib1g-dev llvm-22-dev llvm-22-tools libmlir-22-dev
  mlir-22-tools cmake ninja-build ccache libcli11-dev
  bible-kjv bible-kjv-text # the demo's text
  python3-pip              # brings NVRTC
)
if [ "${1:-}" = tests ]; then
  packages+=(libgtest-dev clang-format-22 libclang-rt-22-dev python3
             python3-numpy)
fi

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' ||
    missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      { echo "error: installing needs root or sudo: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >/dev/null
fi

# NVIDIA's compiler library for the CUDA target, into the build folder, where
# tarn looks first. One version everywhere: equal text, equal machine code.
nvrtc=nvidia-cuda-nvrtc==13.0.88
folder=$(dirname "$0")/../../build/nvrtc
if [ "$(cat "$folder/version" 2>/dev/null)" != "$nvrtc" ]; then
  rm -rf "$folder" "$folder.part"
  if /usr/bin/python3 -m pip install -q --no-deps --disable-pip-version-check \
    --root-user-action ignore --target "$folder.part" "$nvrtc"; then
    echo "$nvrtc" >"$folder.part/version"
    mv "$folder.part" "$folder"
  else
    rm -rf "$folder.part"
    echo "warning: $nvrtc cannot be installed: no CUDA targets (tarn compile" \
      "--target cuda:...) until it is" >&2
  fi
fi
