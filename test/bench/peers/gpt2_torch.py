#!/usr/bin/env python3
"""GPT-2 in torch, the peer of examples/gpt2: the same model, data, batches'
kind, optimizer and schedule, eager mode with SDPA and fused AdamW.

  gpt2_torch.py train TEXT [--steps 2000]   the demo's training run
  gpt2_torch.py bench SIZE [--steps 10]     seconds a step; SIZE nano small 124m 124m-4x512
  gpt2_torch.py memory SIZE --budget 0.5    the same compiled, with torch's budget
                                            of activations, and bytes at the peak

Prints one JSON object a line. Needs torch, which neither set-up command brings.
"""
import argparse
import json
import math
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = {  # layers, heads, width, context, batch, vocabulary
    "nano": (4, 4, 128, 64, 12, 96),
    "small": (6, 6, 384, 256, 8, 4096),
    "124m": (12, 12, 768, 1024, 1, 50304),
    "124m-4x512": (12, 12, 768, 512, 4, 50304),
}


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.fc = nn.Linear(width, 4 * width)
        self.out = nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.attn(self.ln_1(x)).split(c, dim=2)
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.out(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class GPT2(nn.Module):
    def __init__(self, layers, heads, width, context, vocab):
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.wpe = nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        for name, p in self.named_parameters():
            if p.dim() == 1:
                nn.init.ones_(p) if "ln_" in name and "weight" in name else nn.init.zeros_(p)
            else:
                residual = name.endswith(("proj.weight", "out.weight"))
                std = 0.02 / math.sqrt(2 * layers) if residual else 0.02
                nn.init.normal_(p, std=0.01 if "wpe" in name else std)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)


def loss_of(net, x, y):
    logits = net(x)
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.reshape(-1))


def optimizer_of(net, betas=(0.9, 0.99), decay=0.1, rate=1e-3):
    matrices = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}],
        lr=rate, betas=betas, fused=True)


def step(net, opt, x, y):
    loss = loss_of(net, x, y)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    return loss


def train(args):
    data = np.frombuffer(open(args.text, "rb").read(), dtype=np.uint8)
    split = len(data) - len(data) // 10
    rng = np.random.default_rng(args.seed)
    torch.manual_seed(args.seed)
    net = GPT2(4, 4, 128, 64, 256)
    opt = optimizer_of(net)
    b, t = 12, 64

    def batch(low, high, starts=None):
        if starts is None:
            starts = rng.integers(low, high - t - 1, b)
        rows = np.stack([data[s : s + t + 1] for s in starts]).astype(np.int64)
        rows = torch.from_numpy(rows)
        return rows[:, :-1], rows[:, 1:]

    def validate():
        with torch.no_grad():
            fixed = np.linspace(split, len(data) - t - 1, 200 * b).astype(np.int64)
            losses = [loss_of(net, *batch(0, 0, fixed[i : i + b])).item()
                      for i in range(0, len(fixed), b)]
        return sum(losses) / len(losses)

    seconds = 0.0
    for i in range(1, args.steps + 1):
        warm = min(1.0, i / 100)
        far = max(0.0, (i - 100) / max(1, args.steps - 100))
        rate = 1e-3 * (warm if i <= 100 else 0.1 + 0.45 * (1 + math.cos(math.pi * far)))
        for group in opt.param_groups:
            group["lr"] = rate
        x, y = batch(0, split)
        start = time.perf_counter()
        step(net, opt, x, y)
        seconds += time.perf_counter() - start
        if i in (250, 1000, args.steps):
            print(json.dumps({"peer": "torch", "step": i, "val": round(validate(), 4),
                              "seconds": round(seconds, 2)}), flush=True)


def bench(args):
    layers, heads, width, context, b, vocab = SIZES[args.size]
    torch.manual_seed(0)
    net = GPT2(layers, heads, width, context, vocab)
    opt = optimizer_of(net)
    x = torch.randint(vocab, (b, context))
    y = torch.randint(vocab, (b, context))
    times = []
    for _ in range(args.steps + 2):
        start = time.perf_counter()
        step(net, opt, x, y).item()
        times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    print(json.dumps({"peer": "torch " + torch.__version__, "size": args.size,
                      "threads": torch.get_num_threads(), "min_s": round(times[0], 5),
                      "median_s": round(times[len(times) // 2], 5)}), flush=True)


def most_allocated(profiler):
    """Bytes that torch's CPU allocator held at most while the profiler ran."""
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()  # below zero where memory is given back
        most = max(most, held)
    return most


def memory(args):
    import torch._functorch.config as functorch
    if not args.eager:
        functorch.activation_memory_budget = args.budget
    layers, heads, width, context, b, vocab = SIZES[args.size]
    torch.manual_seed(0)
    # Counts what is allocated from here on: weights, state, batch, all of a step.
    profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU],
                                      profile_memory=True)
    start = time.perf_counter()
    profiler.start()
    net = GPT2(layers, heads, width, context, vocab)
    opt = optimizer_of(net)
    run = loss_of if args.eager else torch.compile(loss_of)
    x = torch.randint(vocab, (b, context))
    y = torch.randint(vocab, (b, context))

    def once():
        opt.zero_grad(set_to_none=True)  # else old gradients live beside the activations
        loss = run(net, x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        return loss.item()

    for _ in range(2):  # compiles; the optimizer's state is there in the second
        once()
    profiler.stop()
    compiled = time.perf_counter() - start
    times = []
    for _ in range(args.steps):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    times.sort()
    print(json.dumps({"peer": "torch " + torch.__version__, "size": args.size,
                      "budget": None if args.eager else args.budget,
                      "peak_bytes": most_allocated(profiler),
                      "compile_s": round(compiled, 1), "threads": torch.get_num_threads(),
                      "min_s": round(times[0], 5),
                      "median_s": round(times[len(times) // 2], 5)}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("train")
    p.add_argument("text")
    p.add_argument("--steps", type=int, default=2000)
    p.set_defaults(run=train)
    p = commands.add_parser("bench")
    p.add_argument("size", choices=SIZES)
    p.add_argument("--steps", type=int, default=10)
    p.set_defaults(run=bench)
    p = commands.add_parser("memory")
    p.add_argument("size", choices=SIZES)
    p.add_argument("--budget", type=float, default=1.0)
    p.add_argument("--eager", action="store_true")
    p.add_argument("--steps", type=int, default=10)
    p.set_defaults(run=memory)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.run(args)


if __name__ == "__main__":
    main()
