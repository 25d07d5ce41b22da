#!/usr/bin/env python3
"""A report is true: it agrees with its schema, its rows add up to the peak, its
values lie apart, and its figures are those of the compiled artifact.

Usage: report_test.py EXAMPLES SCHEMA FOLDER
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import schema as schemas  # noqa: E402

GPT = "layers=3,heads=2,width=32,context=16,vocab=256,warmup=4,total=60"
LLAMA = "layers=2,heads=4,kv=2,width=32,hidden=48,context=16,vocab=256,warmup=4,total=60"
CASES = {
    "gpt2": ["gpt2", GPT, "B=4,T=16"],
    "dropout": ["gpt2", GPT + ",dropped=0.1", "B=4,T=16"],
    "bf16": ["gpt2", GPT + ",mode=bf16", "B=4,T=16"],
    "accumulating": ["gpt2", GPT + ",accumulation=3", "B=12,T=16"],
    "llama": ["llama", LLAMA, "B=4,T=16"],
}
failures = []


def check(condition, what):
    if not condition:
        failures.append(str(what)[:2000])


def tarn(*words, code=0):
    ran = subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True, timeout=120,
                         check=False)
    check(ran.returncode == code,
          f"tarn {' '.join(map(str, words))}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def check_rows(name, report):
    peak = report["peak"]
    spaces = sum(peak[f"{space}_bytes"] for space in ("state", "arena", "input", "output", "constant"))
    check(report["peak_bytes"] == peak["bytes"] == spaces, f"{name}: spaces are {spaces}")
    for rows in ("by_role", "by_layer", "by_op"):
        total = sum(row["bytes"] for row in peak[rows])
        check(total == peak["bytes"], f"{name}: {rows} add up to {total} of {peak['bytes']}")
        check(len({row["name"] for row in peak[rows]}) == len(peak[rows]), f"{name}: {rows} repeat")
    function = next(f for f in report["functions"] if f["name"] == peak["function"])
    alive = [t for t in function["tensors"]
             if t["space"] == "arena" and t["first"] <= peak["step"] <= t["last"]]
    rows = {row["name"]: row["bytes"] for row in peak["by_role"]}
    for role in ("saved", "logits", "scratch", "recomputed"):
        total = sum(t["bytes"] for t in alive if t["role"] == role)
        check(rows.get(role, 0) == total, f"{name}: {role} is {total}, the row says {rows.get(role)}")
    states = sum(t["bytes"] for t in report["state"] if t["role"] == "weights")
    check(rows["weights"] == states, f"{name}: weights are {states}")


def check_values(name, report):
    """Values that live together lie apart, inside the arena, and the fullest moment is."""
    for function in report["functions"]:
        where = f"{name}, {function['name']}"
        arena = [t for t in function["tensors"] if t["space"] == "arena"]
        arena.sort(key=lambda t: t["offset"])
        round64 = lambda n: (n + 63) // 64 * 64
        most = 0
        for step in range(len(function["steps"])):
            alive = [t for t in arena if t["first"] <= step <= t["last"]]
            most = max(most, sum(round64(t["bytes"]) for t in alive))
            for below, above in zip(alive, alive[1:]):
                check(below["offset"] + below["bytes"] <= above["offset"],
                      f"{where}: {below['name']} and {above['name']} overlap at {step}")
        at = sum(round64(t["bytes"]) for t in arena
                 if t["first"] <= function["fullest_step"] <= t["last"])
        check(at == most, f"{where}: {at} at the fullest step, {most} elsewhere")
        check(most <= function["arena_bytes"], f"{where}: more than the arena")
        for tensor in arena:
            check(tensor["type"], f"{where}: {tensor['name']} has no type")
            # Its last reader may write another value over it.
            taken = any(other["offset"] == tensor["offset"] and
                        other["first"] == tensor["last"] + 1 for other in arena)
            for reader in tensor.get("readers", []):
                check(tensor["first"] <= reader <= tensor["last"] + taken,
                      f"{where}: {tensor['name']} is read at {reader} outside its life")


def check_roles(name, report):
    """What roles mean, by the readers' phases."""
    train = next(f for f in report["functions"] if f["kind"] == "train")
    phase = [step["phase"] for step in train["steps"]]
    check(set(phase) >= {"forward", "backward", "update"}, f"{name}: {set(phase)}")
    arena = [t for t in train["tensors"] if t["space"] == "arena"]
    for tensor in arena:
        later = [r for r in tensor.get("readers", []) if phase[r] in ("backward", "again", "update")]
        copied = train["steps"][max(tensor["first"], 0)]["kernel"] in ("to_host", "from_host")
        if tensor["role"] == "saved" and not copied:
            check(phase[tensor["first"]] == "forward" and later, f"{name}: {tensor}")
            check(tensor["why"] and tensor["again_seconds"] > 0, f"{name}: {tensor}")
        if tensor["role"] == "recomputed":
            check(phase[tensor["first"]] == "again", f"{name}: {tensor}")
        if tensor["role"] == "gradients":
            check(later and tensor["name"].startswith("gradient of "), f"{name}: {tensor}")
    # Each trained weight has a gradient; kernels may add it straight to a sum.
    weights = {t["name"] for t in report["state"] if t["role"] == "weights"}
    grads = {t["name"].removeprefix("gradient of ") for t in arena if t["role"] == "gradients"}
    check(name == "accumulating" or not weights - grads, f"{name}: no gradient of {weights - grads}")
    logits = [t for t in arena if t["role"] == "logits"]
    check(logits and all("256]" in t["type"] or ", 256" in t["type"] for t in logits),
          f"{name}: {[t['type'] for t in logits]}")
    layers = [row["name"] for row in report["peak"]["by_layer"]]
    prefix = "model.layers." if name == "llama" else "transformer.h."
    check(prefix + "1" in layers, f"{name}: {layers}")


