"""Checks the table of kernels in a plan's JSON."""

import json
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)
step = next(f for f in report["functions"] if f["kind"] == "train")
names = [kernel["name"] for kernel in step["kernels"]]
assert len(names) == len(set(names)) > 10, names
launches = [s for s in step["steps"] if s["kernel"] in names]
for kernel in step["kernels"]:
    mine = [s for s in launches if s["kernel"] == kernel["name"]]
    assert sum(s.get("repeats", 1) for s in mine) == kernel["launches"], kernel
    assert all(abs(s["seconds"] - kernel["seconds"]) < 1e-12 for s in mine), kernel
    # No estimate is above the device's roof.
    assert 0 <= kernel["roof"] <= 1, kernel
times = [kernel["seconds"] * kernel["launches"] for kernel in step["kernels"]]
assert times == sorted(times, reverse=True)
others = sum(s["seconds"] for s in step["steps"] if s["kernel"] not in names)
assert abs(sum(times) + others - step["seconds"]) < 1e-9 * len(times)
silent = [s for s in launches if "border" not in s]
assert len(silent) <= 1, silent
print("ok")
