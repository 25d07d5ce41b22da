#!/usr/bin/env bash
# Installs, builds, and trains a small GPT on the King James text; resumes from
# its checkpoint and prints sampled text. A bare Debian 12 machine needs nothing
# else. About a quarter of an hour on two cores, most of it the build.
set -euo pipefail
cd "$(dirname "$0")/.."
steps=${STEPS:-2000}

tools/setup/install.sh
tools/setup/build.sh
tools/setup/kjv.sh build/demo/kjv.txt
rm -rf build/demo/run

nano=(--set layers=4 --set heads=4 --set width=128 --set context=64
      --set vocab=256 --set rate=1e-3 --set warmup=100 --set total="$steps"
      --set beta2=0.99 --shape B=12,T=64)
tarn=build/bin/tarn
$tarn train examples/gpt2/gpt2.tarn build/demo/kjv.txt "${nano[@]}" \
  --steps $((steps / 2)) --eval-every 250 --out build/demo/run
# The second half goes on from the checkpoint of the first.
$tarn train --resume build/demo/run --steps "$steps"
$tarn run --sample build/demo/run --prompt 'In the beginning ' --tokens 300
