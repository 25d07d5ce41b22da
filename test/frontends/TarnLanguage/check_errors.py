#!/usr/bin/env python3
"""Runs `tarn check` on every case of a file and compares what it prints.

Usage: check_errors.py CASES FOLDER [--record] [--name FILE]

A case is `### NAME [OPTIONS]`, the model's text, `---`, and the exact output.
The text is checked as bad.tarn, or under the name that is given.
--record writes what is printed now into the file, to be read by a person.
"""
import os
import shlex
import subprocess
import sys


def cases(text):
    for part in text.split("### ")[1:]:
        head, _, rest = part.partition("\n")
        model, _, wanted = rest.partition("---\n")
        name, *options = shlex.split(head)
        yield name, options, model, wanted


def main(path, folder, record, model_name):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    written, failed, count = [], [], 0
    for name, options, model, wanted in cases(open(path, encoding="utf-8").read()):
        count += 1
        with open(model_name, "w", encoding="utf-8") as file:
            file.write(model)
        ran = subprocess.run(["tarn", "check", model_name, *options], text=True,
                             capture_output=True, timeout=20, check=False)
        if ran.returncode != 1:
            failed.append(f"{name}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
        elif ran.stderr.strip() != wanted.strip():
            failed.append(f"{name}: expected\n{wanted}found\n{ran.stderr}")
        head = " ".join([name, *(shlex.quote(o) for o in options)])
        written.append(f"### {head}\n{model}---\n{ran.stderr.rstrip()}\n\n")
    if record:
        open(path, "w", encoding="utf-8").write("".join(written))
        return 0
    print("\n".join(failed) or f"{count} cases")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    NAME = sys.argv[sys.argv.index("--name") + 1] if "--name" in sys.argv else "bad.tarn"
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2], "--record" in sys.argv, NAME))