def check_artifact(name, model, report, budget):
    tarn("compile", *model, "--budget", budget, "-o", "m.art", "-q", "--no-cache")
    manifest = json.loads(tarn("inspect", "m.art", "--json").stdout)
    functions = {f["name"]: f for f in manifest["targets"][0]["functions"]}
    check(manifest["state_bytes"] == report["peak"]["state_bytes"], f"{name}: state")
    for function in report["functions"]:
        compiled = functions[function["name"]]
        for space in ("arena_bytes", "input_bytes", "output_bytes"):
            check(compiled.get(space, 0) == function[space], f"{name}: {function['name']} {space}")
    saved = sum(t["bytes"] for t in manifest["state"] if t.get("save"))
    check(saved == report["host"]["checkpoint_bytes"], f"{name}: a checkpoint has {saved} bytes")


def check_offload(name, model, schema):
    report = json.loads(tarn("plan", *model, "--json", "--budget", "none", "--policy", "offload-all").stdout)
    for complaint in schemas.validate(report, schema)[:5]:
        check(False, f"{name}: {complaint}")
    check_rows(name, report)
    check_values(name, report)
    train = next(f for f in report["functions"] if f["kind"] == "train")
    out = [s for s in train["steps"] if s["kernel"] == "to_host"]
    back = [s for s in train["steps"] if s["kernel"] == "from_host"]
    parked = [t for t in train["tensors"] if t["space"] == "host"]
    check(out and len(back) >= len(parked) > 0, f"{name}: {len(out)} out, {len(back)} back, {len(parked)} parked")
    check(all(0 < s["seconds"] <= s["beside_seconds"] for s in out + back), f"{name}: times of copies")
    # A wait lasts as long as the copies before it are late, and no longer.
    kernels = sum(s["seconds"] * s.get("repeats", 1) for s in train["steps"] if s["kernel"] != "wait")
    waits = sum(s["seconds"] * s.get("repeats", 1) for s in train["steps"] if s["kernel"] == "wait")
    copies = sum(s["beside_seconds"] * s.get("repeats", 1) for s in out + back)
    check(0 <= waits <= copies * (1 + 1e-9), f"{name}: {waits} s of waiting for {copies} s of copies")
    check(abs(train["seconds"] - kernels - waits) < 1e-9 * train["seconds"] + 1e-12, f"{name}: {train['seconds']}")
    check(all(t["role"] == "offloaded" and t["type"] for t in parked), parked[:2])
    check(report["host"]["bytes"] == report["host"]["pinned_bytes"] == train["host_bytes"] >=
          max(t["offset"] + t["bytes"] for t in parked), f"{name}: {report['host']}")


