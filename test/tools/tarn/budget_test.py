#!/usr/bin/env python3
"""The budget is a contract: met to the byte or refused with the smallest that
is; a larger one is never slower; what is computed again, in launches of its own
or in the prologues of its readers, or waits in host memory changes no bit; without
host memory the contract is the same.

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
                         timeout=400, check=False)
    check(ran.returncode == code,
          f"tarn {' '.join(map(str, words))}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def allocated(manifest):
    """What the runtime asks for, all functions run."""
    functions = manifest["targets"][0]["functions"]
    most = lambda key: max(f.get(key, 0) for f in functions)
    return (manifest["state_bytes"] + manifest.get("constant_bytes", 0) + most("arena_bytes") +
            most("input_bytes") + most("output_bytes"))


def check_prologues(name, rung, plan):
    """The kernels that make inputs themselves are named, with what they make.
    How many there are."""
    said = rung.get("prologues", 0)
    steps = [s for f in plan["functions"] for s in f["steps"] if "prologue" in s]
    check(len(steps) == said, f"{name}: {len(steps)} of {said} prologues are named")
    for step in steps:
        check(all(made["op"] and made["place"] and made["bytes"] > 0
                  for made in step["prologue"]), step)
    # A value that lies in memory at other times says who makes it, too; some of
    # them never lie there.
    why = "recomputed in the prologue of "
    told = [t["why"].split(why)[1].split("; ")[0].split(", ")
            for f in plan["functions"] for t in f["tensors"] if why in t.get("why", "")]
    kernels = {step["kernel"] for step in steps}
    check(bool(told) == bool(said) and all(set(names) <= kernels and len(set(names)) == len(names)
                       for names in told), f"{name}: {told} of {kernels}")
    return said


def hosted(manifest):
    """Pinned host memory that the runtime asks for."""
    return max(f.get("host_bytes", 0) for f in manifest["targets"][0]["functions"])


def run_case(name, host, example, hyper, shape, examples, checker):
    """`host`: pinned host memory that plans may take, or None."""
    model = [f"{examples}/{example}/{example}.tarn", "--set", hyper, "--shape", shape]
    if host is not None:
        model += ["--host-memory", str(host)]
        name = f"{name}-host-{host}"
    plan = json.loads(tarn("plan", *model, "--budget", "none", "--json").stdout)
    rungs = {r["name"]: r for r in plan["rungs"]}
    check(rungs[plan["chosen"]]["seconds"] <= rungs["keep-all"]["seconds"] and
          plan["bound_bytes"] <= plan["least_bytes"], plan)
    keep = plan["other_bytes"] + rungs["keep-all"]["arena_bytes"]
    least = plan["least_bytes"]
    check(least < keep, f"{name}: {least} of {keep}")

    said = tarn("plan", *model, "--budget", least - 1, code=1).stderr if host is None else ""
    check(host is not None or said.count("error: ") == 1 and f"({least} bytes)" in said and
          f"{example}.tarn:" in said, said)

    # In the middle a plan that does both, if there is one; with little host memory
    # one that uses it.
    mixed = [plan["other_bytes"] + r["arena_bytes"] for r in rungs.values()
             if (r["repeats"] or host) and r["offloaded_bytes"] and r["seconds"] == min(
                 o["seconds"] for o in rungs.values() if o["arena_bytes"] <= r["arena_bytes"])]
    middle = max((b for b in mixed if least < b < keep), default=(least + keep) // 2)
    if host: # with little of it, the smallest that parks anything and makes something again
        middle = min((r["repeats"] == 0, plan["other_bytes"] + r["arena_bytes"])
                     for r in rungs.values() if r["offloaded_bytes"])[1]

    before, hashes, parked, both, prologues = None, set(), False, False, 0
    for budget in (least, middle, "none") if host is None else (middle,):
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
            rung = {r["name"]: r for r in chosen["rungs"]}[chosen["chosen"]]
            seconds = rung["seconds"]
            # Predicted and allocated, in both spaces.
            check(bytes_ == rung["total_bytes"], f"{name} in {budget}: {bytes_} of {rung}")
            check(hosted(manifest) == rung["host_bytes"] == chosen["host"]["pinned_bytes"],
                  f"{name} in {budget}: {hosted(manifest)} on the host of {rung}")
            check(host is None or rung["host_bytes"] <= host, f"{name}: {rung} of the host")
            both |= rung["repeats"] > 0 and rung["offloaded_bytes"] > 0
            parked |= rung["offloaded_bytes"] > 0
            prologues += check_prologues(f"{name} in {budget}", rung, chosen)
            check(before is None or seconds <= before, f"{name}: slower in {budget}")
            check(all(rungs.get(r["name"], r) == r for r in chosen["rungs"]), f"{name}: the ladder knows the budget")
            before = seconds
        out = tarn("train", art, "text", "--steps", 8, "--out", f"run-{art}", "--json").stdout
        hashes.add(json.loads(out)["hash"])
    check(len(hashes) == 1, f"{name}: the budget changes bits: {hashes}")
    check(prologues > 0, f"{name}: nothing is made in prologues")
    check(parked == (host != 0), f"{name}: in host memory: {parked}")
    return hashes, both


def main(examples, checker, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    with open("text", "w", encoding="utf-8") as file:
        file.write("".join(f"{i} sheep may safely graze\n" for i in range(2000)))
    ran = {name: run_case(name, None, *case, examples, checker) for name, case in CASES.items()}
    both = any(both for _, both in ran.values())
    for host in (0, 65536):
        hashes, here = run_case("gpt2", host, *CASES["gpt2"], examples, checker)
        check(hashes == ran["gpt2"][0], f"{host} of the host change bits: {hashes}")
        both |= here
    check(both, "no plan recomputes and offloads")

    model = [f"{examples}/gpt2/gpt2.tarn", "--shape", "B=2,T=8"]
    for words in ("0", "-1", "12 parsecs", "1e40GiB", "GiB"):
        said = tarn("plan", *model, "--budget=" + words, code=2).stderr
        check("--budget" in said, f"`{words}`: {said}")
        if words != "0":
            said = tarn("plan", *model, "--host-memory=" + words, code=2).stderr
            check("--host-memory" in said, f"`{words}`: {said}")
    tarn("plan", code=2)

    if failures:
        print("\n\n".join(map(str, failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
