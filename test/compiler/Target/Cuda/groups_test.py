"""Trains with launches that run as one, and with each alone, and compares.

usage: groups_test.py FOLDER MODEL DRIVER PRECISION LAYERS

Both run on the host driver: losses and all that is saved are the same bits, the
arena is not larger, and the launches are fewer.
"""

import json
import os
import shutil
import subprocess
import sys

folder, model, driver, precision, layers = sys.argv[1:6]
model = os.path.abspath(model)
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.chdir(folder)
with open("text", "w") as file:
    file.write("In the beginning there was a lake below the mountains. " * 60)


def train(name, *words):
    """The losses, the checkpoint without its metadata, and the step's plan."""
    subprocess.run(
        ["host-artifact", model, "-o", name + ".art", "--target", "cuda:sm_90a",
         "--precision", precision,
         "--set", f"layers={layers},width=32,heads=2,context=16,vocab=128,total=20,warmup=4",
         "--shape", "B=2,T=16", *words], check=True, stdout=subprocess.DEVNULL)
    environment = {**os.environ, "TARN_ISA": "host", "TARN_CUDA_DRIVER": driver,
                   "TARN_HOST_DRIVER_DEVICE": "capability=9.0"}
    subprocess.run(
        ["tarn", "train", name + ".art", "text", "--steps", "3", "--log-every", "1",
         "--eval-every", "0", "--out", name, "-q"], env=environment, check=True)
    with open(name + "/log.jsonl") as file:
        losses = [row["loss"] for row in map(json.loads, file) if "loss" in row]
    with open(name + "/3/state.safetensors", "rb") as file:
        state = file.read()
    said = subprocess.run(["tarn", "inspect", name + ".art", "--json"], check=True,
                          capture_output=True, text=True).stdout
    (target,) = json.loads(said)["targets"]
    step = next(f for f in target["functions"] if f["name"] == "step")
    return losses, state[8 + int.from_bytes(state[:8], "little"):], target, step


together, state, target, step = train("grouped")
alone, expected, _, single = train("alone", "--ungrouped")
assert len(together) == 3 and together == alone, (together, alone)
assert state == expected, "other weights"
assert step["arena_bytes"] <= single["arena_bytes"], (step["arena_bytes"], single["arena_bytes"])


def launches(function):
    return sum(op["op"] == "launch" for op in function["program"])


assert launches(step) < launches(single)
tables = [kernel["params"][0]["table"] for kernel in target["kernels"]
          if kernel.get("params") and "table" in kernel["params"][0]]
assert max(sum(isinstance(word, list) for word in table) for table in tables) > 150, "no update of all tensors"
print("3 steps, the same losses and weights with %d launches and %d"
      % (launches(step), launches(single)))
