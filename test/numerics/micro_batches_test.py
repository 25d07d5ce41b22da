#!/usr/bin/env python3
"""Training with the batch cut into micro-batches: what the whole batch gives, to
rounding, also with masked tokens, draws and several metrics; something else under
ops that look across the batch, which is refused unless it is allowed.

Usage: micro_batches_test.py EXAMPLES INPUTS CHECKER FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools/tarn"))
from budget_test import allocated, check, failures, tarn

GPT2 = "heads=2,width=32,context=32,warmup=4,total=60,layers=2,vocab=128,dropped=0.1"


def train(artifact, threads):
    """The logged rows of each step, the validation, and the state's bytes."""
    folder = f"{artifact}-{threads}"
    tarn("train", artifact, "data.txt", "--steps", 6, "--log-every", 1, "--eval-every", 3, "--seed",
         5, "--threads", threads, "--out", folder, "--no-progress")
    with open(f"{folder}/log.jsonl", encoding="utf-8") as log:
        rows = [json.loads(line) for line in log]
    with open(f"{folder}/6/state.safetensors", "rb") as state:
        return rows, state.read()


def numbers(rows):
    """What the model computed: loss, metrics, norm, rate, validation loss."""
    return [{key: value for key, value in row.items()
             if isinstance(value, float) and "second" not in key and "time" not in key}
            for row in rows]


def difference(ours, theirs):
    """The largest relative difference of two logs."""
    check(len(ours) == len(theirs) and ours, "logs of different lengths")
    worst = 0
    for x, y in zip(ours, theirs):
        check(x.keys() == y.keys() and x, f"{x} {y}")
        worst = max([worst, *(abs(x[key] - y[key]) / max(abs(y[key]), 1e-9) for key in y)])
    return worst


def compiled(model, checker, out, *words):
    """Compiles; the checker replays it. The step's program and its turns."""
    tarn("compile", *model, *words, "-o", out)
    manifest = json.loads(tarn("inspect", out, "--json").stdout)
    with open(out + ".json", "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    ran = subprocess.run([sys.executable, checker, out + ".json"], capture_output=True, text=True,
                         check=False)
    check(ran.returncode == 0, ran.stdout + ran.stderr)
    step = next(f for f in manifest["targets"][0]["functions"] if f["name"] == "step")
    turns = [op["count"] for op in step["program"] if op["op"] == "repeat"]
    return manifest, turns


def cut(name, model, checker, budget, allow, reason=""):
    """Plans and trains at the budget, and without one: the whole batch."""
    words = ["--budget", budget, "--allow", allow]
    plan = json.loads(tarn("plan", *model, *words, "--json").stdout)
    note = next((n for n in plan["numerics"] if n["function"] == "step_micro"), None)
    check(note and note["class"] == allow, f"{name}: {plan['numerics']}")
    if not note:
        return float("nan")
    count = int(re.match(r"(\d+) micro-batches of B=\d+" + reason, note["text"]).group(1))
    manifest, turns = compiled(model, checker, name + ".art", *words)
    check(turns == [count] and count > 1, f"{name}: {turns} {note}")
    check(allocated(manifest) == plan["peak_bytes"] <= budget,
          f"{name}: {allocated(manifest)} of {plan['peak_bytes']}")
    _, turns = compiled(model, checker, name + "-whole.art", "--budget", "none")
    check(not turns, f"{name}: {turns}")
    rows, state = train(name + ".art", 1)
    again = train(name + ".art", 2)
    check((numbers(again[0]), again[1]) == (numbers(rows), state),
          f"{name}: threads change bits")
    whole, other = train(name + "-whole.art", 2)
    check(state != other, f"{name}: nothing was cut")
    return difference(numbers(rows), numbers(whole))


def main():
    examples, inputs, checker, folder = map(os.path.abspath, sys.argv[1:5])
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chdir(folder)
    os.environ["TARN_CACHE"] = f"{folder}/cache"
    with open("data.txt", "w", encoding="utf-8") as data:
        data.write("".join(chr(32 + (7 * i * i + i // 3) % 90) for i in range(6000)))
    gpt2 = [f"{examples}/gpt2/gpt2.tarn", "--set", GPT2, "--shape", "B=8,T=32"]
    for name, model, budget in (("gpt2", gpt2, 620_000),
                                ("masked", [f"{inputs}/masked.tarn"], 1_300_000)):
        error = cut(name, model, checker, budget, "rounding")
        check(error <= 1e-5, f"{name}: {error}")
        tarn("compile", *model, "--budget", budget // 2, "-o", "never.art", code=1)

    norm = [f"{inputs}/batch_norm.tarn"]
    said = tarn("compile", *norm, "--budget", 1_300_000, "--allow", "rounding", "-o", "never.art",
                code=1).stderr
    check(re.search(r"help: --allow meaning would fit: .* bytes\), \d+ micro-batches", said), said)
    error = cut("norm", norm, checker, 1_300_000, "meaning",
                ", `reduce_sum` looks across the batch")
    check(error > 1e-3, f"norm: {error}")


main()
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(bool(failures))
