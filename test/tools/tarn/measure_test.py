"""measure_test.py TARN EXAMPLES FOLDER: plans and predictions with the device file
FOLDER/mine.json, which `tarn measure --threads 1` wrote."""

import json
import os
import subprocess
import sys

TARN, EXAMPLES, FOLDER = sys.argv[1:4]
MODEL = [os.path.join(EXAMPLES, "gpt2/gpt2.tarn"), "--shape", "B=2,T=16",
         "--set", "layers=1,heads=2,width=32,vocab=64,context=16"]
MINE = os.path.join(FOLDER, "mine.json")


def tarn(*words):
    done = subprocess.run([TARN, *words], capture_output=True, text=True)
    assert done.returncode == 0, (words, done.returncode, done.stderr)
    return json.loads(done.stdout)


def plan(target):
    return tarn("plan", *MODEL, "--target", target, "--json")


def check_figures(mine):
    assert mine["name"] == "mine" and mine["units"]["value"] == 1
    speeds = [mine["memory"], mine["unit_memory"], mine["host_to_device"]]
    for target in mine["targets"]:
        speeds.append(target["dots"]["f32"])
    for speed in speeds:
        # No processor of today computes or copies a hundred times more or less.
        assert 1e8 < speed["peak"]["value"] < 1e13, speed
        assert "measured on 1 thread of mine" in speed["peak"]["source"], speed
    for rate in [mine["memory"], *[target["dots"]["f32"] for target in mine["targets"]]]:
        # What kernels reach is of this machine, too.
        assert 0.01 < rate["efficiency"]["value"] <= 1, rate
        assert "of a small decoder" in rate["efficiency"]["source"], rate
        assert rate["efficiency"]["error"] >= 0.05, rate
    assert 0 < mine["launch_seconds"]["value"] < 1e-3


def write(path, device):
    with open(path, "w") as file:
        json.dump(device, file)
    return path


def main():
    with open(MINE) as file:
        mine = json.load(file)
    check_figures(mine)

    # The plan is for this machine's code, with these figures.
    usual, own = plan("auto"), plan(MINE)
    assert own["device"]["name"] == "mine", own["device"]
    assert own["device"]["target"] == mine["targets"][-1]["target"]
    assert own["peak_bytes"] == usual["peak_bytes"]
    slow = json.loads(json.dumps(mine))
    slow["launch_seconds"]["value"] = 0.5
    slower = plan(write(os.path.join(FOLDER, "slow.json"), slow))
    assert slower["seconds"] > own["seconds"] + 0.4

    # So is the prediction, and what is compiled.
    bench = tarn("bench", *MODEL, "--target", MINE, "--steps", "2",
                 "--threads", "1", "--json")
    assert bench["device"] == "mine", bench
    assert bench["arena_bytes"] == own["peak"]["arena_bytes"]


main()