def check_slow(examples, schema):
    """Plans in more than twice the time are marked; the smallest within it is named."""
    model = [f"{examples}/gpt2/gpt2.tarn", "--target", "h100", "--shape", "B=256,T=256", "--set",
             "layers=2,heads=1,width=32,context=256,vocab=64,warmup=4,total=60"]
    with open("slow.json", "w", encoding="utf-8") as file:
        file.write(tarn("plan", *model, "--budget", "none", "--json").stdout)
    with open("slow.json", encoding="utf-8") as file:
        report = json.load(file)
    for complaint in schemas.validate(report, schema)[:5]:
        check(False, f"slow: {complaint}")
    rungs = report["rungs"]
    keep = next(r["seconds"] for r in rungs if r["name"] == "keep-all")
    check(all(r.get("slow", False) == (r["seconds"] > 2 * keep) for r in rungs), f"slow: {rungs}")
    smallest = min(rungs, key=lambda r: r["total_bytes"])
    usable = min((r for r in rungs if not r.get("slow")), key=lambda r: r["total_bytes"])
    check(smallest.get("slow") and smallest["total_bytes"] == report["least_bytes"], f"slow: {rungs}")
    text = tarn("plan", "slow.json").stdout
    check("in more than twice the time:" in text and "within twice the time" in text and
          f"   {usable['name']}" in text, text)
    check(all(len(line) <= 80 for line in text.splitlines()), f"slow: wide lines\n{text}")
    said = tarn("compile", *model, "--budget", report["least_bytes"] - 1, "-o", "slow.art", "-q",
                code=1).stderr
    check("within twice the time it fits in" in said and f"({usable['total_bytes']} bytes)" in said,
          said)


def main(examples, schema_path, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    schema = schemas.load(schema_path)
    check(schemas.validate({"tarn_plan": 2}, schema), "the validator accepts anything")
    for name, (example, hyper, shape) in CASES.items():
        model = [f"{examples}/{example}/{example}.tarn", "--set", hyper, "--shape", shape]
        # What does not fit waits in host memory, or is made again where there is none.
        parks = name in ("gpt2", "llama")
        model += [] if parks else ["--host-memory", "0"]
        free = json.loads(tarn("plan", *model, "--json", "--budget", "none").stdout)
        for budget in ("none", free["least_bytes"]):
            report = json.loads(tarn("plan", *model, "--json", "--budget", budget).stdout)
            label = f"{name} in {budget}"
            for complaint in schemas.validate(report, schema)[:5]:
                check(False, f"{label}: {complaint}")
            check_rows(label, report)
            check_values(label, report)
            check_roles(name, report)
            check(budget == "none" or report["peak_bytes"] == budget, f"{label}: {report['peak_bytes']}")
            if budget != "none":
                steps = [s for f in report["functions"] for s in f["steps"]]
                phases, kernels = {s["phase"] for s in steps}, {s["kernel"] for s in steps}
                check(("from_host" if parks else "again") in phases | kernels,
                      f"{label}: nothing is {'parked' if parks else 'computed again'}: {phases}")
        check_artifact(name, model, free, "none")
        check_offload(f"{name}, offloaded", model, schema)
        text = tarn("plan", *model, "--budget", "none").stdout
        check(all(len(line) <= 80 for line in text.splitlines()), f"{name}: wide lines\n{text}")
    check_slow(examples, schema)
    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
