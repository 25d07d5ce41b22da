#!/usr/bin/env python3
"""Damaged configurations: bytes changed, cut and doubled at random. Each is a
model or one error; never a crash, never a hang.

Usage: hostile_test.py CONFIG FOLDER
"""
import os
import random
import subprocess
import sys


def damaged(data):
    data = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data))
        kind = random.randrange(5)
        if kind == 0:
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at:at + random.randrange(1, 40)]
        elif kind == 2:
            data[at:at] = data[at:at + random.randrange(1, 40)]
        elif kind == 3:
            del data[at:]
        else:
            data[at:at] = random.choice([b"9" * 30, b"-", b"1e308", b"null", b"[", b"{\"a\":"])
        if not data:
            return b"{"
    return bytes(data)


def main(config, folder):
    os.makedirs(folder, exist_ok=True)
    with open(config, "rb") as file:
        good = file.read()
    random.seed(5)
    path = os.path.join(folder, "config.json")
    failed = []
    refused = 0
    for i in range(120):
        with open(path, "wb") as file:
            file.write(damaged(good))
        ran = subprocess.run(["tarn", "check", path], capture_output=True, timeout=20, check=False)
        errors = ran.stderr.count(b"error: ")
        refused += ran.returncode == 1
        if ran.returncode not in (0, 1) or errors != ran.returncode or \
                (errors and b"config.json:" not in ran.stderr):
            with open(path, "rb") as file:
                failed.append(f"{i}: exit {ran.returncode}\n{ran.stderr}\n{file.read()}")
    print("\n".join(failed) or f"{refused} refused")
    return 1 if failed or refused < 50 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
