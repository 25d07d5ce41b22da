"""Trains a mixture of experts on the host driver and compares with the processors.

usage: experts_host_test.py FOLDER MODEL DRIVER TOLERANCE

One artifact holds both targets; the kernels' text, compiled for the host, runs on
the model of a GPU in three random orders. Every loss is that of the processors
within the tolerance, and all orders give the same bits.
"""

import json
import os
import shutil
import subprocess
import sys

folder, model, driver, tolerance = sys.argv[1:5]
STEPS, VOCABULARY = 5, 24
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.chdir(folder)
with open("tokens", "wb") as file:
    file.write(bytes((i * i + i // 7) % VOCABULARY for i in range(4000)))
subprocess.run(["host-artifact", model, "-o", "model.art", "--target", "cpu,cuda:sm_90a",
                "--precision", "fp32", "--shape", "B=1,T=12"], check=True)


def train(name, isa, seed):
    """The losses of a run, as logged, and its weights."""
    subprocess.run(
        ["tarn", "train", "model.art", "tokens", "--steps", str(STEPS), "--log-every", "1",
         "--eval-every", "0", "--out", name, "-q"],
        env={**os.environ, "TARN_ISA": isa, "TARN_CUDA_DRIVER": driver,
             "TARN_HOST_DRIVER_DEVICE": "capability=9.0", "TARN_HOST_DRIVER_SEED": str(seed)},
        check=True)
    with open(os.path.join(name, "log.jsonl")) as file:
        losses = [row["loss"] for row in map(json.loads, file) if "loss" in row]
    assert len(losses) == STEPS, losses
    with open(os.path.join(name, str(STEPS), "state.safetensors"), "rb") as file:
        return losses, file.read()


want, _ = train("cpu", "cpu", 1)
runs = [train("gpu%d" % seed, "host", seed) for seed in (1, 2, 3)]
worst = max(abs(got - expected) / expected for got, expected in zip(runs[0][0], want))
assert worst <= float(tolerance), (runs[0][0], want)
assert all(run == runs[0] for run in runs), "orders give other bits"
print("%d steps, losses %.4f to %.4f, error at most %.1e; three orders agree"
      % (STEPS, want[0], want[-1], worst))
