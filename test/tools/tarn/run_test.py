#!/usr/bin/env python3
"""`tarn run`: compiled code against the reference, gradients against finite
differences, and what it says to wrong inputs.

Usage: run_test.py EXAMPLES FOLDER
"""
import json
import os
import random
import struct
import subprocess
import sys

FORMATS = {"F32": "f", "F64": "d", "I32": "i"}
MODELS = {
    "gpt2": "layers=2,heads=2,width=16,context=8,vocab=24,dropped=0",
    "llama": "layers=2,heads=4,kv=2,width=16,hidden=24,context=8,vocab=24",
}
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def write(path, tensors):
    """{name: (dtype, shape, numbers)} as safetensors."""
    header, data = {}, b""
    for name, (dtype, shape, numbers) in tensors.items():
        raw = struct.pack(f"<{len(numbers)}{FORMATS[dtype]}", *numbers)
        header[name] = {"dtype": dtype, "shape": shape,
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
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        raw = data[8 + size + first:8 + size + last]
        form = FORMATS[entry["dtype"]]
        count = len(raw) // struct.calcsize(form)
        tensors[name] = (entry["dtype"], entry["shape"],
                         list(struct.unpack(f"<{count}{form}", raw)))
    return tensors


def tarn(*words, code=0):
    ran = subprocess.run(["tarn", *words], capture_output=True, text=True, timeout=120,
                         check=False)
    check(ran.returncode == code,
          f"tarn {' '.join(words)}\nexit {ran.returncode}\n{ran.stderr}")
    return ran.stderr


def distance(one, two):
    return max(abs(a - b) for a, b in zip(one, two)) / (max(map(abs, two)) + 1e-6)


def compare(model, text, options, function="validate"):
    """Both ways for every output and gradient, from the same weights."""
    run = ["run", text, *options, "--inputs", "in.safetensors", "--function", function,
           "--grad"]
    tarn(*run, "--outputs", "compiled.safetensors")
    tarn(*run, "--outputs", "reference.safetensors", "--reference")
    compiled, reference = read("compiled.safetensors"), read("reference.safetensors")
    check(compiled.keys() == reference.keys(), f"{model}: {compiled.keys()}")
    grads = [name for name in compiled if name.startswith("grad.")]
    check(len(grads) > 9 and "loss" in compiled, f"{model}: {compiled.keys()}")
    for name, (_, shape, numbers) in compiled.items():
        check(shape == reference[name][1], f"{model}: {name} is {shape}")
        far = distance(numbers, reference[name][2])
        check(far < 2e-4, f"{model}: {name} is off by {far}")
    return reference, grads


def finite_differences(model, text, options, reference, grads):
    """A weight moved both ways, through --params."""
    tarn("train", text, "text", *options, "--steps", "1", "--out", model, "-q")
    weights = read(f"{model}/1/state.safetensors")
    weights = {name: weights[name] for name in (g[5:] for g in grads)}
    run = ["run", text, *options, "--inputs", "in.safetensors", "--function", "validate",
           "--reference", "--outputs", "out.safetensors", "--params", "w.safetensors"]
    write("w.safetensors", weights)
    tarn(*run, "--grad")
    slopes = read("out.safetensors")
    for name in random.sample(sorted(weights), 3):
        dtype, shape, numbers = weights[name]
        at = max(range(len(numbers)), key=lambda i, n=name: abs(slopes["grad." + n][2][i]))
        losses = []
        for step in (2 ** -10, -(2 ** -10)):
            moved = list(numbers)
            moved[at] += step
            write("w.safetensors", {**weights, name: (dtype, shape, moved)})
            tarn(*run)
            losses.append(read("out.safetensors")["loss"][2][0])
        slope = (losses[0] - losses[1]) / 2 ** -9
        wanted = slopes["grad." + name][2][at]
        check(abs(slope - wanted) < 1e-3 * max(abs(wanted), 1e-3),
              f"{model}: {name}[{at}]: finite difference {slope}, gradient {wanted}")


def refuses(words, message, code=1):
    said = tarn(*words, code=code)
    check(said.count("error: ") == 1 and message in said, f"wanted `{message}`, got\n{said}")


def main(examples, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    random.seed(3)
    with open("text", "w", encoding="utf-8") as file:
        file.write("\1\2\3\4\5\6\7\10" * 200)
    tokens = [random.randrange(24) for _ in range(16)]
    good = {"tokens": ("I32", [2, 8], tokens), "targets": ("I32", [2, 8], tokens[1:] + [3])}
    write("in.safetensors", good)
    for model, sizes in MODELS.items():
        text = f"{examples}/{model}/{model}.tarn"
        options = ["--set", sizes, "--shape", "B=2,T=8"]
        reference, grads = compare(model, text, options)
        finite_differences(model, text, options, reference, grads)

    # A mask and a score with captures, and the gradients of what they capture.
    text = os.path.join(os.path.dirname(__file__), "Inputs", "scores.tarn")
    write("in.safetensors",
          {"x": ("F32", [2, 4, 8], [random.gauss(0, 1) for _ in range(64)]),
           "segment": ("I32", [2, 4], [0, 0, 1, 1, 0, 0, 0, 2])})
    reference = compare("scores", text, [], "check")[0]
    check(max(map(abs, reference["grad.n.blocks.0.slopes"][2])) > 1e-4,
          "the slopes have no gradient")
    write("in.safetensors", good)

    text = f"{examples}/gpt2/gpt2.tarn"
    run = ["run", text, "--set", MODELS["gpt2"], "--shape", "B=2,T=8", "--function",
           "validate", "--outputs", "out.safetensors"]
    write("short.safetensors", {**good, "tokens": ("I32", [2, 7], tokens[:14])})
    write("float.safetensors", {**good, "tokens": ("F32", [2, 8], [0.0] * 16)})
    write("none.safetensors", {"tokens": good["tokens"]})
    write("high.safetensors", {**good, "tokens": ("I32", [2, 8], [99] * 16)})
    for how in ([], ["--reference"]):
        refuses([*run, *how], "needs --inputs")
        refuses([*run, *how, "--inputs", "short.safetensors"], "`tokens` is i32[2, 7]")
        refuses([*run, *how, "--inputs", "none.safetensors"], "no tensor `targets`")
        refuses([*run, *how, "--inputs", "text"], "text")
        refuses([*run[:-4], *run[-2:], *how, "--function", "step2", "--inputs",
                 "in.safetensors"], "no function `step2`")
    refuses([*run, "--inputs", "float.safetensors"], "`tokens` is f32[2, 8]")
    refuses(run[:2], "tarn run needs a model and a file", code=2)

    if failures:
        print("\n\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
