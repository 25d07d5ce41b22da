#!/usr/bin/env python3
"""Toy models of every family, losses and gradients, on the reference interpreter
and compiled, against those that Hugging Face's classes gave (record.py), and what
the classes do not have (further tokens, the balancing loss) against finite
differences.

Usage: golden_test.py TOYS FOLDER
"""
import glob
import json
import os
import struct
import subprocess
import sys

import numpy as np

import toys

KINDS = {"F32": "<f4", "F64": "<f8", "I32": "<i4"}
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def write(path, tensors):
    """{name: array} as safetensors."""
    header, data = {}, b""
    for name, array in tensors.items():
        kind = {"float32": "F32", "float64": "F64", "int32": "I32"}[array.dtype.name]
        raw = array.tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    size, = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            first, last = (8 + size + at for at in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[first:last], KINDS[entry["dtype"]]).reshape(
                entry["shape"])
    return tensors


def run(model, function, *words, way="--reference"):
    ran = subprocess.run(
        ["tarn", "run", model, "--shape", f"B={toys.BATCH},T={toys.TIME}", way,
         "--function", function, "--inputs", "in.safetensors", "--outputs", "out.safetensors",
         *words], capture_output=True, text=True, timeout=120, check=False)
    check(ran.returncode == 0, f"tarn run {model} {' '.join(words)}\n{ran.stderr}")
    return read("out.safetensors") if ran.returncode == 0 else {}


def weights_of(model, config, function, *words):
    """All parameters: those with a gradient, and the balancing biases."""
    slopes = run(model, function, "--grad", *words)
    weights = {name[5:]: toys.weight(name[5:], array.shape)
               for name, array in slopes.items() if name.startswith("grad.")}
    for name in list(weights):
        if name.endswith("mlp.gate.weight") and config["model_type"] == "deepseek_v3":
            bias = name[: -len("weight")] + "e_score_correction_bias"
            weights[bias] = toys.weight(bias, weights[name].shape[:1])
    return weights


def compare(name, model, config, golden, way="--reference", bound=2e-5):
    weights = weights_of(model, config, "validate")
    write("w.safetensors", weights)
    got = run(model, "validate", "--grad", "--params", "w.safetensors", way=way)
    if not got:
        return
    name += " " + way
    loss = float(got["loss"].ravel()[0])
    check(abs(loss - golden["loss"]) < bound / 20 * golden["loss"],
          f"{name}: loss {loss} instead of {golden['loss']}")
    grads = {key[5:]: array for key, array in got.items() if key.startswith("grad.")}
    check(grads.keys() == golden["gradients"].keys(),
          f"{name}: {sorted(grads.keys() ^ golden['gradients'].keys())}")
    for key in grads.keys() & golden["gradients"].keys():
        length, along = toys.figures(key, grads[key])
        wanted, direction = golden["gradients"][key]
        check(abs(length - wanted) + abs(along - direction) < bound * (wanted + 1e-3),
              f"{name}: gradient of {key}: {length}, {along} instead of {wanted}, {direction}")


def differences(name, model, config, words, keys):
    """The training loss against one weight of each key, moved both ways."""
    weights = weights_of(model, config, "step", *words)

    def loss(*more):
        write("w.safetensors", weights)
        return run(model, "step", "--params", "w.safetensors", *words, *more)

    slopes = loss("--grad")
    for key in keys:
        check(key in weights, f"{name}: no parameter {key} in {sorted(weights)}")
        if key not in weights or not slopes:
            continue
        slope = slopes["grad." + key]
        at = np.unravel_index(np.argmax(np.abs(slope)), slope.shape)
        before, losses = weights[key][at], []
        for step in (2 ** -12, -(2 ** -12)):
            weights[key][at] = before + np.float32(step)
            losses.append((float(weights[key][at]), float(loss()["loss"].ravel()[0])))
        weights[key][at] = before
        (x, up), (y, down) = losses
        found = (up - down) / (x - y)
        check(abs(found - slope[at]) < 1e-4 * max(abs(slope[at]), 1e-2),
              f"{name}: {key}{at}: finite difference {found}, gradient {slope[at]}")


def main(folder, work):
    os.makedirs(work, exist_ok=True)
    os.chdir(work)
    tokens, targets = toys.tokens(24)
    write("in.safetensors", {"tokens": tokens, "targets": targets})
    with open(os.path.join(folder, "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)
    count = 0
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        name = os.path.basename(path)[: -len(".json")]
        if name == "golden":
            continue
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        check(name in golden, f"{name} has no golden figures")
        if name in golden:
            compare(name, path, config, golden[name])
            compare(name, path, config, golden[name], way="--no-cache", bound=4e-4)
            count += 1
    path = os.path.join(folder, "deepseek-v3.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    differences("two further tokens", path, config, ["--set", "mtp=2,balance=0.01"],
                ["model.embed_tokens.weight", "lm_head.weight",
                 "model.further.0.eh_proj.weight", "model.further.1.norm.weight",
                 "model.further.1.block.mlp.experts.down_proj",
                 "model.layers.1.mlp.gate.weight",
                 "model.layers.1.mlp.experts.gate_proj",
                 "model.layers.0.self_attn.kv_a_proj_with_mqa.weight"])
    path = os.path.join(folder, "mixtral.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    differences("balancing loss", path, config, ["--set", "balance=0.1"],
                ["model.layers.1.mlp.gate.weight", "model.layers.0.mlp.experts.up_proj"])
    print("\n".join(failures) or f"{count} models")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2]))
