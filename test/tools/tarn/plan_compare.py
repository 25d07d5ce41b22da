#!/usr/bin/env python3
"""Two plans compared: rows add up to the change of the peak; a stored plan is read
back whole; what is no plan is an error.

Usage: plan_compare.py EXAMPLES FOLDER
"""
import json
import os
import random
import subprocess
import sys

failures = []


def check(condition, what):
    if not condition:
        failures.append(str(what)[:2000])


def tarn(*words, code=0):
    ran = subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True, timeout=120,
                         check=False)
    check(code is None or ran.returncode == code,
          f"tarn {' '.join(map(str, words))}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def main(examples, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    model = [f"{examples}/gpt2/gpt2.tarn", "--set", "layers=2,heads=2,width=32,context=16,vocab=256"]
    plain = tarn("plan", *model, "--shape", "B=4,T=16", "--json").stdout
    a = json.loads(plain)
    with open("a.json", "w", encoding="utf-8") as file:
        file.write(plain)
    for name, words in {"least": ["--budget", a["least_bytes"]], "bf16": ["--precision", "bf16"],
                        "larger": []}.items():
        shape = "B=8,T=16" if name == "larger" else "B=4,T=16"
        b = json.loads(tarn("plan", *model, "--shape", shape, *words, "--json").stdout)
        said = json.loads(tarn("plan", *model, "--shape", shape, *words, "--compare", "a.json", "--json").stdout)
        rows = {(r["group"], r["name"]): r for r in said["rows"]}
        peak = rows["all", "peak"]
        check((peak["before"], peak["after"]) == (a["peak_bytes"], b["peak_bytes"]), f"{name}: {peak}")
        change = b["peak_bytes"] - a["peak_bytes"]
        check(change != 0, f"{name}: nothing changes")
        for group in ("role", "layer", "op", "line"):
            total = sum(r["difference"] for r in said["rows"] if r["group"] == group)
            check(total == change, f"{name}: {group} adds up to {total} of {change}")
        check(all(r["difference"] == r["after"] - r["before"] for r in said["rows"]), name)
        text = tarn("plan", *model, "--shape", shape, *words, "--compare", "a.json").stdout
        check(all(len(line) <= 80 for line in text.splitlines()) and "by role" in text, text)

    # A stored plan is a plan: read back, it says the same, byte for byte.
    check(tarn("plan", "a.json", "--json").stdout == plain, "a plan changes when it is read")
    live = tarn("plan", *model, "--shape", "B=4,T=16").stdout.splitlines()
    check(tarn("plan", "a.json").stdout.splitlines()[2:] == live[2:], "its text differs")
    same = json.loads(tarn("plan", "a.json", "--compare", "a.json", "--json").stdout)
    check(all(r["difference"] == 0 for r in same["rows"]), "a plan differs from itself")
    tarn("plan", "a.json", "--report", "a.html", "--assert", "peak<=1GiB", "-q")
    check(os.path.getsize("a.html") > len(plain), "a page of a stored plan")

    # What is none.
    for text in ("", "{}", "[]", '{"tarn_plan": 2}', '{"tarn_plan": 1}', plain[:-40], "\x00"):
        with open("wrong.json", "w", encoding="utf-8") as file:
            file.write(text)
        said = tarn("plan", "a.json", "--compare", "wrong.json", code=1).stderr
        check(said.count("error:") == 1 and "wrong.json" in said, f"{text[:20]}: {said}")
    tarn("plan", "a.json", "--compare", "none.json", code=1)
    # Damage never crashes: every kind of value in every place, sampled.
    rng = random.Random(7)
    values = ["null", "-1", "9223372036854775807", "1e300", '"x"', "[]", "{}", "true", "[[1]]"]
    places = [i for i, c in enumerate(plain) if c == ":" and plain[i - 1] == '"']
    for turn in range(60):
        at = rng.choice(places[:120] if turn % 2 else places) + 1
        end = at
        depth = 0
        while depth or plain[end] not in ",}]":
            depth += plain[end] in "[{"
            depth -= plain[end] in "]}"
            if plain[end] == '"':
                end = plain.index('"', end + 1)
            end += 1
        with open("damaged.json", "w", encoding="utf-8") as file:
            file.write(plain[:at] + rng.choice(values) + plain[end:])
        ran = tarn("plan", "damaged.json", "--compare", "a.json", "--report", "d.html", "--export-pytorch",
                   "d.pickle", "--export-perfetto", "d.trace", code=None)
        check(ran.returncode in (0, 1) and ran.stderr.count("error:") <= 1,
              f"damage at {plain[at - 20:at + 20]}: exit {ran.returncode} {ran.stderr}")
    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
