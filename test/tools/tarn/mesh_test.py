#!/usr/bin/env python3
"""`tarn plan --mesh` against published formulas and counts by hand. The formulas
stand here and nowhere in the compiler.

Usage: mesh_test.py EXAMPLES INPUTS DEVICES CONFIGURATIONS FOLDER
"""
import collections
import json
import math
import subprocess
import sys

failures = []
EXAMPLES, INPUTS, DEVICES, CONFIGS, FOLDER = sys.argv[1:6]
GIB = 2**30


def check(condition, *what):
    if not condition:
        failures.append(" ".join(map(str, what)))


def run(*words):
    return subprocess.run(["tarn", "plan", *map(str, words)], capture_output=True,
                          text=True, timeout=120, check=False)


def sized(model, *words):
    path = model if model.startswith((FOLDER, INPUTS, CONFIGS)) else f"{EXAMPLES}/{model}"
    ran = run(path, *words, "--json")
    check(ran.returncode == 0, model, words, ran.stderr)
    return json.loads(ran.stdout) if ran.returncode == 0 else None


def states(stage):
    return stage["weights"] + stage["gradients"] + stage["optimizer"]


def saved(result):
    """Bytes that the backward pass reads, by layer."""
    layers = collections.Counter()
    for tensor in result["tensors"]:
        if tensor["role"] == "saved":
            layers[int(tensor["layer"])] += tensor["rank_bytes"]
    return layers


def same(got, wanted, *what):
    check(got == wanted, *what, ": got", got, "wanted", wanted)


def near(got, wanted, share, *what):
    check(abs(got - wanted) <= share * wanted, *what, ": got", got, "wanted", wanted)


def text(name, body):
    path = f"{FOLDER}/{name}.tarn"
    with open(path, "w", encoding="utf-8") as file:
        file.write(body)
    return path


# --- Parameters, gradients, optimizer state: arXiv 1910.02054 ---------------

TWO = """use nn (Projection)
module Net(narrow, wide) {
  up = Projection(narrow, wide)
  down = Projection(wide, narrow)
  fn (x: [B, narrow]) { down(relu(up(x))) }
}
model net = Net(50_000, WIDE)
train step(x: f32[B = 64, 50_000]) {
  loss = mean(net(x) ** 2)
  optimizer = OPTIMIZER
}
"""
ADAM = "AdamW(rate = 1e-3)"


def two(name, wide, optimizer=ADAM):
    return text(name, TWO.replace("WIDE", str(wide)).replace("OPTIMIZER", optimizer))


def test_states():
    seven = two("seven", 70_000)
    result = sized(seven, "--mesh", "dp=1", "--recipe", "megatron")
    same(result["parameters"], 7_000_000_000, "7B")
    same(states(result["stages"][0]), 112e9, "16 bytes a parameter")
    main = sized(seven, "--mesh", "dp=1", "--recipe", "megatron-main-grads")
    same(states(main["stages"][0]), 18 * 7e9, "18 bytes a parameter")
    dist = sized(seven, "--mesh", "dp=64", "--recipe", "megatron-main-grads", "--zero", 1)
    near(states(dist["stages"][0]), (6 + 12 / 64) * 7e9, 1e-9, "distributed optimizer")
    deepseek = sized(seven, "--mesh", "dp=1", "--recipe", "deepseek-v3")
    same(states(deepseek["stages"][0]), 14 * 7e9, "14 bytes a parameter")
    typed = sized(seven, "--mesh", "dp=1")
    same(states(typed["stages"][0]), 16 * 7e9, "all in f32: 4 + 4 + 8")
    # What the optimizer keeps is found in the graph.
    plain = two("plain", 70_000, "SGD(rate = 1e-3)")
    same(states(sized(plain, "--mesh", "dp=1")["stages"][0]), 8 * 7e9, "SGD keeps nothing")
    heavy = two("heavy", 70_000, "SGD(rate = 1e-3, momentum = 0.9)")
    same(states(sized(heavy, "--mesh", "dp=1")["stages"][0]), 12 * 7e9, "momentum")

    zero = two("zero", 75_000)
    for stage, wanted in ((0, 120), (1, 31.4), (2, 16.6), (3, 1.9)):
        result = sized(zero, "--mesh", "dp=64", "--recipe", "megatron", "--zero", stage)
        got = states(result["stages"][0]) / 1e9
        check(f"{got:.4g}"[:len(str(wanted))] == str(wanted) or round(got, 1) == wanted,
              "ZeRO", stage, got, wanted)

    llama = sized("llama/llama.tarn", "--mesh", "dp=1", "--recipe", "megatron")
    same(llama["parameters"], 6_738_415_616, "Llama-2-7B")
    same(states(llama["stages"][0]), 16 * 6_738_415_616, "107.8 GB")


