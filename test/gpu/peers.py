#!/usr/bin/env python3
"""The same work by torch on this machine's GPU, beside what Tarn took.

usage: peers.py --tarn TIMES.jsonl [--device cuda] [--small]

TIMES.jsonl is what run-on-gpu and run-artifact wrote. Steps: forward, backward,
clip and AdamW in mixed precision (bf16 under autocast, weights and optimizer in
fp32), eager and compiled, SDPA and fused AdamW. Products and attention alone, the
backward pass of attention also in torch's deterministic mode. Prints both sides of
every comparison; goes on past failures. --small checks this program itself.
"""
import argparse
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench/peers"))
import gpt2_torch
import llama_torch


class Peers:
    def __init__(self, tarn, device, small):
        self.tarn, self.device, self.small = tarn, device, small
        self.failures = 0

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, run, warm=3, runs=20):
        """The least and the median of some runs, each waited for."""
        if self.small:
            warm, runs = 1, 2
        for _ in range(warm):
            run()
        times = []
        for _ in range(runs):
            self.wait()
            start = time.perf_counter()
            run()
            self.wait()
            times.append(time.perf_counter() - start)
        times.sort()
        return times[0], times[len(times) // 2]

    def line(self, what, torch_seconds, tarn_seconds, flops=0):
        """Seconds of both sides, and how many times as fast Tarn is."""
        def show(seconds):
            rate = f"{flops / seconds * 1e-12:.0f}" if seconds and flops else ""
            return f"{seconds * 1e3:10.3f} {rate:>6}" if seconds else f"{'-':>10} {'':>6}"

        ratio = f"{torch_seconds / tarn_seconds:6.2f}x" if torch_seconds and tarn_seconds else ""
        print(f"  {what:34}{show(tarn_seconds)}{show(torch_seconds)}{ratio}", flush=True)

    def attempt(self, what, run):
        try:
            return run()
        except Exception as error:  # one peer that cannot is no reason to stop
            self.failures += 1
            print(f"  {what}: FAILED: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                  flush=True)
            return None

    # Whole steps.
    def step(self, name, net, context, rows, vocab):
        net = net.to(self.device)
        optimizer = gpt2_torch.optimizer_of(net)
        x = torch.randint(vocab, (rows, context), device=self.device)
        y = torch.randint(vocab, (rows, context), device=self.device)

        def loss_of(x, y):
            with torch.autocast(self.device, dtype=torch.bfloat16):
                return gpt2_torch.loss_of(net, x, y)

        def runner(loss_of):
            def run():
                loss = loss_of(x, y)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
            return run

        for way, loss in (("eager", loss_of), ("torch.compile", torch.compile(loss_of))):
            found = self.attempt(f"{name}, {way}", lambda: self.seconds(runner(loss))[1])
            if found:
                for variant in (name, name + "_cublaslt"):
                    self.line(f"{variant}, {way}", found, self.tarn.get(variant, {}).get("seconds_median"))
        del net, optimizer
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def steps(self):
        if self.small:
            self.step("gpt2_124m", gpt2_torch.GPT2(1, 2, 64, 32, 128), 32, 2, 128)
            self.step("llama_2_layers", llama_torch.Llama(1, 2, 1, 64, 96, 32, 128), 32, 2, 128)
            return
        self.step("gpt2_124m", gpt2_torch.GPT2(12, 12, 768, 1024, 50304), 1024, 12, 50304)
        self.step("llama_2_layers", llama_torch.Llama(2, 32, 32, 4096, 11008, 4096, 32000), 4096, 1, 32000)

    # Parts of them.
    def product(self):
        n = 64 if self.small else 4096
        a, b = (torch.randn(n, n, device=self.device, dtype=torch.bfloat16) for _ in range(2))
        found = self.seconds(lambda: a @ b)[0]
        self.line("product 4096, blocks 128x256", found,
                  self.tarn.get("time_gemm_4096_wide", {}).get("seconds_min"), 2 * n ** 3)

    def attention(self, heads, forward, backward):
        t, d = (64, 32) if self.small else (4096, 128)
        q, k, v, gradient = (torch.randn(1, heads, t, d, device=self.device, dtype=torch.bfloat16, requires_grad=i < 3)
                             for i in range(4))
        flops = 4 * heads * t * t * d / 2  # causal: half of the square
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        name = f"attention {heads} heads"
        self.line(name + " forward", self.seconds(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))[0],
                  forward, flops)
        if backward is None and not self.small:
            return

        def back():
            torch.autograd.grad(out, (q, k, v), gradient, retain_graph=True)

        self.line(name + " backward", self.seconds(back)[0], backward, 2.5 * flops)
        torch.use_deterministic_algorithms(True, warn_only=True)
        self.line(name + " backward, det.", self.seconds(back)[0], backward, 2.5 * flops)
        torch.use_deterministic_algorithms(False)

    def llama_attention(self, backward):
        """Seconds a layer of Tarn's kernels for attention in one direction."""
        kernels = self.tarn.get("llama_2_layers", {}).get("kernels", [])
        found = [k for k in kernels
                 if k["name"].startswith("attention") and ("backward" in k["name"]) == backward]
        return sum(k["seconds"] * k["launches"] for k in found) / 2 or None

    def parts(self):
        self.attempt("product", self.product)
        self.attempt("attention", lambda: self.attention(
            64, self.tarn.get("time_attention_4096_rotate_true", {}).get("seconds_min"), None))
        self.attempt("attention of Llama", lambda: self.attention(
            32, self.llama_attention(False), self.llama_attention(True)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tarn", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    tarn = {}
    with open(given.tarn) as file:
        for line in file:
            entry = json.loads(line)
            tarn[entry.get("case") or entry["artifact"].removesuffix(".art")] = entry
    torch.manual_seed(0)
    device = torch.cuda.get_device_name() if given.device == "cuda" else "processors"
    print(f"torch {torch.__version__} on {device}")
    print(f"  {'':34}{'Tarn ms':>10} TFLOPS{'torch ms':>10} TFLOPS  Tarn")
    peers = Peers(tarn, given.device, given.small)
    peers.parts()
    peers.steps()
    return peers.failures != 0


if __name__ == "__main__":
    sys.exit(main())
