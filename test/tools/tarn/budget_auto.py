#!/usr/bin/env python3
"""`--budget auto`, the default: the limit is what is free.

Usage: budget_auto.py EXAMPLES FOLDER
"""
import json
import os
import subprocess
import sys

failures = []


def check(condition, what):
    if not condition:
        failures.append(str(what)[:2000])


def tarn(*words, free=None, code=0):
    environment = dict(os.environ)
    if free is not None:
        environment["TARN_FREE_MEMORY"] = str(free)
    ran = subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True, timeout=120,
                         check=False, env=environment, errors="replace")
    check(ran.returncode == code and ran.stderr.count("error:") == (code != 0),
          f"{free} tarn {' '.join(map(str, words))}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def content(path):
    with open(path, "rb") as file:
        return file.read()


def main(examples, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    os.environ["TARN_CACHE"] = os.path.join(folder, "cache")
    with open("text", "w", encoding="utf-8") as file:
        file.write("".join(f"{i} sheep may safely graze\n" for i in range(2000)))
    model = [f"{examples}/gpt2/gpt2.tarn", "--set",
             "layers=3,heads=2,width=32,context=16,vocab=256,warmup=4,total=60", "--shape", "B=4,T=16"]
    plan = json.loads(tarn("plan", *model, "--json", free=2**33).stdout)
    check((plan["budget_bytes"], plan["budget_from"]) == (2**33, "free memory"), plan["budget_bytes"])
    keep, least = plan["peak_bytes"], plan["least_bytes"]
    check(least < keep, plan["rungs"])

    # What fits is the same artifact on every machine.
    tarn("compile", *model, "--budget", "none", "-o", "none.art", "-q", free=1)
    for name, free in (("ample", 2**40), ("just", keep)):
        ran = tarn("compile", *model, "--no-cache", "-o", f"{name}.art", "-q", free=free)
        check(not ran.stderr and content(f"{name}.art") == content("none.art"), f"{name}: {ran.stderr}")
    # What does not is planned, and says so.
    for name, words in (("silent", []), ("said", ["--budget", "auto"])):
        ran = tarn("compile", *model, *words, "-o", f"{name}.art", "-q", free=keep - 1)
        check("note: a step that keeps everything takes" in ran.stderr, ran.stderr)
    check(content("silent.art") == content("said.art"), "auto is not the default")
    # Host memory is the same memory: only a budget that is given leaves it out.
    alone = ["--host-memory", 0]
    tarn("compile", *model, *alone, "-o", "alone.art", "-q", free=keep - 1)
    tarn("compile", *model, *alone, "--budget", keep - 1, "-o", "given.art", "-q")
    check(content("alone.art") == content("given.art"), "auto is not the budget")
    tarn("compile", *model, "-o", "least.art", "-q", free=least)
    said = tarn("compile", *model, "-o", "none.art", "-q", free=least - 1, code=1).stderr
    check(f"does not fit in" in said and f"({least} bytes)" in said and "gpt2.tarn:" in said, said)
    said = tarn("compile", *model, "--policy", "keep-all", "-o", "x.art", "-q", free=keep - 1, code=1).stderr
    check("of memory are free" in said and "--policy auto" in said, said)
    said = tarn("compile", *model, "--policy", "keep-all", "--budget", keep - 1, "-o", "x.art", "-q", code=1).stderr
    check(f"({keep} bytes), the budget is" in said and "--policy auto" in said, said)
    check(not os.path.exists("x.art"), "an artifact after an error")

    # The same for what is compiled on the way, through the cache and past it.
    hashes, steps = set(), ["text", "--steps", 6, "--threads", 2, "--json"]
    for name, free in (("a", 2**40), ("b", least), ("c", 2**40), ("d", least)):
        ran = tarn("train", *model[:1], *steps, *model[1:], "--out", name, free=free)
        check(("note:" in ran.stderr) == (free == least), f"{name}: {ran.stderr}")
        hashes.add(json.loads(ran.stdout)["hash"])
    check(len(hashes) == 1, f"the free memory changes bits: {hashes}")
    tarn("train", *model[:1], *steps, *model[1:], "--out", "e", free=least - 1, code=1)

    # An artifact takes what it takes.
    said = tarn("train", "ample.art", *steps, "--out", "f", free=keep - 1, code=1).stderr
    check("`ample.art` takes" in said and "are free" in said and "--budget none" in said, said)
    tarn("train", "ample.art", *steps, "--budget", "none", "--out", "f", free=keep - 1)
    tarn("train", "least.art", *steps, "--out", "g", free=least)
    said = tarn("bench", "ample.art", "--steps", 1, "--budget", keep - 1, code=1).stderr
    check(f"`ample.art` takes" in said and f"({keep} bytes)" in said and "compile the model again" in said, said)
    said = tarn("train", "--resume", "f", "--steps", 8, "--budget", "1MB", code=1).stderr
    check("f/model.art` takes" in said, said)
    tarn("run", "--sample", "f", "ample.art", "--tokens", 3, free=1)
    shown = tarn("train", "least.art", "text", "--steps", 2, "--out", "h", "--no-progress", free=least).stdout
    check(" memory " in shown and " free" in shown, shown)

    # Nothing to choose: an evaluation takes what it takes.
    with open("eval.tarn", "w", encoding="utf-8") as file:
        file.write("use nn (Linear)\nmodule M(width = 32) {\n  a = Linear(width, width)\n"
                   "  fn (x: [B, width]) { a(x) }\n}\nmodel net = M() named \"net\"\n"
                   "eval go(x: [B = 4, 32]) { loss = mean(net(x)) }\n")
    tarn("compile", "eval.tarn", "-o", "eval.art", "-q")
    for words, free in ((["--budget", "1KiB"], None), ([], 1024)):
        said = tarn("compile", "eval.tarn", *words, "-o", "eval.art", "-q", free=free, code=1).stderr
        check("this plan takes" in said, said)
    said = tarn("compile", *model, "--budget", "300TiB", "-o", "x.art", code=1).stderr
    check("more than any machine has: 256 TiB" in said, said)
    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
