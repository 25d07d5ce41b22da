#!/usr/bin/env python3
"""Bad input of `tarn plan`: one clear error each, with the exit code of its kind.

Usage: plan_wrong.py EXAMPLES FOLDER
"""
import json
import os
import subprocess
import sys

# Words of the command line, exit code, what the one error says.
CASES = [
    (["--budget=0"], 2, "--budget: needs bytes"),
    (["--budget", ""], 2, "--budget: needs bytes"),
    (["--budget=-3GiB"], 2, "--budget: needs bytes"),
    (["--budget=3.5"], 2, "got `3.5`"),
    (["--budget=0.1B"], 2, "got `0.1B`"),
    (["--budget=12 parsecs"], 2, "got `12 parsecs`"),
    (["--budget=22Gib"], 2, "got `22Gib`"),
    (["--budget=99999999999999999999"], 2, "--budget: needs bytes"),
    (["--budget=8EiB"], 2, "--budget: needs bytes"),
    (["--budget=300TiB"], 1, "more than any machine has: 256 TiB"),
    (["--target=h100", "--budget=90GiB"], 1, "more than `h100` has: 79.6 GiB"),
    (["--target=h101"], 1, "unknown device `h101`; known are a100"),
    (["--target=cpu:arm64"], 1, "unknown instruction set `arm64`"),
    (["--target=cuda:sm_90a"], 1, "is the target of several devices: h100 and h200"),
    (["--target=h100,a100"], 2, "a plan is for one target, not 2"),
    (["--target=./none.json"], 1, "cannot open `./none.json`"),
    (["--shape=B=4,T=16,Q=3"], 1, "`Q`"),
    (["--shape=B=9223372036854775807"], 2, "`B` is too large"),
    (["--shape=B=140737488355328,T=16"], 1, "more than 2^44 elements"),
    (["--times=none.json"], 1, "cannot open `none.json`"),
    (["--times=empty.json"], 1, "this is no file of kernel times"),
    (["--times=other.json"], 1, "the times are of another model"),
    (["--times=other.json", "--target=cpu:x86-64-v3"], 1, "the times were measured with target"),
    (["--times=other.json", "--target=h100"], 1, "the times were measured with device `cpu`"),
    (["--assert=peak"], 2, "a condition compares"),
    (["--assert=size<=3GiB"], 2, "no figure is called `size`"),
    (["--assert=peak=<3GiB"], 2, "`=<` is no comparison"),
    (["--assert=peak<=3 apples"], 2, "`3 apples` is no number of bytes"),
    (["--assert=time<=3GiB"], 2, "`3GiB` is no time"),
    (["--assert=peak<=1KiB"], 1, "assertion failed: peak<=1KiB, but peak is"),
    (["--assert=time<=1us"], 1, "assertion failed: time<=1us, but time is"),
    (["--precision=fp8"], 2, "--precision"),
    (["--report=none/out.html"], 1, "cannot write `none/out.html`: No such file"),
    (["--report=."], 1, "cannot write `.`: Is a directory"),
    (["--export-pytorch=none/s.pickle"], 1, "cannot write `none/s.pickle`"),
    (["--export-perfetto=empty.json/t.json"], 1, "cannot write `empty.json/t.json`"),
]
failures = []


def check(condition, what):
    if not condition:
        failures.append(str(what)[:2000])


def tarn(*words):
    return subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False)


