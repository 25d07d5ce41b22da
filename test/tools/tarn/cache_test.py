#!/usr/bin/env python3
"""The cache of artifacts: when it is asked, when not, and what it holds.

Usage: cache_test.py DEVICES FOLDER [cuda]
"""
import glob
import os
import re
import shutil
import subprocess
import sys

failures = []

MODEL = """use nn (Linear)
module M(width = 8, depth = 2) {
  a = Linear(width, width)
  fn (x: [B, width]) { relu(a(x)) }
}
model net = M()
train step(x: [B = 4, 8]) {
  loss = mean(net(x) ** 2)
  optimizer = SGD(rate = 0.1)
}
eval look(x: [B, 8]) { loss = mean(net(x)) }
"""
# Of what this keeps, much can be made again.
DEEP = MODEL.replace("relu(a(x))", "a(gelu(a(x)))").replace("B = 4", "B = 256")


def check(condition, what):
    if not condition:
        failures.append(str(what)[:2000])


def tarn(*words, code=0, **variables):
    ran = subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True, timeout=120, check=False,
                         env={**os.environ, **{name: str(value) for name, value in variables.items()}})
    check(ran.returncode == code, f"tarn {words} {variables}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def content(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def entries(folder="cache"):
    return sorted(glob.glob(f"{folder}/*.art"))


def compiled(*words, model="m.tarn", hit, **variables):
    """Compiles; whether the cache had it must be `hit`. What is printed but the seconds, and the bytes."""
    ran = tarn("compile", model, *words, "-o", "out.art", **variables)
    lines = ran.stdout.splitlines()
    check(bool(re.fullmatch(r" cache \d+\.\d\ds ", lines[1])) == hit, f"hit is not {hit}: {words} {variables}\n{lines}")
    return lines[:1] + lines[2:] + [ran.stderr], content("out.art")


def main(devices, folder):
    os.makedirs(folder)
    os.chdir(folder)
    os.environ["TARN_CACHE"] = f"{folder}/cache"
    write("m.tarn", MODEL)
    (cuda_inputs if sys.argv[3:] else inputs)(devices)
    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


def inputs(devices):
    first = compiled(hit=False)
    check(compiled(hit=True) == first, "a hit differs")
    # Where it is written and how much is printed is not what is compiled.
    check(tarn("compile", "m.tarn", "-q", "-o", "quiet.art").stdout == "" and content("quiet.art") == first[1], "-q")
    check(len(entries()) == 1, entries())
    # What `train` and `run` compile is the same.
    header = b'{"x":{"dtype":"F32","shape":[4,8],"data_offsets":[0,128]}}'
    with open("x.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + bytes(128))
    tarn("run", "m.tarn", "--set", "depth=5", "--inputs", "x.safetensors", "--outputs", "y.safetensors")
    compiled("--set", "depth=5", "--budget", "none", hit=True)

    # Everything that is an input.
    shutil.copy(f"{devices}/cpu.json", "mine.json")
    for words in (["--set", "depth=3"], ["--shape", "B=8"], ["--target", "cpu:x86-64-v3,cpu:x86-64-v4"],
                  ["--policy", "recompute-all"], ["--policy", "keep-all"], ["--precision", "tf32"],
                  ["--budget", "1MiB"], ["--budget", "1MiB", "--allow", "rounding"],
                  ["--budget", "1MiB", "--host-memory", "0"], ["--target", "mine.json"],
                  ["--ungrouped"]):
        missed = compiled(*words, hit=False)
        check(compiled(*words, hit=True) == missed, words)
    write("mine.json", content("mine.json").decode().replace('"name": "cpu"', '"name": "mine"', 1))
    compiled("--target", "mine.json", hit=False)
    write("m.tarn", "// A comment moves lines.\n" + MODEL)
    check(compiled(hit=False)[1] != first[1], "lines did not move")
    write("m.tarn", MODEL)
    compiled(hit=True)
    shutil.copy("m.tarn", "other.tarn")
    compiled(model="other.tarn", hit=False)
    compiled("--no-cache", hit=False)

    # Who asks for more than an artifact gets it.
    for words in (["--json"], ["--dump", "dump"], ["--verify-each-numerics"], ["--to", "plan"]):
        said = tarn("compile", "m.tarn", *words, "-o", "out").stdout
        check(" cache " not in said and '"cache"' not in said, said)
    check(os.path.isdir("dump"), "no dump")

    # What is said is said again, and limits hold.
    write("deep.tarn", DEEP)
    ample = compiled(model="deep.tarn", hit=False)
    noted = compiled(model="deep.tarn", hit=False, TARN_FREE_MEMORY=38000)
    check("note: a step that keeps everything" in noted[0][-1], noted[0])
    check(compiled(model="deep.tarn", hit=False, TARN_FREE_MEMORY=38000) == noted, "the note went")
    check(compiled(model="deep.tarn", hit=True) == ample, "what is free changed what is kept")
    said = tarn("compile", "m.tarn", "-o", "out.art", code=1, TARN_FREE_MEMORY=1000).stderr
    check("does not fit" in said, said)

    damage()
    bound()


def damage():
    """Damage, and what is another's, is no artifact."""
    os.environ["TARN_CACHE"] = "damaged"
    first = compiled(hit=False)
    [path] = entries("damaged")
    good = content(path)
    compiled("--set", "depth=3", hit=False)
    [other] = set(entries("damaged")) - {path}
    for wrong in (good[:20], good[:200] + bytes([good[200] ^ 1]) + good[201:], content(other)):
        with open(path, "wb") as file:
            file.write(wrong)
        check(compiled(hit=False) == first and content(path) == good, f"{len(wrong)} wrong bytes were not healed")
    os.chmod("damaged", 0o777)
    compiled(hit=False)


def bound():
    """What was used last stays."""
    os.environ["TARN_CACHE"] = "small"
    compiled("--set", "depth=2", hit=False)
    [left] = entries("small")
    size = os.path.getsize(left)
    os.environ["TARN_CACHE_BYTES"] = str(5 * size // 2)
    # A store that was killed leaves a file; what is not ours stays.
    write(f"{left}.temp-stream-0a1b2c", "x" * size)
    os.utime(f"{left}.temp-stream-0a1b2c", (1, 1))
    write("small/mine.art", "x" * 4 * size)
    os.utime("small/mine.art", (1, 1))
    compiled("--set", "depth=3", hit=False)
    compiled("--set", "depth=2", hit=True)
    compiled("--set", "depth=4", hit=False)
    check(len(os.listdir("small")) == 3 == len(entries("small")) and "small/mine.art" in entries("small"),
          os.listdir("small"))
    compiled("--set", "depth=2", hit=True)
    compiled("--set", "depth=4", hit=True)
    compiled("--set", "depth=3", hit=False)
    compiled("--set", "depth=6", hit=False, TARN_CACHE_BYTES=0)
    check(entries("small") == ["small/mine.art"], entries("small"))
    # Several at once, which remove what the others look for.
    alone = {depth: compiled("--set", f"depth={depth}", hit=False, TARN_CACHE_BYTES=0)[1] for depth in (2, 3, 4)}
    running = [(depth, f"{i}.art", subprocess.Popen(["tarn", "compile", "m.tarn", "--set", f"depth={depth}", "-q",
                                                      "-o", f"{i}.art"])) for i, depth in enumerate((2, 3, 4) * 2)]
    for depth, path, process in running:
        check(process.wait(120) == 0 and content(path) == alone[depth], path)
    check(sum(map(os.path.getsize, entries("small"))) <= 5 * size // 2 + 4 * size, entries("small"))


def cuda_inputs(_):
    """What only a GPU's artifact is made from."""
    target = ["--target", "cuda:sm_90a"]
    for words in ([], ["--keep-source"], ["--gemm", "cublaslt"]):
        missed = compiled(*target, *words, hit=False)
        check(compiled(*target, *words, hit=True) == missed, words)
        check(("products  " in str(missed[0])) == ("cublaslt" in words), missed[0])
        check("note: the model says no precision" in str(missed[0]), missed[0])
    tuning = '{"tarn_tuning":1,"model":"m","architecture":"sm_90a","device":"%s","date":"today","driver":13000,' \
             '"cublaslt":0,"kernels":[]}'
    for device in ("an H100", "an H200"):
        write("tune.json", tuning % device)
        missed = compiled(*target, "--tune-file", "tune.json", hit=False)
        check(f"0 of 0 entries, measured on {device}, today" in str(missed[0]), missed[0])
        check(compiled(*target, "--tune-file", "tune.json", hit=True) == missed, device)
    # A hit makes no code, but says what is missing for it.
    said = tarn("compile", "m.tarn", *target, "-o", "none.art", code=1, TARN_NVRTC="/nowhere/libnvrtc.so.13").stderr
    check("NVRTC cannot be loaded" in said and not os.path.exists("none.art"), said)
    explained = tarn("compile", "m.tarn", *target, "--explain-gemm", "-o", "out.art").stdout
    check(re.search(r"(\d+) distinct, \1 cached", explained) and "cost 1.00" in explained, explained)
    tarn("compile", "m.tarn", *target, "--emit", "cuda", "-o", "out.cu")
    check(b"tarn_device.h" in content("out.cu"), "no text")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
