#!/usr/bin/env python3
"""The budget is a contract: met to the byte or refused with the smallest that
is; a larger one is never slower; what is computed again changes no bit.

Usage: budget_test.py EXAMPLES CHECKER FOLDER
"""
import json
import os
import subprocess
import sys

CASES = {
    "gpt2": ["gpt2", "layers=3,heads=2,width=32,context=16,vocab=256,warmup=4,total=60,"
                     "dropped=0.1", "B=4,T=16"],
    "gpt2-bf16": ["gpt2", "layers=2,heads=2,width=32,context=16,vocab=256,mode=bf16,warmup=4,"
                          "total=60", "B=4,T=16"],
    "gpt2-accumulating": ["gpt2", "layers=2,heads=2,width=32,context=16,vocab=256,"
                                  "accumulation=3,warmup=4,total=60", "B=4,T=16"],
    "llama": ["llama", "layers=3,heads=4,kv=2,width=32,hidden=48,context=16,vocab=256,"
                       "warmup=4,total=60", "B=4,T=16"],
}
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def tarn(*words, code=0):
    ran = subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True,
                         timeout=120, check=False)
    check(ran.returncode == code,
          f"tarn {' '.join(map(str, words))}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def allocated(manifest):
    """What the runtime asks for, all functions run."""
    functions = manifest["targets"][0]["functions"]
    most = lambda key: max(f.get(key, 0) for f in functions)
    return (manifest["state_bytes"] + manifest.get("constant_bytes", 0) + most("arena_bytes") +
            most("input_bytes") + most("output_bytes"))


def run_case(name, example, hyper, shape, examples, checker):
    model = [f"{examples}/{example}/{example}.tarn", "--set", hyper, "--shape", shape]
    plan = json.loads(tarn("plan", *model, "--json").stdout)
    rungs = {r["name"]: r for r in plan["rungs"]}
    check(plan["chosen"] == "keep-all" and plan["bound_bytes"] <= plan["least_bytes"], plan)
    keep = plan["other_bytes"] + rungs["keep-all"]["arena_bytes"]
    least = plan["least_bytes"]
    check(least < keep, f"{name}: {least} of {keep}")

    said = tarn("plan", *model, "--budget", least - 1, code=1).stderr
    check(said.count("error: ") == 1 and f"({least} bytes)" in said and
          f"{example}.tarn:" in said, said)

    before, hashes = None, set()
    for budget in (least, (least + keep) // 2, "none"):
        art = f"{name}-{budget}.art"
        tarn("compile", *model, "--budget", budget, "-o", art, "-q")
        manifest = json.loads(tarn("inspect", art, "--json").stdout)
        with open("manifest.json", "w", encoding="utf-8") as file:
            json.dump(manifest, file)
        checked = subprocess.run([sys.executable, checker, "manifest.json"], check=False,
                                 capture_output=True, text=True)
        check(checked.returncode == 0, f"{name} in {budget}: {checked.stderr}")
        bytes_ = allocated(manifest)
        check(budget == "none" or bytes_ <= budget, f"{name}: {bytes_} bytes in {budget}")
        if budget != "none":
            chosen = json.loads(tarn("plan", *model, "--budget", budget, "--json").stdout)
            seconds = {r["name"]: r["seconds"] for r in chosen["rungs"]}[chosen["chosen"]]
            check(before is None or seconds <= before, f"{name}: slower in {budget}")
            check(chosen["rungs"] == plan["rungs"], f"{name}: the ladder knows the budget")
            before = seconds
        out = tarn("train", art, "text", "--steps", 8, "--out", f"run-{art}", "--json").stdout
        hashes.add(json.loads(out)["hash"])
    check(len(hashes) == 1, f"{name}: the budget changes bits: {hashes}")


def main(examples, checker, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    with open("text", "w", encoding="utf-8") as file:
        file.write("".join(f"{i} sheep may safely graze\n" for i in range(2000)))
    for name, case in CASES.items():
        run_case(name, *case, examples, checker)

    model = [f"{examples}/gpt2/gpt2.tarn", "--shape", "B=2,T=8"]
    for words in ("0", "-1", "12 parsecs", "1e40GiB", "GiB"):
        said = tarn("plan", *model, "--budget=" + words, code=2).stderr
        check("--budget" in said, f"`{words}`: {said}")
    tarn("plan", code=2)

    if failures:
        print("\n\n".join(map(str, failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
