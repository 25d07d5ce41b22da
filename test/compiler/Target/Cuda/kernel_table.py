"""Compiles the kernels of the examples and keeps a table of their figures.

usage: kernel_table.py EXAMPLES TABLE [--renew]

For every kernel of every example, for sm_80 and sm_90a: no register is spilled,
ptxas has nothing to say on serialised products (C75xx), the budgets of
setmaxnreg add up, and registers, shared memory and bytes are those of the kept
table. Where they differ, the kernels changed: look whether that is what was
meant, and renew the table. Its figures hold for one version of NVRTC; with
another one only the rules are checked.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

examples, table = sys.argv[1:3]
renew = "--renew" in sys.argv
targets = ["sm_80", "sm_90a"]
SMALL = "layers=2,heads=2,width=128,context=128,vocab=512"
models = [
    ("gpt2", ["gpt2/gpt2.tarn", "--set", SMALL, "--shape", "B=2,T=128"]),
    ("gpt2-tf32", ["gpt2/gpt2.tarn", "--set", SMALL, "--shape", "B=2,T=128", "--precision", "tf32"]),
    ("gpt2-bf16", ["gpt2/gpt2.tarn", "--set", SMALL + ",mode=bf16", "--shape", "B=2,T=128"]),
    ("llama-bf16", ["llama/llama.tarn", "--set", SMALL + ",kv=1,hidden=256",
                    "--shape", "B=2,T=128", "--precision", "bf16"]),
    ("cnn-bf16", ["cnn/cnn.tarn", "--set", "width=64", "--shape", "B=16", "--precision", "bf16"]),
    # Long enough that attention's gradients are two kernels; heads of 64 and of 128.
    ("gpt2-long", ["gpt2/gpt2.tarn", "--set", "layers=1,heads=2,width=128,context=1024,vocab=512,mode=bf16",
                   "--shape", "B=1,T=1024"]),
    ("llama-long", ["llama/llama.tarn", "--set", "layers=1,heads=4,kv=1,width=512,hidden=256,context=1024,vocab=512",
                    "--shape", "B=1,T=1024", "--precision", "bf16"]),
]
problems = []


def budget(text):
    """What is wrong with the registers that warpgroups give and take."""
    head = re.search(r"\bKERNEL\((\d+)\)", text)
    more = re.findall(r"registers_increase<(\d+)>", text)
    less = re.findall(r"registers_decrease<(\d+)>", text)
    if not head or not more:
        return ""
    groups = int(head.group(1)) // 128
    launched = 65536 // int(head.group(1)) // 8 * 8
    taken = int(more[0]) * (groups - 1) + int(less[0])
    if len(set(more)) > 1 or len(set(less)) != 1 or taken > launched * groups:
        return "registers %s, %s are more than %d x %d" % (more, less, groups, launched)
    return ""


# From inside of the folder: the model's path is part of the cubin.
lines = {}
version = ""
for name, words in models:
    with tempfile.TemporaryDirectory() as folder:
        command = ["tarn", "compile", words[0], *words[1:],
                   "--target", ",".join("cuda:" + t for t in targets)]
        made = subprocess.run([*command, "--json", "-o", folder + "/a.art"],
                              check=True, capture_output=True, text=True, cwd=examples)
        subprocess.run([*command, "--emit", "cuda", "-o", folder + "/text"], check=True, cwd=examples)
        result = json.loads(made.stdout)
        for target in result["targets"]:
            version = target["compiler"]
            architecture = target["target"].removeprefix("cuda:")
            for kernel in target["kernels"]:
                key = "%s %s %s" % (name, architecture, kernel["name"])
                lines[key] = "%d %d %d %d" % (
                    kernel["registers"], kernel["threads"], kernel["shared"],
                    kernel["bytes"])
                if kernel["spilled_bytes"]:
                    problems.append("%s spills %d bytes" % (key, kernel["spilled_bytes"]))
                for note in kernel["notes"]:
                    problems.append("%s: %s" % (key, note))
                with open("%s/text/%s/%s.cu" % (folder, architecture, kernel["name"])) as file:
                    wrong = budget(file.read())
                if wrong:
                    problems.append("%s: %s" % (key, wrong))

for problem in problems[:40]:
    print(problem)
if len(problems) > 40:
    print("and %d more" % (len(problems) - 40))
head = ("NVRTC %s. Kernel: registers of a thread, threads, bytes of dynamic shared "
        "memory, bytes of the cubin." % version)
text = head + "\n" + "".join("%s: %s\n" % item for item in lines.items())
if renew:
    with open(table, "w") as file:
        file.write(text)
    sys.exit(bool(problems))
with open(table) as file:
    kept = file.read().splitlines()
if kept[0] != head:
    print("the table is of another NVRTC: %s" % kept[0])
else:
    before = dict(line.rsplit(": ", 1) for line in kept[1:])
    changed = [key for key in {**before, **lines} if before.get(key) != lines.get(key)]
    for key in changed[:20]:
        print("%s: %s, in the table %s" % (key, lines.get(key, "gone"), before.get(key, "not there")))
    if changed:
        print("%d kernels differ from the table; %s EXAMPLES TABLE --renew writes it anew"
              % (len(changed), sys.argv[0]))
        problems += changed
print("%d kernels, NVRTC %s" % (len(lines), version))
sys.exit(bool(problems))
