"""Tunes a small GPT-2 on the host driver and trains what was tuned.

usage: tune_host_test.py FOLDER MODEL DRIVER LIBRARY
"""

import json
import os
import shutil
import subprocess
import sys

folder, model, driver, library = sys.argv[1:5]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
os.chdir(folder)
sizes = ["--precision", "fp32", "--set",
         "layers=1,width=64,heads=2,context=32,vocab=128,total=20,warmup=4", "--shape", "B=4,T=32"]
# The library's second algorithm is the fastest, but for products that blocks
# of 128 rows, or a library that is not asked, can do.
times = "_128x64x32=700,_64x128x32=800,_64x64x32=3000,cublasLt.2=900,cublasLt.4=950,cublasLt.1=2000"


def run(*words, code=0, **variables):
    environment = {**os.environ, "TARN_CUDA_DRIVER": driver, "TARN_CUBLASLT": library,
                   "TARN_HOST_DRIVER_TIMES": times, **variables}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


run("host-artifact", model, "-o", "tune.art", "--target", "cuda:sm_90a", "--tune-candidates", *sizes)
said = run("tarn", "bench", "tune.art", "--tune", "tune.json", "--steps", "1")
assert "wrote tune.json" in said and "cuBLASLt 130100" in said and "of cuBLASLt's speed over all" in said, said
run("tarn", "bench", "tune.art", "--tune", "again.json", "--steps", "1", "-q", TARN_HOST_DRIVER_SEED="7")
with open("tune.json") as file, open("again.json") as again:
    text = file.read()
    assert text.split("\n", 1)[1] == again.read().split("\n", 1)[1], "injected times give other files"
tuning = json.loads(text)
assert tuning["architecture"] == "sm_90a" and tuning["cublaslt"] == 130100, tuning
assert len(tuning["date"]) == 10 and tuning["device"] and tuning["driver"], tuning
fastest = {"128x64x32": 7e-7, "64x128x32": 8e-7, "64x64x32": 3e-6}
by_library = by_block = 0
for product in tuning["kernels"]:
    candidates = product["candidates"]
    for candidate in candidates:
        if "block" in candidate:
            wanted = fastest.get("x".join(map(str, candidate["block"])), 1e-6)
            assert abs(candidate["seconds"] - wanted) < 1e-9, (candidate, wanted)
    best = candidates[product["best"]]
    assert best["seconds"] == min(candidate["seconds"] for candidate in candidates), product
    by_library += "algorithm" in best
    by_block += product["best"] > 0 and "block" in best
print("tuned: %d products, %d by cuBLASLt, %d in blocks of their own choice"
      % (len(tuning["kernels"]), by_library, by_block))

# What was chosen is what is compiled, and it trains.
run("host-artifact", model, "-o", "model.art", "--target", "cpu,cuda:sm_90a", "--tune-file", "tune.json", *sizes)
manifest = json.loads(run("tarn", "inspect", "model.art", "--json"))
kernels = next(t for t in manifest["targets"] if t.get("kind") == "cuda")["kernels"]
chosen = {kernel["library"].get("algorithm") for kernel in kernels if "library" in kernel}
recorded = {p["candidates"][p["best"]].get("algorithm") for p in tuning["kernels"]} - {None}
assert chosen and chosen <= recorded, (chosen, recorded)
for kernel in kernels:
    if "library" in kernel:
        assert kernel["library"]["version"] == 130100 and kernel["library"]["device"] == tuning["device"]
with open("text", "w") as file:
    file.write("In the beginning there was a lake below the mountains. " * 60)


def train(name, **variables):
    said = run("tarn", "train", "model.art", "text", "--steps", "5", "--log-every", "1", "--eval-every", "0",
               "--no-progress", "--out", name, **variables)
    with open(os.path.join(name, "log.jsonl")) as file:
        rows = [json.loads(line) for line in file]
    return said, [row["loss"] for row in rows if "loss" in row]


_, want = train("cpu", TARN_ISA="cpu")
said, got = train("gpu", TARN_ISA="cuda")
assert "note:" not in said, said
worst = max(abs(x - y) / abs(y) for x, y in zip(got, want))
assert len(got) == 5 and worst <= 1e-5, (got, want)
print("trained as tuned: error at most %.1e" % worst)
said, got = train("other", TARN_ISA="cuda", TARN_HOST_CUBLASLT_VERSION="130200")
assert said.count("note:") == 1 and "version 130100, this is 130200; the library's own choice runs" in said, said
assert max(abs(x - y) / abs(y) for x, y in zip(got, want)) <= 1e-5, (got, want)
print("another version: a note, the same losses")

said = run("tarn", "bench", "tune.art", "--tune", "own.json", "--steps", "1", TARN_CUBLASLT="/nowhere.so")
assert "note: candidates of cuBLASLt are left out" in said, said
with open("own.json") as file:
    own = json.load(file)
