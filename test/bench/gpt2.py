#!/usr/bin/env python3
"""Seconds a step of GPT-2 in three sizes: Tarn (fp32, bf16) beside torch.

Usage: gpt2.py [--sizes nano,small,124m] [--rounds 3] [--steps 10] [--torch PYTHON]

The sides take turns, so that both see the same machine; the least and the
median of all rounds are printed. torch is left out where PYTHON has none.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZES = {  # --set, --shape
    "nano": ("layers=4,heads=4,width=128,context=64,vocab=96", "B=12,T=64"),
    "small": ("layers=6,heads=6,width=384,context=256,vocab=4096", "B=8,T=256"),
    "124m": ("layers=12,heads=12,width=768,context=1024,vocab=50304", "B=1,T=1024"),
    "124m-4x512": ("layers=12,heads=12,width=768,context=512,vocab=50304", "B=4,T=512"),
}


def run(words):
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = [x for x in ran.stdout.splitlines() if x.startswith("{")]
    return json.loads(lines[-1]) if ran.returncode == 0 and lines else None


def tarn(size, mode, steps):
    hyper, shape = SIZES[size]
    return run([f"{ROOT}/build/bin/tarn", "bench", f"{ROOT}/examples/gpt2/gpt2.tarn", "--set",
                f"{hyper},mode={mode}", "--shape", shape, "--steps", str(steps), "--json"])


def torch(python, size, steps):
    found = run([python, f"{ROOT}/test/bench/peers/gpt2_torch.py", "bench", size, "--steps",
                 str(steps)])
    return found and {"step_seconds_min": found["min_s"], "step_seconds_median": found["median_s"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="nano,small,124m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--torch", default=sys.executable)
    args = parser.parse_args()
    print("| size | side | s a step, min | median | compile s | arena | launches |")
    print("|---|---|---|---|---|---|---|")
    for size in args.sizes.split(","):
        sides = {"Tarn fp32": lambda s=size: tarn(s, "fp32", args.steps),
                 "Tarn bf16": lambda s=size: tarn(s, "bf16", args.steps),
                 "torch fp32": lambda s=size: torch(args.torch, s, args.steps)}
        results = {name: [] for name in sides}
        for _ in range(args.rounds):
            for name, measure in sides.items():
                result = measure()
                if result:
                    results[name].append(result)
        for name, rows in results.items():
            if not rows:
                continue
            least = min(r["step_seconds_min"] for r in rows)
            median = statistics.median(r["step_seconds_median"] for r in rows)
            row = rows[0]
            more = (f"{min(r['compile_seconds'] for r in rows):.2f} | "
                    f"{row['arena_bytes'] / 2**20:.0f} MiB | {row['launches']}"
                    if "arena_bytes" in row else " | | ")
            print(f"| {size} | {name} | {least:.4f} | {median:.4f} | {more} |", flush=True)


if __name__ == "__main__":
    main()
