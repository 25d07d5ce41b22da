#!/usr/bin/env python3
"""Every `tarn` block of a page is a model.

Usage: page_test.py PAGE FOLDER
"""
import os
import re
import subprocess
import sys


def main(page, folder):
    os.makedirs(folder, exist_ok=True)
    text = open(page, encoding="utf-8").read()
    blocks = re.findall(r"^```tarn\n(.*?)^```", text, re.S | re.M)
    failed = not blocks
    for number, block in enumerate(blocks):
        path = os.path.join(folder, f"block{number}.tarn")
        with open(path, "w", encoding="utf-8") as file:
            file.write(block)
        out = os.path.join(folder, "block.art")
        for words in (["check", path], ["compile", path, "-o", out, "-q"]):
            ran = subprocess.run(["tarn", *words], capture_output=True, text=True,
                                 timeout=60, check=False)
            if ran.returncode:
                print(ran.stdout + ran.stderr)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
