#!/usr/bin/env bash
# A kernel that leaves its bytes is Tarn's bug: `tarn run` names it and exits
# with 70, under TARN_GUARD.
# usage: guard-exit.sh make-bigram tarn
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" "$folder/model.art" "$folder/text"
cd "$folder"
python3 - <<'PYTHON'
import struct
header = b'{"place":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}'
with open("place", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + struct.pack("<i", 16))
PYTHON
run=("$2" run model.art --function stray --inputs place --outputs out)
"${run[@]}" || { echo "fails without a guard"; exit 1; }
code=0
TARN_GUARD=end "${run[@]}" 2>said || code=$?
cat said
[ $code = 70 ]
grep -q "error: bigram.tarn:3:5: kernel \`stray\`, block 0 of 16, reads 0 bytes past the end of argument 0" said
grep -q "this is a bug in Tarn" said
