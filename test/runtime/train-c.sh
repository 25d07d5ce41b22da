#!/bin/sh
# Runs the C example on the test model: train-c.sh MAKE-BIGRAM TRAIN-C. The loss
# must fall, the checkpoint appear, and errors be one line with exit code 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" "$folder/bigram.art" "$folder/text"
"$2" "$folder/bigram.art" "$folder/text" 200 "$folder/run" | tee "$folder/out"
test -s "$folder/run/200/state.safetensors"
awk '/^step 1 /{ first = $4 } /^step 200 /{ last = $4 }
     END { exit !(first > 4 && last < 1) }' "$folder/out"

fails() {
  if "$@" 2>"$folder/error"; then
    echo "expected an error: $*"
    exit 1
  fi
  test "$(wc -l <"$folder/error")" = 1
  grep -q '^error: ' "$folder/error"
}
fails "$2" "$folder/none" "$folder/text" 1 "$folder/run"
fails "$2" "$folder/text" "$folder/text" 1 "$folder/run"
printf x | dd of="$folder/bigram.art" bs=1 seek=3000 conv=notrunc 2>/dev/null
fails "$2" "$folder/bigram.art" "$folder/text" 1 "$folder/run"
grep -q damaged "$folder/error"
