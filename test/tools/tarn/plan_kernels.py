"""Checks the table of kernels in a plan's JSON."""

import json
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)
step = next(f for f in report["functions"] if f["kind"] == "train")
names = [kernel["name"] for kernel in step["kernels"]]
assert len(names) == len(set(names)) > 10, names
launches = [s for s in step["steps"] if s["kernel"] in names or "group" in s]
for kernel in step["kernels"]:
    # No estimate is above the device's roof.
    assert 0 <= kernel["roof"] <= 1, kernel
    if "members" in kernel:
        # The members of a group follow each other, and share its seconds.
        mine = [s for s in launches if s.get("group") == kernel["name"]]
        one = sum(part["launches"] for part in kernel["members"])
        for at in range(0, len(mine), one):
            group = mine[at:at + one]
            assert abs(sum(s["seconds"] for s in group) - kernel["seconds"]) < 1e-12, kernel
            for part in kernel["members"]:
                assert part["launches"] == sum(s["kernel"] == part["kernel"] for s in group), kernel
        assert sum(s.get("repeats", 1) for s in mine) == one * kernel["launches"], kernel
        continue
    mine = [s for s in launches if s["kernel"] == kernel["name"] and "group" not in s]
    assert sum(s.get("repeats", 1) for s in mine) == kernel["launches"], kernel
    assert all(abs(s["seconds"] - kernel["seconds"]) < 1e-12 for s in mine), kernel
assert any(len(kernel.get("members", [])) > 1 for kernel in step["kernels"]), "no group"
times = [kernel["seconds"] * kernel["launches"] for kernel in step["kernels"]]
assert times == sorted(times, reverse=True)
others = sum(s["seconds"] for s in step["steps"] if s not in launches)
assert abs(sum(times) + others - step["seconds"]) < 1e-9 * len(times)
silent = [s for s in launches if "borders" not in s]
assert len(silent) <= 1, silent
print("ok")
