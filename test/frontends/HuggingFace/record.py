#!/usr/bin/env python3
"""Records losses and gradients of toy models from Hugging Face's own classes.

Needs torch and transformers:  record.py Inputs/toys
Writes golden.json beside the configurations.
"""
import glob
import json
import os
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM
import transformers

import toys


def pieces(name, shape):
    """A parameter's parts as Tarn names them: (name, index into it)."""
    if name.endswith("experts.gate_up_proj"):
        half = shape[1] // 2
        stem = name[: -len("gate_up_proj")]
        return [(stem + "gate_proj", np.s_[:, :half]), (stem + "up_proj", np.s_[:, half:])]
    return [(name, np.s_[...])]


def record(path):
    with tempfile.TemporaryDirectory() as folder:
        with open(path, encoding="utf-8") as file, \
                open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as copy:
            copy.write(file.read())
        config = AutoConfig.from_pretrained(folder)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager",
                                             experts_implementation="eager",
                                             dtype=torch.float64)
    slots = dict(model.named_parameters())
    slots.update((name, buffer) for name, buffer in model.named_buffers()
                 if name.endswith("correction_bias"))
    with torch.no_grad():
        for name, slot in slots.items():
            whole = np.zeros(tuple(slot.shape))
            for part, index in pieces(name, slot.shape):
                whole[index] = toys.weight(part, whole[index].shape)
            slot.copy_(torch.from_numpy(whole))
    tokens, targets = toys.tokens(config.vocab_size)
    logits = model(input_ids=torch.from_numpy(tokens).long()).logits
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).double(),
        torch.from_numpy(targets).long().reshape(-1), ignore_index=-100)
    loss.backward()
    gradients = {}
    for name, slot in model.named_parameters():
        full = slot.grad.numpy()
        for part, index in pieces(name, full.shape):
            gradients[part] = toys.figures(part, full[index])
    return {"loss": loss.item(), "gradients": gradients}


def main(folder):
    golden = {"transformers": transformers.__version__, "torch": torch.__version__}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        name = os.path.basename(path)[: -len(".json")]
        if name != "golden":
            golden[name] = record(path)
            print(name, golden[name]["loss"])
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
