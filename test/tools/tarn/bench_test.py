"""bench_test.py TARN EXAMPLES FOLDER: figures and files of `tarn bench`."""

import json
import os
import subprocess
import sys

TARN, EXAMPLES, FOLDER = sys.argv[1:4]
MODEL = [os.path.join(EXAMPLES, "gpt2/gpt2.tarn"), "--shape", "B=2,T=16",
         "--set", "layers=1,heads=2,width=32,vocab=64,context=16"]


def tarn(*words, code=0):
    done = subprocess.run([TARN, *words], capture_output=True, text=True)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done.stdout if code == 0 else done.stderr


def bench(*words, code=0):
    return tarn("bench", *MODEL, "--steps", "2", "--threads", "1", *words,
                code=code)


def check_json():
    out = json.loads(bench("--json", "--profile"))
    assert out["device"] == "cpu" and out["threads"] == 1
    assert 0 < out["step_seconds_min"] <= out["step_seconds_median"]
    assert 0 < out["predicted_seconds"] and 0 < out["predicted_error"] < 2
    # The step's prediction is that of its launches, copies and fills.
    kernels = out["kernels"]
    launches = sum(k["launches"] for k in kernels)
    assert launches == out["launches"] * out["steps"]
    parts = sum(k["predicted_seconds"] * k["launches"] for k in kernels)
    assert parts / out["steps"] <= out["predicted_seconds"] * 1.0001
    assert parts / out["steps"] >= out["predicted_seconds"] * 0.5
    for kernel in kernels:
        assert len(kernel["program"]) == 16, kernel
        assert kernel["bound"] in ("compute", "memory", "launch"), kernel
        assert 0 < kernel["seconds_min"] <= kernel["seconds_median"], kernel
    # The products of one block: four of the forward pass, by hand.
    rows, width = 2 * 16, 32
    flops = [k["work"]["dots"].get("f32", 0) for k in kernels]
    for wanted in (3 * width, width, 4 * width):
        assert 2 * rows * width * wanted in flops, (wanted, flops)


def check_times():
    path = os.path.join(FOLDER, "times.json")
    bench("--times", path)
    with open(path) as file:
        times = json.load(file)
    assert times["tarn_kernel_times"] == 1 and times["model"] == "gpt2"
    assert times["device"] == "cpu" and times["threads"] == 1
    assert times["target"].startswith("cpu:x86-64-")
    programs = [k["program"] for k in times["kernels"]]
    assert len(programs) == len(set(programs)) > 20
    assert all(k["seconds"] > 0 and k["launches"] >= 2
               for k in times["kernels"])
    # The same programs whatever is written about the model.
    again = json.loads(bench("--json", "--profile"))
    assert {k["program"] for k in again["kernels"]} == set(programs)


def check_errors():
    missing = os.path.join(FOLDER, "no-such-folder", "times.json")
    error = bench("--times", missing, code=1)
    assert error.startswith("error: ") and error.count("\n") == 1, error
    assert "no-such-folder" in error, error
    error = bench("--times", FOLDER, code=1)
    assert error.startswith("error: ") and error.count("\n") == 1, error
    assert os.path.isdir(FOLDER)
    error = bench("--device", "h1000", code=1)
    assert error.startswith("error: unknown device `h1000`; known are a100")
    wrong = os.path.join(FOLDER, "wrong.json")
    with open(wrong, "w") as file:
        file.write('{"tarn_device": 1, "name": "x"}')
    error = bench("--device", wrong, code=1)
    assert "`targets` is missing" in error and error.count("\n") == 1, error
    left = [n for n in os.listdir(FOLDER) if n not in ("times.json", "wrong.json")]
    assert not left, left


os.makedirs(FOLDER, exist_ok=True)
check_json()
check_times()
check_errors()
print("bench: all good")
