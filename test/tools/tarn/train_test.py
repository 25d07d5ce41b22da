#!/usr/bin/env python3
"""The command line end to end, on a tiny GPT: runs, resumes, kills, damage.

Usage: train_test.py EXAMPLES FOLDER [KILLS]
"""
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

SET = "layers=1,heads=2,width=16,context=8,vocab=256,warmup=4,total=60,dropped=0.1"
failures = []


def tarn(*words, code=0, **more):
    ran = subprocess.run(["tarn", *words], encoding="latin-1", capture_output=True,
                         timeout=120, check=False, **more)
    if ran.returncode != code:
        failures.append(f"tarn {' '.join(words)}\nexit {ran.returncode}, not {code}\n"
                        f"{ran.stdout}{ran.stderr}")
    return ran


def check(condition, what):
    if not condition:
        failures.append(what)


def train(*words):
    ran = tarn("train", *words, "--json")
    return json.loads(ran.stdout)["hash"] if ran.returncode == 0 else None


def fails(words, message):
    """Exit 1, one error, the words in it."""
    ran = tarn(*words, code=1)
    check(ran.stderr.count("error: ") == 1 and message in ran.stderr,
          f"tarn {' '.join(words)}: wanted `{message}`, got\n{ran.stderr}")


def corrupt(path, at, target):
    data = bytearray(open(path, "rb").read())
    data[at % len(data)] ^= 0x40
    open(target, "wb").write(data)


def main(examples, folder, kills):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    random.seed(7)
    with open("text", "w", encoding="utf-8") as file:
        for i in range(4000):
            file.write(f"{i} sheep may safely graze\n")
    tarn("compile", f"{examples}/gpt2/gpt2.tarn", "--set", SET, "--shape",
         "B=2,T=8", "-o", "m.art")
    base = ["m.art", "text", "--eval-every", "20", "--save-every", "7"]

    # Uninterrupted = resumed = any number of threads.
    whole = train(*base, "--steps", "60", "--out", "a")
    train(*base, "--steps", "25", "--out", "b")
    check(train("--resume", "b", "--steps", "60") == whole, "resumed is not uninterrupted")
    check(train(*base, "--steps", "60", "--out", "c", "--threads", "3") == whole,
          "threads change bits")
    check(train(*base, "--steps", "60", "--out", "d", "--seed", "1") != whole,
          "the seed changes nothing")

    # Kills at random points: what is there is loadable, and ends the same.
    for i in range(kills):
        shutil.rmtree("k", ignore_errors=True)
        process = subprocess.Popen(["tarn", "train", *base, "--steps", "60", "--out", "k", "-q"])
        time.sleep(random.uniform(0.01, 0.25))
        process.kill()
        process.wait()
        saved = glob.glob("k/*/state.safetensors")
        if saved and os.path.exists("k/settings.json"):
            check(train("--resume", "k", "--steps", "60") == whole, f"kill {i} changes the end")
    # Ctrl-C finishes the step, saves, and says how to go on.
    process = subprocess.Popen(["tarn", "train", *base, "--steps", "1000000", "--out", "i"],
                               stdout=subprocess.PIPE, text=True)
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    check(process.returncode == 0 and "resume: tarn train --resume i" in out,
          f"Ctrl-C: exit {process.returncode}\n{out}")

    # Damage, wrong files, places that cannot be written.
    size = os.path.getsize("m.art")
    for at in [0, 9, 40, 70, 500, size // 2, size - 1]:
        corrupt("m.art", at, "bad.art")
        ran = tarn("inspect", "bad.art", code=1)
        check("error: " in ran.stderr, f"byte {at}: {ran.stderr}")
    saved = "a/60/state.safetensors"
    size = os.path.getsize(saved)
    shutil.copytree("a", "x")
    for at in [3, 20, 300, size // 2, size - 1]:
        corrupt(saved, at, "x/60/state.safetensors")
        tarn("run", "--sample", "x", code=1)
    tarn("compile", f"{examples}/gpt2/gpt2.tarn", "--set", SET.replace("width=16", "width=32"),
         "--shape", "B=2,T=8", "-o", "w.art")
    shutil.copy("w.art", "x/model.art")
    shutil.copy(saved, "x/60/state.safetensors")
    fails(["run", "--sample", "x"], "transformer.")
    fails(["train", "none.art", "text"], "cannot read `none.art`: No such file")
    fails(["train", "m.art", "none.txt"], "none.txt")
    fails(["train", *base, "--steps", "9", "--out", "a"], "a")
    fails(["train", *base, "--steps", "9", "--out", "/proc/none"], "/proc/none")
    fails(["compile", f"{examples}/gpt2/gpt2.tarn", "-o", "/proc/none.art", "--set", SET,
           "--shape", "B=2,T=8"], "cannot write")
    fails(["train", f"{examples}/gpt2/gpt2.tarn", "text", "--set", SET.replace("256", "64"),
           "--shape", "B=2,T=8", "--out", "v"], "64")
    fails(["compile", f"{examples}/gpt2/gpt2.tarn", "--target", "cpu:pentium", "-o", "p.art"],
          "unknown instruction set `pentium`")

    # A step that is not finite: the op, its line, the state as it was.
    ran = tarn("train", f"{examples}/gpt2/gpt2.tarn", "text", "--set",
               SET + ",rate=1e30", "--shape", "B=2,T=8", "--steps", "30", "--out", "n",
               code=1)
    check("first value that is not finite" in ran.stderr and "gpt2.tarn:" in ran.stderr
          and "was not updated" in ran.stderr, ran.stderr)

    # Sampling goes on from the prompt, and is a function of the seed.
    one = tarn("run", "--sample", "a", "--prompt", "12 sheep", "--tokens", "40").stdout
    two = tarn("run", "--sample", "a", "--prompt", "12 sheep", "--tokens", "40").stdout
    check(one == two and one.startswith("12 sheep") and len(one) >= 40, one)

    if failures:
        print("\n\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 8))
