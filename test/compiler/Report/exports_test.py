#!/usr/bin/env python3
"""Exports load where they are for: the snapshot as PyTorch's viewers walk it, the
trace as Perfetto reads it; both tell what the report tells.

Usage: exports_test.py EXAMPLES FOLDER
"""
import json
import os
import pickle
import subprocess
import sys

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


class Plain(pickle.Unpickler):
    """The viewer knows no classes, so there may be none."""

    def find_class(self, module, name):
        raise AssertionError(f"the snapshot names {module}.{name}")


def check_snapshot(snapshot, report):
    train = next(f for f in report["functions"] if f["kind"] == "train")
    check(len(snapshot["segments"]) == 1 and len(snapshot["device_traces"]) == 1, "one segment")
    segment = snapshot["segments"][0]
    check(segment["total_size"] == train["total_bytes"], f"{segment['total_size']} bytes")
    # What segsum asserts: blocks fill the segment, in order.
    at = segment["address"]
    for block in segment["blocks"]:
        check(block["address"] == at and block["requested_size"] <= block["size"], block)
        at += block["size"]
    check(at == segment["address"] + segment["total_size"], "blocks do not fill the segment")
    active = sum(b["requested_size"] for b in segment["blocks"] if b["state"] == "active_allocated")
    check(active == sum(t["bytes"] for t in report["state"]), f"{active} bytes are active at the end")
    # What trace() and the timeline do with events.
    live, most, now = {}, 0, 0
    for event in snapshot["device_traces"][0]:
        check(event["time_us"] >= now, "time goes back")
        now = event["time_us"]
        for frame in event["frames"]:
            check(set(frame) == {"filename", "line", "name"}, frame)
        if event["action"] == "alloc":
            low, high = event["addr"], event["addr"] + event["size"]
            check(segment["address"] <= low and high <= segment["address"] + segment["total_size"], event)
            check(event["addr"] not in live and event["frames"], event)
            live[event["addr"]] = event["size"]
            most = max(most, sum(live.values()))
        elif event["action"] == "free_completed":
            check(live.pop(event["addr"], None) == event["size"], event)
        else:
            check(event["action"] in ("segment_alloc", "free_requested"), event)
    check(sum(live.values()) == active, "what is live at the end is not the state")
    spaces = {t["space"] for t in train["tensors"]}
    check("arena" in spaces, spaces)
    arena_most = most - active - sum(t["bytes"] for t in train["tensors"] if t["space"] in ("input", "constant"))
    check(abs(arena_most - train["live_bytes"]) <= train["output_bytes"] + train["input_bytes"],
          f"{arena_most} bytes of the arena alive, the report says {train['live_bytes']}")


def check_trace(trace, report):
    names = {e["pid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
    check(list(names.values()) == [f"{f['name']} ({f['kind']})" for f in report["functions"]], names)
    for pid, function in zip(names, report["functions"]):
        events = [e for e in trace["traceEvents"] if e["pid"] == pid]
        slices = [e for e in events if e["ph"] == "X"]
        check(len(slices) == len(function["steps"]), f"{len(slices)} slices")
        # Viewers drop what overlaps on a thread, be it by a rounding.
        ends = {}
        for piece, step in zip(slices, function["steps"]):
            check(piece["ts"] >= ends.get(piece["tid"], 0) and piece["dur"] >= 0, piece)
            check(all(float(x * 8).is_integer() for x in (piece["ts"], piece["dur"])), piece)
            ends[piece["tid"]] = piece["ts"] + piece["dur"]
            seconds = step.get("beside_seconds", step["seconds"])
            check(abs(piece["dur"] - seconds * 1e6) < 0.13, piece)
        threads = {e["tid"] for e in events if e["name"] == "thread_name"}
        check(set(ends) <= threads, f"slices on {set(ends)}, names for {threads}")
        counters = [e for e in events if e["ph"] == "C"]
        check(not slices or counters, f"{function['name']} has no counters")
        check(all(e["args"]["all"] == sum(v for r, v in e["args"].items() if r != "all") for e in counters), "sums")
        check(all(v >= 0 for e in counters for v in e["args"].values()), "negative bytes")
        if function["name"] == report["peak"]["function"]:
            arena = lambda e: sum(e["args"].get(r, 0) for r in ("saved", "logits", "scratch", "gradients", "recomputed"))
            most = max(map(arena, counters))
            check(most >= function["live_bytes"], f"{most} at most, {function['live_bytes']} alive")


def main(examples, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    cases = {"plain": ("layers=2,heads=2,width=32,context=16,vocab=256", "none"),
             "bf16": ("layers=2,heads=2,width=32,context=16,vocab=256,mode=bf16", "none"),
             "parked": ("layers=4,heads=2,width=32,context=16,vocab=64", "900KiB"),
             "accumulating": ("layers=1,heads=2,width=32,context=16,vocab=64,accumulation=3", "none")}
    for name, (hyper, budget) in cases.items():
        shape = "B=12,T=16" if name == "accumulating" else "B=4,T=16"
        report = json.loads(tarn("plan", f"{examples}/gpt2/gpt2.tarn", "--set", hyper, "--shape", shape,
                                 "--budget", budget, "--json", "--export-pytorch", "s.pickle",
                                 "--export-perfetto", "t.json").stdout)
        with open("s.pickle", "rb") as file:
            snapshot = Plain(file).load()
            check(not file.read(), "bytes after the pickle")
        check_snapshot(snapshot, report)
        with open("t.json", encoding="utf-8") as file:
            check_trace(json.load(file), report)
    for option in ("--export-pytorch", "--export-perfetto"):
        said = tarn("plan", f"{examples}/gpt2/gpt2.tarn", "--set", cases["plain"][0], "--shape", "B=4,T=16",
                    option, "nowhere/x", "-q", code=1).stderr
        check(said.count("error:") == 1 and "nowhere/x" in said, said)
    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
