#!/bin/sh
# Builds the runtime on its own, with the system's compiler: alone.sh RUNTIME.
# It must be small, export nothing but tarn_*, and need no library beyond those
# of C and C++.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake -S "$1" -B "$folder" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
cmake --build "$folder" -j2 >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
library=$folder/libtarn_runtime.so.1
strip -o "$folder/stripped.so" "$library"
size=$(wc -c <"$folder/stripped.so")
echo "stripped: $size bytes"
test "$size" -lt 1000000
if nm -D --defined-only "$library" | grep -v ' tarn_'; then
  echo "exports more than tarn_*"
  exit 1
fi
if readelf -d "$library" | grep NEEDED |
  grep -vE 'lib(c|m|dl|pthread|stdc\+\+|c\+\+|gcc_s)\.so|ld-linux'; then
  echo "needs more than C and C++"
  exit 1
fi
