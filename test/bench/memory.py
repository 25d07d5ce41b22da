#!/usr/bin/env python3
"""Seconds a step against bytes: Tarn's policies and budgets beside torch with its
budget of activations, on GPT-2 (fp32, 124 million parameters, 4 rows of 512).

Usage: memory.py [--size 124m-4x512] [--rounds 2] [--steps 5] [--torch PYTHON]

Peak: for Tarn all memory spaces of the step, which is what the runtime allocates
(it compares); for torch the most bytes that its CPU allocator held (profiler
with memory, on before the model is made: weights, state, batch, one step's all).
Neither counts code, the interpreter and what libraries take for themselves. In
each round every side runs once, one after the other; seconds are the least of
all rounds. torch is left out where PYTHON has none. What is done goes to stderr,
the table to stdout.
"""
import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpt2 import SIZES, run  # noqa: E402

TORCH_BUDGETS = (1.0, 0.5, 0.25, 0.0)


def model(size):
    hyper, shape = SIZES[size]
    return [f"{ROOT}/examples/gpt2/gpt2.tarn", "--set", hyper, "--shape", shape]


def plan(size, words):
    return run([f"{ROOT}/build/bin/tarn", "plan", *model(size), *words, "--target", "cpu",
                "--json", "--no-progress"])


def tarn(size, words, steps):
    """One policy or budget: what was planned, and what a step takes."""
    planned = plan(size, words)
    timed = run([f"{ROOT}/build/bin/tarn", "bench", *model(size), *words, "--target", "cpu",
                 "--steps", str(steps), "--json", "--no-progress"])
    if not planned or not timed:
        return None
    spaces = planned["peak"]
    assert timed["arena_bytes"] == spaces["arena_bytes"], "the plan is not what ran"
    return {"bytes": planned["peak_bytes"], "seconds": timed["step_seconds_min"],
            "estimate": planned["seconds"], "what": planned["chosen"]}


def torch(python, size, words, steps):
    found = run([python, f"{ROOT}/test/bench/peers/gpt2_torch.py", "memory", size, *words,
                 "--steps", str(steps)])
    return found and {"bytes": found["peak_bytes"], "seconds": found["min_s"],
                      "what": f"compiled in {found['compile_s']:.0f} s"}


def sides_of(size, python, steps):
    """Name of each side and how it is measured."""
    free = plan(size, ["--policy", "auto", "--budget", "none"])
    if not free:
        sys.exit("tarn plan fails; is build/bin/tarn there?")
    least, most = free["least_bytes"], free["peak_bytes"]
    sides = {}
    for policy in ("keep-all", "sqrt", "recompute-all"):
        sides[f"Tarn {policy}"] = ["--policy", policy, "--budget", "none"]
    # From the smallest budget that is met to what keeping everything takes.
    for part in (0.75, 0.5, 0.25, 0):
        budget = least + int((most - least) * part)
        sides[f"Tarn auto in {budget / 2**20:.0f} MiB"] = ["--policy", "auto", "--budget",
                                                         str(budget)]
    sides = {name: lambda w=words: tarn(size, w, steps) for name, words in sides.items()}
    probe = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    if probe.returncode == 0:
        sides["torch eager"] = lambda: torch(python, size, ["--eager"], steps)
        for budget in TORCH_BUDGETS:
            sides[f"torch.compile, budget {budget}"] = \
                lambda b=budget: torch(python, size, ["--budget", str(b)], steps)
    return sides


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="124m-4x512", choices=SIZES)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--torch", default=sys.executable)
    args = parser.parse_args()
    sides = sides_of(args.size, args.torch, args.steps)
    results = {}
    for _ in range(args.rounds):
        # Tarn's and torch's by turns, so that both see the same machine.
        names = sorted(sides, key=lambda name: (list(n for n in sides if n[:5] == name[:5])
                                                .index(name), name))
        for name in names:
            result = sides[name]()
            print(name, result, file=sys.stderr, flush=True)
            if result:
                results.setdefault(name, []).append(result)
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load "
          f"{os.getloadavg()[1]:.1f}; {args.rounds} rounds of {args.steps} steps")
    print("| side | peak MiB | s a step | against the first | estimated | |")
    print("|---|---|---|---|---|---|")
    fastest, guess = {}, {}
    for name in sides:
        rows = results.get(name)
        if not rows:
            print(f"| {name} | failed | | | | |")
            continue
        who, seconds = name.split()[0][:5], min(r["seconds"] for r in rows)
        fastest[who] = fastest.get(who, seconds)
        row = rows[0]
        estimate = ""
        if "estimate" in row:
            guess[who] = guess.get(who, row["estimate"])
            estimate = f"{100 * (row['estimate'] / guess[who] - 1):+.1f} %"
        print(f"| {name} | {row['bytes'] / 2**20:.0f} | {seconds:.3f} | "
              f"{100 * (seconds / fastest[who] - 1):+.1f} % | {estimate} | {row['what']} |")


if __name__ == "__main__":
    main()
