#!/usr/bin/env python3
"""Runs the console block of a README in a folder and compares the output.

Usage: run_example.py README FOLDER

Sizes, times, rates and losses vary with machine and level: numbers with a
fraction or a unit become N on both sides, everything else must be equal.
"""
import os
import re
import subprocess
import sys


def normal(line):
    line = re.sub(r"x86-64-v[34](\+bf16)?", "ISA", line)
    line = re.sub(r"\b\d+ threads", "N threads", line)
    line = re.sub(r"\d[\d,]* tokens", "N tokens", line)
    line = re.sub(r"\d+(\.\d+)?(e-?\d+)?(k|M)? ?(tok/s|s\b|ms\b|[KMG]iB|B\b)", "N", line)
    line = re.sub(r"\d+\.\d+(e-?\d+)?", "N", line)
    return re.sub(r"\s+", " ", line).strip()


def main(readme, folder):
    text = open(readme, encoding="utf-8").read()
    block = re.search(r"```console\n(.*?)```", text, re.S).group(1)
    root = os.path.dirname(os.path.abspath(readme))
    for name in ("examples", "README.md"):
        os.symlink(os.path.join(root, name), os.path.join(folder, name))
    commands = re.split(r"^\$ ", block, flags=re.M)[1:]
    assert commands, "the README has no example"
    failed = False
    for command in commands:
        line, _, wanted = command.partition("\n")
        ran = subprocess.run(line, shell=True, cwd=folder, text=True,
                             capture_output=True, timeout=120, check=False)
        got = [normal(x) for x in ran.stdout.splitlines() if normal(x)]
        want = [normal(x) for x in wanted.splitlines() if normal(x)]
        # Which phases take long enough to be shown is the machine's business.
        got, want = ([x for x in lines if not re.match(r"(\w+ N ?)+$", x)]
                     for lines in (got, want))
        if ran.returncode != 0 or got != want:
            failed = True
            print(f"$ {line}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
            print("expected", want, "\nfound   ", got)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
