#!/usr/bin/env python3
"""Ten steps of GPT-2 nano in torch, float64: the losses that Gpt2LossesTest
expects of compiled code. Needs torch, which the tests do not.

  gpt2_reference.py            prints one loss a line

Weights and tokens come from a generator that the test has too.
"""
import math

import torch
import torch.nn.functional as F

import generator

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, VOCAB = 4, 4, 128, 64, 12, 96
RATE, BETAS, EPS, DECAY, CLIP, WARMUP = 1e-3, (0.9, 0.95), 1e-8, 0.1, 1.0, 5


def weights(name, shape):
    """Uniform in [-s, s) with s = 0.05; norms' weights around 1."""
    values = generator.numbers(name, math.prod(shape), 0.1)
    t = torch.tensor(values, dtype=torch.float32).double().reshape(shape)
    if ".ln_" in name and name.endswith("weight"):
        t = (t + 1).float().double()
    return t.requires_grad_()


def tokens(name, step):
    seed = generator.fnv(name + str(step))
    values = [generator.mix(seed + i) % VOCAB for i in range(BATCH * CONTEXT)]
    return torch.tensor(values).reshape(BATCH, CONTEXT)


P = {}
for name, shape in [("wte.weight", (VOCAB, WIDTH)), ("wpe.weight", (CONTEXT, WIDTH)),
                    ("ln_f.weight", (WIDTH,)), ("ln_f.bias", (WIDTH,))]:
    P["transformer." + name] = shape
for layer in range(LAYERS):
    for name, shape in [
            ("ln_1.weight", (WIDTH,)), ("ln_1.bias", (WIDTH,)),
            ("attn.c_attn.weight", (WIDTH, 3 * WIDTH)), ("attn.c_attn.bias", (3 * WIDTH,)),
            ("attn.c_proj.weight", (WIDTH, WIDTH)), ("attn.c_proj.bias", (WIDTH,)),
            ("ln_2.weight", (WIDTH,)), ("ln_2.bias", (WIDTH,)),
            ("mlp.c_fc.weight", (WIDTH, 4 * WIDTH)), ("mlp.c_fc.bias", (4 * WIDTH,)),
            ("mlp.c_proj.weight", (4 * WIDTH, WIDTH)), ("mlp.c_proj.bias", (WIDTH,))]:
        P[f"transformer.h.{layer}.{name}"] = shape
P = {name: weights(name, shape) for name, shape in P.items()}


def norm(x, name):
    return F.layer_norm(x, (WIDTH,), P[name + ".weight"], P[name + ".bias"], 1e-5)


def linear(x, name):
    return x @ P[name + ".weight"] + P[name + ".bias"]


def forward(x, y):
    h = P["transformer.wte.weight"][x] + P["transformer.wpe.weight"]
    mask = torch.full((CONTEXT, CONTEXT), -math.inf, dtype=torch.float64).triu(1)
    for layer in range(LAYERS):
        p = f"transformer.h.{layer}."
        qkv = linear(norm(h, p + "ln_1"), p + "attn.c_attn")
        q, k, v = (t.reshape(BATCH, CONTEXT, HEADS, -1).transpose(1, 2)
                   for t in qkv.split(WIDTH, dim=2))
        s = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS) + mask
        o = (s.softmax(-1) @ v).transpose(1, 2).reshape(BATCH, CONTEXT, WIDTH)
        h = h + linear(o, p + "attn.c_proj")
        h = h + linear(F.gelu(linear(norm(h, p + "ln_2"), p + "mlp.c_fc"),
                              approximate="tanh"), p + "mlp.c_proj")
    logits = norm(h, "transformer.ln_f") @ P["transformer.wte.weight"].T
    return F.cross_entropy(logits.reshape(-1, VOCAB), y.reshape(-1))


optimizer = torch.optim.AdamW(
    [{"params": [p for p in P.values() if p.dim() > 1], "weight_decay": DECAY},
     {"params": [p for p in P.values() if p.dim() == 1], "weight_decay": 0.0}],
    lr=RATE, betas=BETAS, eps=EPS)
for step in range(1, 11):
    loss = forward(tokens("tokens", step % 2), tokens("targets", step % 2))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(P.values(), CLIP)
    for group in optimizer.param_groups:  # warm-up, then a cosine to a tenth over 20
        far = min(max(step - WARMUP, 0) / (20 - WARMUP), 1)
        group["lr"] = (RATE * step / WARMUP if step <= WARMUP else
                       RATE / 10 + 0.9 * RATE * 0.5 * (1 + math.cos(math.pi * far)))
    optimizer.step()
    print(f"{loss.item():.9f}")