assert own["cublaslt"] == 0 and not any("algorithm" in c for p in own["kernels"] for c in p["candidates"]), own
print("without the library: the kernels' blocks alone")


# Wrong ways to ask, and wrong files.
def refuse(text, *words, **variables):
    said = run(*words, code=1, **variables)
    assert text in said, (text, said)


refuse("holds no candidates to tune", "tarn", "bench", "model.art", "--tune", "x.json")
refuse("no CUDA driver", "tarn", "bench", "tune.art", "--tune", "x.json", TARN_CUDA_DRIVER="/nowhere.so")
refuse("cannot", "tarn", "bench", "tune.art", "--tune", "missing/x.json")
refuse("candidates are made for one CUDA target at a time", "tarn", "compile", model, *sizes, "--target",
       "cuda:sm_80,cuda:sm_90a", "--tune-candidates", "-o", "x")
refuse("failed on", "tarn", "bench", "tune.art", "--tune", "x.json", "--steps", "1",
       TARN_HOST_DRIVER_FAULTS="@cublasLt:1=700")
assert not os.path.exists("x.json"), "a file of half a run"
refused = 0


def wrong(text, changed, target="cuda:sm_90a"):
    global refused
    with open("wrong.json", "w") as file:
        file.write(changed)
    refuse(text, "tarn", "compile", model, *sizes, "--target", target, "--tune-file", "wrong.json", "--emit", "cuda",
           "-o", "text.out")
    refused += 1


def with_product(change):
    """The file, with its last product changed."""
    other = json.loads(text)
    change(other, other["kernels"][-1])
    lines = [json.dumps(product) for product in other.pop("kernels")]
    return json.dumps(other)[:-1] + ", \"kernels\":[\n" + ",\n".join(lines) + "\n]}\n"


last = 1 + len(tuning["kernels"])
at = "wrong.json:%d: " % last
library_product = next(p for p in tuning["kernels"] if any("algorithm" in c for c in p["candidates"]))
algorithm = next(c for c in library_product["candidates"] if "algorithm" in c)
wrong("wrong.json:1: ", "")
wrong("wrong.json:1: this is no tuning file", "{}")
wrong("wrong.json:1: this is no tuning file", "[]")
wrong("wrong.json:2: ", text.replace("\n", "\n}", 1))
wrong("of a format that this version does not know", text.replace('"tarn_tuning":1', '"tarn_tuning":2'))
wrong("is for cuda:sm_90a", text, target="cuda:sm_80")
wrong("`device` must be a string", text.replace('"device":', '"device":3,"d":', 1))
wrong(at + "`program` must be 16 hexadecimal digits", with_product(lambda f, p: p.update(program="xyz")))
wrong(at + "`candidates` must be an array of some", with_product(lambda f, p: p.update(candidates=[])))
wrong(at + "`best` must be a number from 0 to", with_product(lambda f, p: p.update(best=99)))
wrong(at + "`seconds` must be a positive number",
      with_product(lambda f, p: p["candidates"][0].update(seconds=-1)))
wrong(at + "`block` must be rows, columns and terms",
      with_product(lambda f, p: p["candidates"].insert(0, {"block": [64, 1 << 40, 0], "seconds": 1})))
wrong(at + "a candidate has a `block` or an `algorithm`",
      with_product(lambda f, p: p["candidates"].insert(0, {"seconds": 1})))
wrong(at + "`algorithm` must be 128 hexadecimal digits",
      with_product(lambda f, p: p["candidates"].insert(0, {"algorithm": "12", "workspace": 0, "seconds": 1})))
wrong(at + "`workspace` must be a number from 0 to",
      with_product(lambda f, p: p["candidates"].insert(0, {**algorithm, "workspace": 1 << 50})))
wrong("algorithms of no version of cuBLASLt", with_product(lambda f, p: (f.update(cublaslt=0), p["candidates"].insert(
    0, algorithm))))
wrong("is in the file twice", with_product(lambda f, p: f["kernels"].append(p)))
# Good files that ask for what cannot be.
first = json.loads(text)


def every(change):
    return with_product(lambda f, p: [change(product) for product in f["kernels"]])


wrong("which are none of its candidates",
      every(lambda p: p.update(candidates=[{"block": [16, 48, 8], "seconds": 1}], best=0)))
wrong("gives this product to cuBLASLt, which cannot run it: ",
      every(lambda p: p.update(candidates=[algorithm], best=0)))
for cut in range(1, len(text) - 2, len(text) // 40):
    wrong("wrong.json:", text[:cut])
print("wrong files: %d refused, each with its line" % refused)
# Entries of other models do no harm.
with open("more.json", "w") as file:
    file.write(with_product(lambda f, p: f["kernels"].append({**p, "program": "0123456789abcdef"})))
run("host-artifact", model, "-o", "more.art", "--target", "cuda:sm_90a", "--tune-file", "more.json", *sizes)
