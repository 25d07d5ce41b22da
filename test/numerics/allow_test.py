#!/usr/bin/env python3
"""Training between the smallest exact budget and the smallest with rounding
allowed: refused with the offer, met with it; the losses agree to rounding, and
are the same each time.

Usage: allow_test.py EXAMPLES CHECKER FOLDER
"""
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools/tarn"))
from budget_test import allocated, check, failures, tarn

HYPER = "heads=2,width=32,context=32,warmup=4,total=60"
# What is large: the logits, or what the layers keep.
CHUNKED = ["layers=1,vocab=1024", "B=8,T=32"]
NARROW = ["layers=4,vocab=128", "B=8,T=32"]


def train(artifact, data, folder):
    """Loss and norm of each step, and a hash of what was learned."""
    tarn("train", artifact, data, "--steps", 6, "--log-every", 1, "--eval-every", 6, "--seed", 5,
         "--out", folder, "--no-progress")
    with open(f"{folder}/log.jsonl", encoding="utf-8") as log:
        rows = [json.loads(line) for line in log]
    with open(f"{folder}/6/state.safetensors", "rb") as state:
        learned = hashlib.sha256(state.read()).hexdigest()
    return [(row["loss"], row["gradient_norm"]) for row in rows if "gradient_norm" in row], learned


@functools.cache
def least_of(model, *words):
    """The smallest budget that is met, by the refusal of one byte."""
    said = tarn("compile", *model, "--budget", 1, *words, "-o", "never.art", code=1).stderr
    found = re.search(r"it fits in is .*\((\d+) bytes\)", said)
    check(found and said.count("error: ") == 1, said)
    return int(found.group(1))


def compiled(model, checker, budget, out, *words, exactly=True):
    """Compiles at the budget; the artifact asks for exactly those bytes, or for no more."""
    tarn("compile", *model, "--budget", budget, *words, "-o", out)
    manifest = json.loads(tarn("inspect", out, "--json").stdout)
    if budget != "none":
        asked = allocated(manifest)
        check(asked == budget if exactly else asked <= budget, f"{asked} of {budget}")
    with open(out + ".json", "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    ran = subprocess.run([sys.executable, checker, out + ".json"], capture_output=True, text=True,
                         check=False)
    check(ran.returncode == 0, ran.stdout + ran.stderr)
    return manifest


def close(ours, theirs, tolerance):
    check(len(ours) == len(theirs) and ours, f"{ours} {theirs}")
    for x, y in zip(ours, theirs):
        check(all(abs(a - b) <= tolerance * (1 + abs(b)) for a, b in zip(x, y)), f"{x} {y}")


def model_of(examples, case):
    layers, shape = case
    return (f"{examples}/gpt2/gpt2.tarn", "--set", f"{HYPER},{layers}", "--shape", shape)


def chunked(examples, checker, data):
    model = model_of(examples, CHUNKED)
    least = least_of(model)
    said = tarn("compile", *model, "--budget", least - 1, "-o", "never.art", code=1).stderr
    offer = re.search(r"help: --allow rounding would fit: .*\((\d+) bytes\), loss in \d+ chunks",
                      said)
    check(offer, said)
    if not offer:
        return
    budget = int(offer.group(1))
    check(budget < least, f"{budget} of {least}")
    text = tarn("plan", *model, "--budget", budget, "--allow", "rounding").stdout
    check(re.search(r"\n numerics +rounding: loss in \d+ chunks, logits -", text), text)
    check(max(map(len, text.splitlines())) <= 80, text)
    check("saved in bf16" not in text, text)
    manifest = compiled(model, checker, budget, "chunked.art", "--allow", "rounding", exactly=False)
    compiled(model, checker, "none", "exact.art")
    # All chunks run in the same kernels.
    step = next(f for f in manifest["targets"][0]["functions"] if f["name"] == "step")
    launches = [op["kernel"] for op in step["program"] if op["op"] == "launch"]
    check(len(set(launches)) < len(launches), launches)

    losses, learned = train("chunked.art", data, "run-c")
    check(train("chunked.art", data, "run-d") == (losses, learned), "not the same bits again")
    straight, other = train("exact.art", data, "run-e")
    close(losses, straight, 2e-6)
    check(learned != other, "nothing was chunked")

    # The smallest of all takes more than chunks: what waits is rounded as well.
    least = least_of(model, "--allow", "rounding")
    check(least < budget, f"{least} of {budget}")
    compiled(model, checker, least, "least.art", "--allow", "rounding")
    losses, learned = train("least.art", data, "run-l")
    check(train("least.art", data, "run-m") == (losses, learned), "not the same bits again")
    close([losses[0][:1]], [straight[0][:1]], 2e-6)
    close(losses, straight, 4e-3)


def narrowed(examples, checker, data):
    model = model_of(examples, NARROW)
    tarn("compile", *model, "--to", "precision", "-o", "full.mlir")
    ran = subprocess.run(["tarn-opt", "full.mlir", "-o", "narrow.mlir",
                          "--pass-pipeline=builtin.module(func.func(tarn-narrow-saved))"],
                         capture_output=True, text=True, check=False)
    check(ran.returncode == 0, ran.stderr)
    arenas = {}
    for name in ("full", "narrow"):
        manifest = compiled([f"{name}.mlir", "--from", "layout"], checker, "none", name + ".art")
        arenas[name] = max(f.get("arena_bytes", 0) for f in manifest["targets"][0]["functions"])
    check(arenas["narrow"] < 0.9 * arenas["full"], arenas)
    losses, learned = train("narrow.art", data, "run-n")
    straight, other = train("full.art", data, "run-f")
    # The forward pass reads no short value: gradients are rounded, losses follow.
    close([losses[0][:1]], [straight[0][:1]], 2e-6)
    close(losses, straight, 4e-3)
    check(learned != other, "nothing was narrowed")


def monotone(examples):
    model = model_of(examples, CHUNKED)
    least = least_of(model, "--allow", "rounding")
    exact = least_of(model)
    plans = [json.loads(tarn("plan", *model, "--budget", budget, "--allow", "rounding",
                             "--json").stdout)
             for budget in (least, (least + exact) // 2, exact, 2 * exact, 4 * exact)]
    seconds = [plan["seconds"] for plan in plans]
    check(seconds == sorted(seconds, reverse=True), seconds)
    # Neither is allowing more.
    most = json.loads(tarn("plan", *model, "--budget", 4 * exact, "--json").stdout)
    check(most["numerics"] == [] and seconds[-1] <= most["seconds"], seconds)
    tarn("compile", *model, "--budget", least - 1, "--allow", "rounding", "-o", "never.art", code=1)


def main():
    examples, checker, folder = map(os.path.abspath, sys.argv[1:4])
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chdir(folder)
    os.environ["TARN_CACHE"] = f"{folder}/cache"
    with open("data.txt", "w", encoding="utf-8") as data:
        data.write("".join(chr(32 + (7 * i * i + i // 3) % 90) for i in range(6000)))
    chunked(examples, checker, "data.txt")
    narrowed(examples, checker, "data.txt")
    monotone(examples)


main()
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(bool(failures))
