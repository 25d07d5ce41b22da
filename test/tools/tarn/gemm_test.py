"""Checks `--gemm`.

usage: gemm_test.py FOLDER MODEL PLAN_CHECKER
"""

import os
import re
import shutil
import subprocess
import sys

folder, model, checker = sys.argv[1:4]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.chdir(folder)
small = [model, "--set", "layers=1,width=32,heads=2,context=16,vocab=128", "--shape", "B=2,T=16"]


def tarn(*words):
    done = subprocess.run(["tarn", *words], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def expect(code, text, *words):
    got, said = tarn(*words)
    assert got == code and text in said, (words, got, said)
    return said


expect(2, "--gemm: cutlass not in {own,cublaslt}", "compile", *small, "--gemm", "cutlass", "-o", "x")
expect(1, "only CUDA targets have products by cublaslt", "compile", *small, "--target", "cpu",
       "--gemm", "cublaslt", "-o", "x")
# Rows of 6 and 130 elements: no leading dim is a multiple of 16 bytes.
said = expect(1, "cuBLASLt can run no product of this model; `k_", "compile", model, "--set",
              "layers=1,width=6,heads=2,context=7,vocab=133", "--shape", "B=1,T=7", "--target",
              "cuda:sm_90a", "--gemm", "cublaslt", "--emit", "cuda", "-o", "x")
assert "help: --gemm own" in said and "no multiple of 16 bytes" in said, said
expect(1, "cannot open", "compile", *small, "--target", "cuda:sm_90a", "--tune-file", "nowhere.json", "--emit", "cuda",
       "-o", "x")
print("wrong words: good")


def plan(budget):
    return tarn("compile", *small, "--target", "cuda:sm_80", "--gemm", "cublaslt", "--budget",
                str(budget), "--to", "plan", "-o", "plan.mlir")


code, said = plan(1)
least = int(re.search(r"smallest budget that it fits in is .* \((\d+) bytes\)", said).group(1))
assert code == 1 and least > 4 << 20, said
code, said = plan(least)
assert code == 0, said
with open("plan.mlir") as file:
    text = file.read()
taken = 0
for space in ("state", "arena", "input", "output", "constant"):
    # All functions share their memory.
    heads = re.findall(r"step.program .*", text)
    taken += max(int(bytes) for head in heads for bytes in re.findall(space + r"\((\d+)\)", head))
assert taken == least, (taken, least)
code, said = plan(least - 1)
assert code == 1 and "does not fit" in said, said
print("budget %d is met, one byte less is refused" % least)
