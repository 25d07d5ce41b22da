#!/usr/bin/env python3
"""Seconds to compile full-size training steps for a GPU, without one: cold (no
kernel in the cache) and warm (all of them), and how many kernels there are.

Usage: cuda_compile.py [--tarn build/bin/tarn] [--target cuda:sm_90a] [CASE ...]
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

CASES = {
    "gpt2-124m": ["examples/gpt2/gpt2.tarn", "--shape", "B=12,T=1024"],
    "gpt2-124m-bf16": ["examples/gpt2/gpt2.tarn", "--shape", "B=12,T=1024", "--precision", "bf16"],
    "llama-96": ["examples/llama/llama.tarn", "--set", "layers=96", "--shape", "B=1,T=4096",
                 "--precision", "bf16"],
}


def compile_once(tarn, words, target, cache):
    with tempfile.TemporaryDirectory() as folder:
        begin, cpu = time.time(), os.times()
        ran = subprocess.run([tarn, "compile", *words, "--target", target, "--budget", "none", "--json",
                              "-o", f"{folder}/step.art"], capture_output=True, text=True, check=False,
                             env={**os.environ, "TARN_CACHE": cache})
        wall, after = time.time() - begin, os.times()
    if ran.returncode:
        raise SystemExit(ran.stderr)
    report = json.loads(ran.stdout)
    report["wall"] = wall
    report["cpu"] = (after.children_user - cpu.children_user) + (after.children_system - cpu.children_system)
    return report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tarn", default="build/bin/tarn")
    parser.add_argument("--target", default="cuda:sm_90a")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    chosen = parser.parse_args()
    for name in chosen.cases:
        with tempfile.TemporaryDirectory() as cache:
            for run in ("cold", "warm"):
                report = compile_once(chosen.tarn, CASES[name], chosen.target, cache)
                target = report["targets"][0]
                phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in report["seconds"].items()
                                   if seconds >= 0.1)
                print(f"{name:16} {run}: {report['wall']:6.1f} s, {report['cpu']:6.1f} s of processors;"
                      f" {len(target['kernels'])} kernels, {target['distinct']} distinct,"
                      f" {target['cached']} cached ({phases})", flush=True)


if __name__ == "__main__":
    main()