def main(examples, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    hyper = "layers=1,heads=2,width=32,context=16,vocab=256,warmup=4,total=60"
    model = [f"{examples}/gpt2/gpt2.tarn", "--set", hyper]
    # What is asked for here does not depend on the search, which takes its time.
    keep = ["--policy", "keep-all"]
    with open("empty.json", "w", encoding="utf-8") as file:
        file.write("{}")
    ran = tarn("bench", f"{examples}/llama/llama.tarn", "--set",
               "layers=1,heads=2,kv=1,width=16,hidden=24,context=8,vocab=32", "--shape", "B=2,T=8",
               "--steps", 1, "--threads", 2, "--times", "other.json", "-q")
    check(ran.returncode == 0, ran)
    with open("other.json", encoding="utf-8") as file:
        measured = json.load(file)
    for words, code, says in CASES:
        if says.startswith("the times were measured with target") and measured["target"] == words[-1][9:]:
            continue
        shape = [] if any(w.startswith("--shape") for w in words) else ["--shape", "B=4,T=16"]
        ran = tarn("plan", *model, *keep, *shape, *words, "-q")
        check(ran.returncode == code and ran.stderr.count("error:") == 1 and says in ran.stderr and
              not ran.stdout, f"{words}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")

    # Whole numbers beyond what a model counts with, and lists that count down.
    for layers, says in (("99999999999999999999", "from one whole number to another"),
                         ("-3", "this range ends before it starts: 0..-3")):
        ran = tarn("plan", model[0], "--set", f"layers={layers}", "-q")
        check(ran.returncode == 1 and says in ran.stderr, ran)

    # Times of the model itself are used, and said.
    own = [*model, "--shape", "B=4,T=16"]
    ran = tarn("bench", *own, "--steps", 2, "--threads", 2, "--times", "own.json", "-q")
    check(ran.returncode == 0, ran)
    report = json.loads(tarn("plan", *own, *keep, "--times", "own.json", "--json").stdout)
    count = len(json.load(open("own.json", encoding="utf-8"))["kernels"])
    check(report["times"] == f"measured, {count} of {count} kernels", report["times"])
    check(json.loads(tarn("plan", *own, "--json").stdout)["times"] == "roofline", "roofline")

    # Conditions that hold say nothing.
    ran = tarn("plan", *own, *keep, "--assert", "peak<=1GiB", "--assert", "logits > 0", "--assert",
               "time<1min", "-q")
    check((ran.returncode, ran.stdout, ran.stderr) == (0, "", ""), ran)
    peak = report["peak_bytes"]
    check(tarn("plan", *own, *keep, "--assert", f"peak=={peak}", "-q").returncode == 0, "peak==")
    check(tarn("plan", *own, *keep, "--assert", f"peak<{peak}", "-q").returncode == 1, "peak<")

    # Every device plans; its memory less the driver's is the budget.
    for device in ("h100", "h200", "a100", "b200", "rtx4090", "mi300x"):
        report = json.loads(tarn("plan", *own, *keep, "--target", device, "--json").stdout)
        card = report["device"]
        check(card["name"] == device and card["driver_source"] and card["memory_source"], card)
        check(report["budget_bytes"] == card["memory_bytes"] - card["driver_bytes"] and
              report["budget_from"] == "device", report["budget_bytes"])
    text = tarn("plan", *own, "--target", "h100").stdout
    check("FITS      in 78.7 GiB" in text and "driver" in text and "(estimate)" in text, text)
    # A policy is planned as it is; without a train function there is still a plan.
    peaks = {}
    for policy in ("keep-all", "sqrt", "offload-all"):
        report = json.loads(tarn("plan", *own, "--policy", policy, "--json").stdout)
        peaks[policy] = report["peak_bytes"]
        check((report["host"]["bytes"] > 0) == (policy == "offload-all") and not report["rungs"], policy)
    check(peaks["offload-all"] < peaks["keep-all"], peaks)
    ran = tarn("plan", *own, "--policy", "keep-all", "--budget", peaks["keep-all"] - 1, "-q")
    check(ran.returncode == 1 and ran.stderr.count("error:") == 1 and "--policy auto" in ran.stderr, ran)
    check(tarn("plan", *own, "--policy", "keep-all", "--budget", peaks["keep-all"], "-q").returncode == 0, "fits")
    with open("eval.tarn", "w", encoding="utf-8") as file:
        file.write("use nn (Linear)\nmodule M(width = 32) {\n  a = Linear(width, width)\n"
                   "  fn (x: [B, width]) { a(x) }\n}\nmodel net = M() named \"net\"\n"
                   "eval go(x: [B = 4, 32]) { loss = mean(net(x)) }\n")
    report = json.loads(tarn("plan", "eval.tarn", "--json").stdout)
    check([f["kind"] for f in report["functions"]] == ["init", "eval"] and report["fits"], report["functions"])
    ran = tarn("plan", "eval.tarn", "--budget", "1KiB", "-q")
    check(ran.returncode == 1 and ran.stderr.count("error:") == 1 and "the budget is 1.00 KiB" in ran.stderr, ran)

    # Nothing said: bf16 on a GPU, and the report says so.
    silent = open(f"{examples}/gpt2/gpt2.tarn", encoding="utf-8").read().replace("  precision = mode\n", "")
    with open("silent.tarn", "w", encoding="utf-8") as file:
        file.write(silent.replace('param mode = "fp32"\n', ""))
    for target, precision in (("h100", "bf16"), ("cpu", "fp32")):
        report = json.loads(tarn("plan", "silent.tarn", *own[1:], *keep, "--target", target, "--json").stdout)
        check(report["precision"] == precision and report["precision_is_default"], report["precision"])
        check(any("says no precision" in n for n in report["notes"]) == (target == "h100"), report["notes"])
    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
