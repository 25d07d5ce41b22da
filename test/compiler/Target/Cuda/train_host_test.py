"""Trains a small GPT-2 on the host driver and compares with the processors.

usage: train_host_test.py FOLDER MODEL DRIVER TARGET PRECISION TOLERANCE [STEPS [BUDGET]]
                          [--cublaslt LIBRARY] [--wide | --long]

One artifact holds both targets. The kernels' text, compiled for the host, runs
on the model of a GPU, through the runtime's graphs, streams and copies, in five
random orders: every loss is that of the processors within the tolerance, and
all orders give the same bits. Within a budget the step is one of micro-batches.
With a library, products that cuBLASLt can run are its, on the stand-in for it.
A wide model has gradients of weights that are sums of parts (split-K); it runs
in one order, and so does a long one, of which attention's gradients are two
kernels.
"""

import json
import os
import re
import shutil
import subprocess
import sys

library = ""
if "--cublaslt" in sys.argv:
    at = sys.argv.index("--cublaslt")
    library = sys.argv[at + 1]
    del sys.argv[at:at + 2]
wide = "--wide" in sys.argv
long = "--long" in sys.argv
if wide or long:
    sys.argv.remove("--wide" if wide else "--long")
folder, model, driver, target, precision, tolerance = sys.argv[1:7]
steps = sys.argv[7] if len(sys.argv) > 7 else "20"
budget = ["--budget", sys.argv[8]] if len(sys.argv) > 8 else []
tolerance = float(tolerance)
capability = ".".join(re.search(r"sm_(\d)(\d)", target).groups())
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.chdir(folder)

with open("text", "w") as file:
    file.write("In the beginning there was a lake below the mountains. " * (600 if long else 60))
subprocess.run(
    ["host-artifact", model, "-o", "model.art", "--target", "cpu," + target,
     "--precision", precision,
     "--set", "layers=1,width=128,heads=2,context=128,vocab=512,total=20,warmup=4" if wide else
     "layers=1,width=128,heads=2,context=512,vocab=128,total=20,warmup=4" if long else
     "layers=2,width=32,heads=2,context=16,vocab=128,total=20,warmup=4",
     "--shape", "B=16,T=128" if wide else "B=1,T=512" if long else f"B={16 if budget else 2},T=16", *budget,
     *(["--gemm", "cublaslt"] if library else [])], check=True)
if library:
    checker = os.path.join(os.path.dirname(__file__), "../../../checker/plan_checker.py")
    with open("manifest.json", "w") as file:
        subprocess.run(["tarn", "inspect", "model.art", "--json"], stdout=file, check=True)
    subprocess.run([sys.executable, checker, "manifest.json"], check=True)
if budget:
    said = subprocess.run(["tarn", "inspect", "model.art", "--json"], capture_output=True, text=True,
                          check=True).stdout
    for entry in json.loads(said)["targets"]:
        step = next(f for f in entry["functions"] if f["name"] == "step")
        assert any(op["op"] == "repeat" for op in step["program"]), "nothing is cut"
if wide:
    said = subprocess.run(["tarn", "inspect", "model.art", "--json"], capture_output=True, text=True,
                          check=True).stdout
    entry = next(t for t in json.loads(said)["targets"] if t.get("kind") == "cuda")
    # Four parts of 512 rows: a product writes as many gradients of 128 x 512, in f32.
    written = {bytes for kernel in entry["kernels"] if kernel["name"].startswith("dot")
               for bytes, access in zip(kernel["arg_bytes"], kernel["access"]) if access == "w"}
    assert 4 * 128 * 512 * 4 in written, written
if long:
    said = subprocess.run(["tarn", "inspect", "model.art", "--json"], capture_output=True, text=True,
                          check=True).stdout
    entry = next(t for t in json.loads(said)["targets"] if t.get("kind") == "cuda")
    gradients = [kernel for kernel in entry["kernels"] if "attention_backward" in kernel["name"]]
    assert len(gradients) == 2, gradients


norms = {}


def train(name, isa, seed):
    """The losses of a run, as logged, and its weights."""
    environment = {**os.environ, "TARN_ISA": isa, "TARN_CUDA_DRIVER": driver,
                   **({"TARN_CUBLASLT": library} if library else {}),
                   "TARN_HOST_DRIVER_DEVICE": "capability=" + capability,
                   "TARN_HOST_DRIVER_SEED": str(seed)}
    subprocess.run(
        ["tarn", "train", "model.art", "text", "--steps", steps,
         "--log-every", "1", "--eval-every", "0", "--out", name, "-q"],
        env=environment, check=True)
    with open(os.path.join(name, "log.jsonl")) as file:
        rows = [json.loads(line) for line in file]
    losses = [row["loss"] for row in rows if "loss" in row]
    norms[name] = [row["gradient_norm"] for row in rows if "loss" in row]
    assert len(losses) == int(steps), rows
    with open(os.path.join(name, steps, "state.safetensors"), "rb") as file:
        return losses, file.read()


want, _ = train("cpu", "cpu", 1)
first = None
worst = 0.0
for seed in range(1, 2 if wide or long else 6):
    losses, weights = train("gpu%d" % seed, "host", seed)
    for step, (got, expected) in enumerate(zip(losses, want)):
        error = abs(got - expected) / abs(expected)
        worst = max(worst, error)
        assert error <= tolerance, (seed, step, got, expected, error)
    for got, expected in zip(norms["gpu%d" % seed], norms["cpu"]):
        assert abs(got - expected) <= 10 * tolerance * expected, (seed, got, expected)
    if first is None:
        first = (losses, weights)
    assert (losses, weights) == first, "order %d gives other bits" % seed
print("%s %s: %s steps, losses %.4f to %.4f, error at most %.1e; "
      "%s" % (target, precision, steps, want[0], want[-1], worst,
             "one order" if wide or long else "five orders agree"))
