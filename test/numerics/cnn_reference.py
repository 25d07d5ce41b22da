#!/usr/bin/env python3
"""Ten steps of examples/cnn in torch, float64: the losses that CnnLossesTest
expects of compiled code. Needs torch, which the tests do not.


  cnn_reference.py             prints the losses
"""

import numpy as np
import torch
from torch.nn import functional as F

import generator

WIDTH, CLASSES, BATCH, SIDE = 8, 5, 6, 11


def tensor(name, shape, scale):
    """What both sides fill a tensor with."""
    values = np.array(generator.numbers(name, int(np.prod(shape)), scale))
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(shape)


def main():
    shapes = {
        "conv1.weight": (WIDTH, 3, 3, 3),
        "conv1.bias": (WIDTH,),
        "conv2.weight": (2 * WIDTH, WIDTH, 3, 3),
        "conv2.bias": (2 * WIDTH,),
        "fc.weight": (CLASSES, 2 * WIDTH),
        "fc.bias": (CLASSES,),
    }
    p = {name: tensor(name, shape, 0.6).requires_grad_() for name, shape in shapes.items()}
    groups = [
        {"params": [p[n] for n in p if n.endswith("weight")], "weight_decay": 0.01},
        {"params": [p[n] for n in p if n.endswith("bias")], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for step in range(10):
        image = tensor(f"image{step % 2}", (BATCH, SIDE, SIDE, 3), 4.0)
        label = torch.tensor([generator.mix(generator.fnv(f"label{step % 2}") + i) % CLASSES for i in range(BATCH)])
        h = F.relu(F.conv2d(image.permute(0, 3, 1, 2), p["conv1.weight"], p["conv1.bias"], padding=1))
        h = F.relu(F.conv2d(h, p["conv2.weight"], p["conv2.bias"], stride=2, padding=1))
        loss = F.cross_entropy(F.linear(h.mean((2, 3)), p["fc.weight"], p["fc.bias"]), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(", ".join(f"{loss:.9f}" for loss in losses))


if __name__ == "__main__":
    main()