# --- Activations: arXiv 2205.05198 ------------------------------------------

MEGATRON = {  # layers, heads, width, batch, GiB of a layer, GiB of all
    "22B": (48, 64, 6144, 4, 6.594, 316.5),
    "175B": (96, 96, 12288, 1, 2.672, 256.5),
    "530B": (105, 128, 20480, 1, 3.828, 402.0),
    "1T": (128, 160, 25600, 1, 4.785, 612.5),
}
GPT = ("megatron/gpt.tarn", "--recipe", "megatron", "--policy", "keep-all", "--fuse", "off")
WRITTEN_OUT = (*GPT, "--attention", "materialised")


def test_megatron():
    s, t, vocab = 2048, 8, 51200
    for name, (layers, a, h, b, gib, total) in MEGATRON.items():
        model = (*WRITTEN_OUT, "--dropout-masks", "saved", "--set",
                 f"layers={layers},heads={a},width={h}", "--shape", f"B={b}")
        unit = s * b * h
        quadratic = 5 * a * s / h
        cases = {
            "none": (("--mesh", "tp=1"), 34 + quadratic),
            "tp": (("--mesh", f"tp={t}"), 10 + 24 / t + quadratic / t),
            "tp sp": (("--mesh", f"tp={t}", "--sequence-parallel"), (34 + quadratic) / t),
            "tp selective": (("--mesh", f"tp={t}", "--recompute", "selective"), 10 + 24 / t),
            "tp sp selective": (("--mesh", f"tp={t}", "--sequence-parallel", "--recompute",
                                 "selective"), 34 / t),
            "full": (("--mesh", "tp=1", "--recompute", "full"), 2),
        }
        if name != "22B":  # the widths scale alike: one model shows all techniques
            cases = {"none": cases["none"], "tp sp": cases["tp sp"]}
        for case, (words, wanted) in cases.items():
            result = sized(*model, *words)
            same(result["layers"], layers, name, case, "layers")
            by_layer = saved(result)
            for layer in range(layers):
                same(by_layer[layer], round(unit * wanted), name, case, "layer", layer)
            # What is given up is there again for the backward pass of one layer.
            again = {"full": 32 + quadratic, "tp selective": quadratic / t,
                     "tp sp selective": quadratic / t}.get(case, 0)
            same(result["stages"][0]["recomputed"], round(unit * again), name, case, "again")
            split = t if "sp" in case.split() else 1
            same(by_layer[-1], unit // split, name, case, "dropout of the embedding")
            if case == "none":
                near(by_layer[0] / GIB, gib, 1e-3, name)
                near(sum(by_layer[i] for i in range(layers)) / GIB, total, 1e-3, name)
            # Last norm, head, logits in 32 bits: 4 s b h / t (1 + v / h); beside
            # it three numbers a token.
            if case == "none" or case.startswith("tp sp"):
                near(by_layer[layers], 4 * unit / split * (1 + vocab / h), 1e-3, name, case)
        result = sized(*model, "--mesh", "pp=" + str(7 if layers == 105 else 8))
        stages = result["stages"]
        p = len(stages)
        same(stages[0]["micro_batches"], p, "1F1B")
        near(stages[0]["activations"], unit * (34 + quadratic) * layers + p * unit, 1e-9,
             name, "the first stage holds as much as all layers")
        same(stages[1]["activations"],
             round(unit * (34 + quadratic) * layers / p) * (p - 1), name, "the second")
    # The same model without dropout: attention that is written out by an option.
    plain = sized(*WRITTEN_OUT, "--mesh", "tp=1", "--set", "layers=4,dropped=0")
    same(saved(plain)[1], 2048 * 4 * 6144 * 32 + 2 * 64 * 2048**2 * 4, "no dropout")
    fused = sized(*GPT, "--mesh", "tp=1", "--set", "layers=4,dropped=0")
    same(saved(fused)[1], 2048 * 4 * 6144 * 32 + 2 * 64 * 2048 * 4, "one sum a row")
    # GELU's and dropout's results are made of what is kept anyway.
    cheap = sized(*WRITTEN_OUT, "--mesh", "tp=1", "--set", "layers=4", "--recompute", "cheap")
    same(saved(cheap)[1], 2048 * 4 * 6144 * 24 + 2 * 64 * 2048**2 * 4, "cheap")
    drawn = sized(*WRITTEN_OUT, "--mesh", "tp=1", "--set", "layers=4", "--dropout-masks",
                  "replayed")
    same(saved(drawn)[1], 2048 * 4 * 6144 * 32 + 4 * 64 * 2048**2 * 4, "masks drawn again")


# --- Counts by hand ---------------------------------------------------------

def test_gpt2():
    layers, h, heads, vocab, context, b, s = 12, 768, 12, 50257, 1024, 8, 512
    model = ("gpt2/gpt2.tarn", "--shape", f"B={b},T={s}")
    token = b * s

    def layer(t, sp):
        whole = 4 * h / sp                    # both norms: in and out
        split = (3 * h + h + 8 * h + heads) / t  # qkv, mixed, MLP, a sum a row and head
        return 4 * token * (whole + split)

    def parameters(t):
        padded = math.ceil(vocab / t)
        whole = 4 * h + 2 * h                 # norms, biases behind row products
        split = (3 * h * h + 3 * h + h * h + 8 * h * h + 4 * h) / t
        return padded * h + context * h + layers * (whole + split) + 2 * h

    for t, sp in ((1, 1), (4, 1), (4, 4)):
        words = ["--mesh", f"tp={t},dp=2"] + (["--sequence-parallel"] if sp > 1 else [])
        for zero in range(4):
            result = sized(*model, *words, "--zero", zero)
            stage, p = result["stages"][0], parameters(t)
            near(stage["weights"], 4 * p / (2 if zero >= 3 else 1), 1e-9, "weights", t, zero)
            near(stage["gradients"], 4 * p / (2 if zero >= 2 else 1), 1e-9, "gradients", t, zero)
            near(stage["optimizer"], 8 * p / (2 if zero >= 1 else 1), 1e-9, "states", t, zero)
        for i in range(layers):
            same(saved(result)[i], layer(t, sp) / 2, "GPT-2 layer", i, t, sp)
        padded = [entry["extent"] for entry in result["padded"]]
        check(padded == ([vocab] if t > 1 else []), "padded", padded)
    # What norms make and products widen is made again: their narrow ends are kept.
    narrow = sized(*model, "--mesh", "tp=1", "--recompute", "narrow")
    for i in range(layers):
        same(saved(narrow)[i], 4 * token * (2 * h + h + heads), "GPT-2 narrow", i)
    # Fewer heads: only the sums a row and head go.
    few = sized(*model, "--mesh", "tp=1", "--set", "heads=6")
    many = sized(*model, "--mesh", "tp=1")
    same(saved(many)[3] - saved(few)[3], 4 * token * 6, "heads")


def test_llama():
    layers, h, f, heads, kv, vocab, b, s, t = 4, 512, 1376, 8, 4, 32000, 2, 256, 4
    model = ("llama/llama.tarn", "--shape", f"B={b},T={s}", "--set",
             f"layers={layers},width={h},hidden={f},heads={heads},kv={kv},vocab={vocab}")
    wide = h // heads * kv
    result = sized(*model, "--mesh", f"tp={t}", "--sequence-parallel")
    # Norms: in and out; q and mixed, k and v, a sum a row and head; gate, up,
    # silu(gate) and their product.
    token = (4 * h + 2 * h + 2 * wide + heads + 4 * f) / t
    for i in range(layers):
        same(saved(result)[i], 4 * b * s * token, "Llama layer", i)
    cheap = sized(*model, "--mesh", f"tp={t}", "--sequence-parallel", "--recompute", "cheap")
    same(saved(cheap)[2], 4 * b * s * (token - 2 * f / t), "silu and product are made again")
    split = (2 * h * h + 2 * h * wide + 3 * h * f) / t
    p = 2 * vocab * h / t + layers * (split + 2 * h) + h
    same(result["stages"][0]["weights"], 4 * p, "Llama weights")
    # The parameters that tensor parallelism splits are found, not named.
    whole = {x["name"] for x in result["tensors"] if x["role"] == "parameter" and x["tp"] == 1}
    check(all("norm" in name for name in whole) and len(whole) == 2 * layers + 1, whole)


# A layer's text with one more residual: its product is kept once more.
BLOCK = """use nn (Projection, RMSNorm)
module Block(width) {
  norm = RMSNorm(width)
  up = Projection(width, 4 * width)
  down = Projection(4 * width, width)
  fn (x: [B, width]) { x + down(relu(up(norm(x)))) }
}
module Net(width = 64, depth = 6) {
  first = Projection(32, width)
  blocks = [Block(width) for i in 0..depth]
  fn (x: [B, 32]) {
    let h = first(x)
    for block in blocks { h = block(h) }
    h
  }
}
model net = Net()
train step(x: f32[B = 16, 32]) {
  loss = mean(net(x) ** 2)
  optimizer = AdamW(rate = 1e-3)
}
"""


def test_text():
    plain = sized(text("plain_block", BLOCK), "--mesh", "dp=1")
    same(plain["layers"], 6, "layers by form")
    # In and out of the norm, in and out of relu.
    same(saved(plain)[2], 4 * 16 * (64 + 64 + 256 + 256), "a block")
    body = BLOCK.replace("x + down(relu(up(norm(x))))",
                         "let y = norm(x)\n    x + down(relu(up(y))) * y")
    gated = sized(text("gated_block", body), "--mesh", "dp=1")
    same(saved(gated)[2] - saved(plain)[2], 4 * 16 * 64, "a gate keeps what it multiplies")
    body = BLOCK.replace("x + down(relu(up(norm(x))))",
                         "let y = up(norm(x))\n    x + down(relu(y) + y)")
    longer = sized(text("residual_block", body), "--mesh", "dp=1")
    # relu's result is no longer read by the product, the sum is.
    same(saved(longer)[2], saved(plain)[2], "a residual around relu")
    body = BLOCK.replace("x + down(relu(up(norm(x))))",
                         "let y = x + norm(x)\n    y + down(relu(up(y)))")
    twice = sized(text("residual_norm", body), "--mesh", "dp=1")
    same(saved(twice)[2], saved(plain)[2], "the sum is kept, the norm's result is not")


def test_names():
    """What parameters and modules are called says nothing."""
    with open(f"{EXAMPLES}/megatron/gpt.tarn", encoding="utf-8") as file:
        body = file.read()
    for old, new in (("words", "q"), ("places", "lm_head"), ("qkv", "norm"), ("proj", "words"),
                     ("norm_1", "up"), ("norm_2", "experts"), ("mlp", "router"),
                     ("dropped", "kept"), ("attention = Attention", "wte = Attention"),
                     ("attention(norm", "wte(norm"), ("**.norm*.*", "**.bias")):
        body = body.replace(old, new)
    body = body.replace("attention(up(x))", "wte(up(x))")
    words = ("--mesh", "tp=8,dp=2,pp=2", "--sequence-parallel", "--recipe", "megatron", "--zero",
             1, "--set", "layers=6")
    named, other = sized("megatron/gpt.tarn", *words), sized(text("names", body), *words)
    if named and other:
        check(named["stages"] == other["stages"], named["stages"], other["stages"])


def test_accumulation():
    model = ("gpt2/gpt2.tarn", "--shape", "B=8,T=512", "--set")
    once = sized(*model, "layers=4", "--mesh", "pp=4")
    more = sized(*model, "layers=4,accumulation=3", "--mesh", "pp=4")
    for row in ("weights", "gradients", "optimizer", "activations_each"):
        same(more["stages"][1][row], once["stages"][1][row], "accumulation", row)
    same([s["micro_batches"] for s in once["stages"]], [4, 3, 2, 1], "1F1B")
    same([s["micro_batches"] for s in more["stages"]], [3, 3, 2, 1], "three micro-batches")
    # The table of words is read by the first stage and the last one.
    words = 50257 * 768 * 4
    same(once["stages"][0]["weights"] - once["stages"][1]["weights"], words + 1024 * 768 * 4,
         "first stage")
    same(once["stages"][3]["weights"] - once["stages"][1]["weights"], words + 2 * 768 * 4,
         "last stage")


def test_uneven_stages():
    # 12 layers on 5 stages: late ones but the last take one more.
    model = ("gpt2/gpt2.tarn", "--shape", "B=8,T=512", "--mesh")
    even, uneven = sized(*model, "pp=12"), sized(*model, "pp=5")
    same([(s["first_layer"], s["end_layer"]) for s in uneven["stages"]],
         [(0, 2), (2, 4), (4, 7), (7, 10), (10, 12)], "layers")
    layer = even["stages"][5]
    for stage, layers in ((1, 2), (2, 3), (3, 3)):
        for row in ("weights", "gradients", "optimizer", "activations_each"):
            same(uneven["stages"][stage][row], layers * layer[row], "stage", stage, row)
    for row in ("weights", "optimizer"):
        same(sum(s[row] for s in uneven["stages"]), sum(s[row] for s in even["stages"]), row)
    # Copies in bf16 lie where the weights are read.
    bf16 = sized(*model, "pp=5", "--set", "mode=bf16")
    stages = bf16["stages"]
    same(stages[0]["copies"], stages[1]["copies"], "words are looked up in 32 bits")
    for stage in stages[1:]:
        near(2 * stage["copies"], stage["weights"], 0.03, "copies on stage", stage["stage"])


def test_fused():
    # Kernels keep what they hand on: no more than the ops would, but for sums.
    model = ("llama/llama.tarn", "--shape", "B=2,T=128", "--set",
             "layers=2,width=256,hidden=512,heads=4,kv=4,vocab=512")
    ops = sized(*model, "--mesh", "tp=2")
    kernels = sized(*model, "--mesh", "tp=2", "--fuse", "on")
    for row in ("weights", "gradients", "optimizer"):
        same(kernels["stages"][0][row], ops["stages"][0][row], "kernels", row)
    near(kernels["stages"][0]["activations"], ops["stages"][0]["activations"], 0.3, "kernels")
    ran = run(f"{EXAMPLES}/llama/llama.tarn", "--mesh", "pp=2", "--fuse", "on")
    check(ran.returncode == 2 and "--fuse off" in ran.stderr, ran.stderr)


# --- Experts ----------------------------------------------------------------

def test_experts():
    tokens, width, experts, hidden, load = 128, 64, 8, 256, 1.25
    graph = f"{INPUTS}/experts.mlir"
    for dp, ep, tp in ((1, 1, 1), (4, 1, 1), (4, 4, 1), (8, 4, 1), (8, 8, 1), (8, 4, 2)):
        result = sized(graph, "--mesh", f"dp={dp},ep={ep},tp={tp}", "--imbalance", load,
                       "--zero", 1)
        stage = result["stages"][0]
        router, matrices = width * experts, 2 * experts * width * hidden / ep / tp
        same(stage["weights"], 4 * (router + matrices), "experts", dp, ep, tp)
        # Ranks that hold the same experts share their states: dp / ep of them.
        same(stage["optimizer"], 8 * (router / dp + matrices / (dp / ep)), "states", dp, ep)
        # Each rank has the tokens of dp / (dp / ep) ranks for 1 / ep of the experts.
        fullest = load if ep > 1 else 1
        dispatched = tokens * experts / dp * fullest
        features = 2 * hidden / tp + width       # in and out of relu, the result
        own = tokens / dp * (experts + width)    # gates, what the loss squares
        same(stage["activations"], 4 * (dispatched * features + own + 1), "tokens", dp, ep)
    for axes, wanted in (("dp=16,ep=16", "ep=16 does not divide 8: dim 0 of `up`"),
                         ("dp=8,tp=512", "tp=512 does not divide 256: dim 2 of `up`")):
        ran = run(graph, "--mesh", axes)
        check(ran.returncode == 1 and ran.stderr.count("error: ") == 1 and
              wanted in ran.stderr and "experts.mlir:1" in ran.stderr, ran.stderr)


def test_configurations():
    # DeepSeek-V3: 14 bytes a parameter; what a layer of experts saves of a token.
    v3 = sized(f"{CONFIGS}/deepseek-v3.json", "--mesh", "dp=8,ep=8", "--recipe", "deepseek-v3",
               "--shape", "B=8,T=512")
    same(v3["parameters"], 671_026_419_200, "V3")
    same(v3["layers"], 61, "V3 layers")
    one = sized(f"{CONFIGS}/deepseek-v3.json", "--mesh", "dp=1", "--recipe", "deepseek-v3",
                "--shape", "B=1,T=512")
    biases = 58 * 256  # of the balance: no optimizer moves them
    same(states(one["stages"][0]), 14 * (671_026_419_200 - biases) + 2 * biases, "9.39 TB")
    h, heads, f, k, experts = 7168, 128, 2048, 8, 256
    latent = 2 * h + 2 * 1536 + 2 * 512 + heads * (192 + 192 + 128 + 128) + heads
    routed = 2 * h + 2 * k * h + 4 * (k + 1) * f + experts
    token = saved(one)[10] / 512
    near(token, 2 * (latent + routed), 1e-3, "bytes of a token in a layer of V3")
    # Published counts take silu(gate) * up as one op.
    near(token - 2 * (k + 1) * f, 556e3, 0.03, "about 556 KB")
    # The recipe of the paper: what norms and up-projections make is made again, the
    # rows that experts get and what they make a gate of are kept in 8 bits, what
    # attention made in 12, each with a scale of 4 bytes for 128 elements.
    recipe = sized(f"{CONFIGS}/deepseek-v3.json", "--mesh", "dp=1", "--recipe",
                   "deepseek-v3-fp8", "--recompute", "narrow", "--shape", "B=1,T=512")
    small = saved(recipe)[10] / 512
    mixed = 2 * (h + 1536 + 512 + 64 + heads) + heads * 128 * (12 / 8 + 4 / 128)
    fed = 2 * h + (k * h + 2 * (k + 1) * f) * (1 + 4 / 128) + 2 * experts
    near(small, mixed + fed, 1e-3, "bytes of a token under the FP8 recipe")
    near(small, 156e3, 0.01, "about 156 KB: 44 of attention and 112 of experts")
    near(mixed, 44e3, 0.01, "44 KB")
    near(fed, 112e3, 0.01, "112 KB")
    near(small * 4096 * 58 / GIB, 35, 0.02, "35 GiB for 4096 tokens and 58 layers")
    near(token * 4096 * 58 / GIB, 123 + 2 * (k + 1) * f * 4096 * 58 / GIB, 0.03, "123 GiB")
    same(states(recipe["stages"][0]), states(one["stages"][0]), "states as without")
    # An eighth of the experts, all else whole.
    matrices = 58 * 256 * 3 * h * f
    same(v3["stages"][0]["weights"], 2 * (671_026_419_200 - matrices * 7 // 8), "ep=8")
    dispatched = [x for x in v3["tensors"] if x["role"] == "saved" and x["ep"] == 8]
    check(len(dispatched) == 58 * 6, "rows and their places, gate, up, silu, product",
          len(dispatched))
    heads8 = sized(f"{CONFIGS}/deepseek-v3.json", "--mesh", "tp=8", "--shape", "B=1,T=512")
    whole = {x["name"].split(".", 3)[-1] for x in heads8["tensors"]
             if x["role"] == "parameter" and x["tp"] == 1 and ".layers.30." in x["name"]}
    check(whole == {"input_layernorm.weight", "post_attention_layernorm.weight",
                    "self_attn.q_a_proj.weight", "self_attn.q_a_layernorm.weight",
                    "self_attn.kv_a_proj_with_mqa.weight", "self_attn.kv_a_layernorm.weight",
                    "mlp.gate.weight", "mlp.gate.e_score_correction_bias"}, "V3 tp", whole)
    # Models of other families: every large matrix is found.
    for name, layers in (("qwen3-8b", 36), ("gemma-2-9b", 42), ("mixtral-8x7b", 32)):
        result = sized(f"{CONFIGS}/{name}.json", "--mesh", "tp=4", "--shape", "B=1,T=256")
        same(result["layers"], layers, name)
        for tensor in result["tensors"]:
            large = tensor["shape"].count("x") >= 1 and "block_sparse_moe.gate" not in \
                tensor["name"] and ".gate.weight" not in tensor["name"]
            check(tensor["role"] != "parameter" or not large or tensor["tp"] == 4, name, tensor)


# --- Devices x counts -------------------------------------------------------

def test_table():
    with open(f"{DEVICES}/h100.json", encoding="utf-8") as file:
        device = json.load(file)
    rate = device["targets"][0]["dots"]["bf16"]
    rate = rate["peak"]["value"] * rate["efficiency"]["value"]
    memory = device["memory"]["peak"]["value"] * device["memory"]["efficiency"]["value"]
    room = device["memory_bytes"]["value"] - device["context_bytes"]["value"]
    batch, narrow, wide = 65536, 50_000, 70_000
    model = (two("table", wide), "--shape", f"B={batch}", "--recipe", "megatron",
             "--tokens", 1e12, "--devices", "h100,a100", "--counts", "8,64,512,100")
    rows = sized(*model, "--mesh", "dp=8,tp=8", "--zero", 1)["table"]
    check(len(rows) == 8 and [r["count"] for r in rows[:4]] == [8, 64, 512, 100], rows)
    check([r["dp"] for r in rows[:4]] == [1, 8, 64, 0], "100 is no multiple of 8", rows)
    one, eight, many = rows[:3]
    # Five products a step: two forward, three backward (none for the input).
    p, share = 2 * narrow * wide, batch / 8
    products = 5 * 2 * narrow * wide * share / 8 / rate
    near(one["days"], 1e12 / one["tokens_per_second"] / 86400, 1e-6, "days")
    seconds = share * 8 / eight["tokens_per_second"]
    # In and out of relu, what the loss squares; weights and gradients.
    passes = 3 * 2 * share * (2 * wide / 8 + 1 * narrow) / memory
    update = (2 * (2 * p / 8 + 12 * p / 64) + 2 * p / 8) / memory
    near(seconds, products + passes + update, 0.02, "seconds of a step")
    near(many["tokens_per_second"], 64 * one["tokens_per_second"], 0.2, "64 times the ranks")
    check(many["tokens_per_second"] > 64 * one["tokens_per_second"], "ZeRO shares the update")
    for row in rows[:3]:
        check(row["fits"] == (row["rank_bytes"] <= row["room_bytes"]), row)
        same(row["room_bytes"], int(room), "room")
    # Full recompute runs the forward pass once more but for a layer's last product (a
    # third of the products' work), selective only the scores.
    gpt = ("megatron/gpt.tarn", "--recipe", "megatron", "--mesh", "tp=8", "--set", "layers=8",
           "--tokens", 1e12, "--counts", 8, "--recompute")
    none, selective, full = (sized(*gpt, r)["table"][0]["tokens_per_second"]
                             for r in ("none", "selective", "full"))
    check(0.8 * none < full < 0.9 * none, "full recompute", full / none)
    check(0.9 * none < selective < none, "selective recompute", selective / none)
    small = sized(*model[:3], *model[5:], "--recipe", "megatron", "--mesh", "tp=1")["table"]
    check(not small[0]["fits"], "7B and a batch of 65536 in one device", small[0])
    wide = run(f"{EXAMPLES}/llama/llama.tarn", "--mesh", "tp=8,pp=4", "--sequence-parallel",
               "--recipe", "megatron-main-grads", "--list", 400, "--recompute", "full",
               "--tokens", 1e13, "--counts", "8,100,1024", "--devices", "h100,rtx4090").stdout
    check(wide.count("\n") > 400 and
          max(map(len, wide.splitlines())) <= 80, "wider than a terminal",
          max(wide.splitlines(), key=len))
    said = run(*model, "--mesh", "dp=8,tp=8").stdout
    check("Communication is not modelled" in said and "no communication slows" in said, said)
    check(max(map(len, said.splitlines())) <= 80, "wider than a terminal", said)


test_states()
test_experts()
test_configurations()
test_table()
test_megatron()
test_gpt2()
test_llama()
test_text()
test_names()
test_accumulation()
test_uneven_stages()
test_fused()
for failure in failures[:20]:
    print(failure, file=sys.stderr)
print(len(failures), "failures")
sys.exit(bool(failures))
