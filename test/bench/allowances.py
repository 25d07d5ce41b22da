#!/usr/bin/env python3
"""What `--allow` buys: the smallest budget that a step fits in with exact choices
and with rounding or meaning allowed, and the modelled seconds of a step at budgets between.

Usage: allowances.py [--tarn PATH] [--target DEVICE] [--model FILE] [--shape DIMS]
                     [--set VALUES] [BUDGET ...]
"""
import argparse
import json
import os
import re
import subprocess

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ALLOWANCES = {name: ["--allow", name] if name != "exact" else []
              for name in ("exact", "rounding", "meaning")}
GIB = 1 << 30


def least_budget(command):
    """By the refusal of one byte: the budget, and what no plan of that step undercuts."""
    said = subprocess.run([*command, "--budget", "1"], capture_output=True, text=True,
                          check=False).stderr
    numbers = [int(n) for n in re.findall(r"fits in .*\((\d+) bytes\)", said)]
    assert len(numbers) == 2, said
    return numbers


def planned(command, budget):
    ran = subprocess.run([*command, "--budget", budget, "--json"], capture_output=True, text=True,
                         check=False)
    plan = json.loads(ran.stdout)
    if not plan["fits"]:
        return "does not fit"
    notes = [note["text"].split(", ")[0] for note in plan["numerics"]
             if note["function"].startswith("step")]
    return f"{plan['seconds'] * 1e3:.1f} ms, {plan['peak_bytes'] / GIB:.2f} GiB" + "".join(
        f"; {note}" for note in notes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tarn", default=os.path.join(ROOT, "build/bin/tarn"))
    parser.add_argument("--target", default="h100")
    parser.add_argument("--model", default=os.path.join(ROOT, "examples/gpt2/gpt2.tarn"))
    parser.add_argument("--shape")
    parser.add_argument("--set")
    parser.add_argument("budgets", nargs="*", default=["9GiB", "4800MiB", "3GiB", "2GiB"])
    options = parser.parse_args()
    command = [options.tarn, "plan", options.model, "--target", options.target]
    for name in ("shape", "set"):
        if value := getattr(options, name):
            command += ["--" + name, value]
    for name, words in ALLOWANCES.items():
        least, bound = least_budget(command + words)
        print(f"{name:9} smallest budget {least / GIB:.2f} GiB ({least} bytes), "
              f"bound {bound / GIB:.2f} GiB", flush=True)
    for budget in options.budgets:
        for name, words in ALLOWANCES.items():
            print(f"{budget:>8} {name:9} {planned(command + words, budget)}", flush=True)


main()
