"""The cases of make_cases.py on the host model, and through NVRTC.

micro_test.py --work FOLDER --checked COMMAND [--nvrtc]

What each wrapper of tarn_device.h does on the host model has to be what the
documents say, under all schedules and with each access checked; with --nvrtc the
same texts are compiled for their architectures. Fails too if the header has a
wrapper that no case uses.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = f"{HERE}/../../../compiler/Target/Cuda/device/tarn_device.h"


def unused(texts):
    """Functions of the header that no case calls, not even by way of another."""
    with open(HEADER) as file:
        header = file.read()
    device, both = header.split('#include "tarn_host.h"')
    # Wrappers made by macros are named where those are used.
    names = set(re.findall(r"^(?:template <[^>]*>\s*)?DEVICE[\w\s:*]*?\b(\w+)\(", header, re.M))
    names |= {f"mma_m16n8k16_{kind}" for kind in re.findall(r"^TARN_MMA\((\w+)\)", device, re.M)}
    names |= {f"wgmma_m64n{n}{kind}" for n in re.findall(r"^TARN_WGMMA\((\d+),", device, re.M)
              for kind in ("k16_bf16", "k16_f16", "k8_tf32")}
    used = {name for name in names if any(re.search(rf"\b{name}\b", text) for text in texts)}
    bodies = dict(re.findall(r"^(?:template <[^>]*>\s*)?DEVICE[\w\s:*<>]*?\b(\w+)\([^;{]*\)\s*\{(.*?)^\}", both, re.M | re.S))
    grown = True
    while grown:
        reached = {n for u in used if u in bodies for n in names if re.search(rf"\b{n}\b", bodies[u])}
        grown = not reached <= used
        used |= reached
    return sorted(names - used)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checked", required=True)
    parser.add_argument("--nvrtc", action="store_true")
    arguments = parser.parse_args()
    cases = f"{arguments.work}/cases"
    subprocess.run([sys.executable, f"{HERE}/make_cases.py", cases], check=True, stdout=subprocess.DEVNULL)
    command = shlex.split(arguments.checked)

    def run(name):
        folder = f"{cases}/{name}"
        subprocess.run([*command, f"{folder}/kernel.cu", "-o", f"{folder}/kernel.so"], check=True)
        done = subprocess.run(["host-run", folder, f"{folder}/kernel.so", "--random", "1", "--checked"],
                              capture_output=True, text=True, timeout=120)
        failures = [] if done.returncode == 0 else [f"{name}, host model:\n{done.stdout}{done.stderr}"]
        if arguments.nvrtc:
            with open(f"{folder}/arch") as file:
                arch = file.read().strip()
            for target in {arch, "sm_90a"}:
                done = subprocess.run(["cuda-compile", f"{folder}/kernel.cu", "--arch", target],
                                      capture_output=True, text=True, timeout=120)
                # What ptxas notes of speed is of no interest here.
                if not done.stdout.startswith("registers"):
                    failures.append(f"{name}, NVRTC for {target}:\n{done.stdout}{done.stderr}")
        return failures

    names = sorted(os.listdir(cases))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [failure for some in pool.map(run, names) for failure in some]
    texts = []
    for name in names:
        with open(f"{cases}/{name}/kernel.cu") as file:
            texts.append(file.read())
    failures += [f"no case uses {name}" for name in unused(texts)]
    print("\n".join(failures))
    print(f"{len(names)} cases, {len(failures)} failures")
    sys.exit(bool(failures))


main()
