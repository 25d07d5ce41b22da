#!/usr/bin/env python3
"""Seconds to compile full-size training steps for a GPU, without one: cold
(nothing in the cache), kernels (a line of the model has changed, and no kernel)
and whole (compiled before), and how many kernels there are.

Usage: cuda_compile.py [--tarn build/bin/tarn] [--target cuda:sm_90a] [CASE ...]
"""
import argparse
import os
import shutil
import subprocess
import tempfile
import time

CASES = {
    "gpt2-124m": ["examples/gpt2/gpt2.tarn", "--shape", "B=12,T=1024"],
    "gpt2-124m-bf16": ["examples/gpt2/gpt2.tarn", "--shape", "B=12,T=1024", "--precision", "bf16"],
    "llama-96": ["examples/llama/llama.tarn", "--set", "layers=96", "--shape", "B=1,T=4096",
                 "--precision", "bf16"],
}


def compile_once(tarn, words, target, folder):
    begin, cpu = time.time(), os.times()
    ran = subprocess.run([tarn, "compile", f"{folder}/model.tarn", *words, "--target", target, "--budget", "none",
                          "-o", f"{folder}/step.art"], capture_output=True, text=True, check=False,
                         env={**os.environ, "TARN_CACHE": f"{folder}/cache"})
    wall, after = time.time() - begin, os.times()
    if ran.returncode:
        raise SystemExit(ran.stderr)
    cpu = (after.children_user - cpu.children_user) + (after.children_system - cpu.children_system)
    return f"{wall:6.1f} s, {cpu:6.1f} s of processors: {ran.stdout.splitlines()[1].strip()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tarn", default="build/bin/tarn")
    parser.add_argument("--target", default="cuda:sm_90a")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    chosen = parser.parse_args()
    for name in chosen.cases:
        model, *words = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(model, f"{folder}/model.tarn")
            for run in ("cold", "kernels", "whole"):
                if run == "kernels":
                    with open(f"{folder}/model.tarn", "a", encoding="utf-8") as file:
                        file.write("// Changed.\n")
                print(f"{name:16} {run:7}: {compile_once(chosen.tarn, words, chosen.target, folder)}", flush=True)


if __name__ == "__main__":
    main()
