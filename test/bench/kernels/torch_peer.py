#!/usr/bin/env python3
"""The kernels of tarn-bench-kernels in torch, on one thread, same sizes.

  torch_peer.py [--rounds 7]

Prints best and median milliseconds. Needs torch, which neither set-up command
brings; says so and succeeds without it.
"""
import argparse
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("torch is not installed: no peer to compare with")
    sys.exit(0)


def measure(name, work, rounds):
    work()
    start = time.perf_counter()
    work()
    repeats = max(1, int(2e-3 / (time.perf_counter() - start)))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        times.append((time.perf_counter() - start) / repeats)
    times.sort()
    print(f"{name:<40} {times[0] * 1e3:9.3f} ms  med "
          f"{times[len(times) // 2] * 1e3:9.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("torch", torch.__version__)
    for m, n, k in [(1024, 3072, 768), (768, 128, 128), (768, 384, 128),
                    (768, 512, 128), (768, 128, 512), (768, 256, 128)]:
        a, b, bias = torch.randn(m, k), torch.randn(k, n), torch.randn(n)
        measure(f"addmm {m}x{n}x{k}", lambda: torch.addmm(bias, a, b), rounds)
        measure(f"addmm+gelu {m}x{n}x{k}",
                lambda: F.gelu(torch.addmm(bias, a, b), approximate="tanh"),
                rounds)
    for heads, t, d in [(12, 1024, 64), (48, 64, 32)]:
        q, k, v = (torch.randn(1, heads, t, d, requires_grad=True)
                   for _ in range(3))
        gradient = torch.randn(1, heads, t, d)

        def forward():
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)

        def plain():
            with torch.no_grad():
                forward()

        out = forward()
        measure(f"attention forward {heads}x{t}x{d}", plain, rounds)
        measure(f"attention backward {heads}x{t}x{d}",
                lambda: torch.autograd.grad(out, (q, k, v), gradient,
                                            retain_graph=True), rounds)
    for rows, columns in [(1024, 3072), (768, 256), (768, 128)]:
        x, w = torch.randn(rows, columns), torch.randn(columns)
        measure(f"softmax {rows}x{columns}", lambda: torch.softmax(x, -1),
                rounds)
        measure(f"layer_norm {rows}x{columns}",
                lambda: F.layer_norm(x, (columns,), w, w), rounds)


if __name__ == "__main__":
    main()
