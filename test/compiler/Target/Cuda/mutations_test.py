"""Mistakes put into kernels: the host model finds each of them.

mutations_test.py --work FOLDER --programs FOLDER --plain COMMAND --checked COMMAND
    [--table] [--only TEXT]

Every kernel runs unchanged first, compiled plainly and with each access checked
(test/gpu/host_model/Checker.h), under all schedules: nothing may be reported.
Then each mutation, an edit of the text that must change it, has to be found,
with the words that are expected, under at least one schedule. `--table` prints
which schedule finds what; without checks several mutations give right numbers
under some schedules, as they would on some hardware.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


class Mutation:
    """An edit of a kernel, and what finds it: a pattern in the output of the
    checked run (or of the plain one where `plain`)."""

    def __init__(self, kernel, name, edits, found, plain=False):
        self.kernel, self.name, self.found, self.plain = kernel, name, found, plain
        self.edits = [edits] if isinstance(edits, tuple) else edits

    def apply(self, text):
        for pattern, replacement in self.edits:
            text, count = re.subn(pattern, replacement, text)
            if count == 0:
                raise SystemExit(f"{self.kernel}, {self.name}: `{pattern}` is not in the text")
        return text


G, P, F, A, S, C = "gemm", "persistent_gemm", "attention_forward", "ampere_gemm", "store_tile", "column_sums"
K, Q = "attention_keys", "attention_queries"
R, V = "running_sum", "copied_gemm"
WRONG = "WRONG"
MUTATIONS = [
    # The rows of the table that the model was designed by: found without checks.
    Mutation(G, "no wait on the empty barrier", (r".*mbarrier_wait\(&\w*empty.*\n", ""), WRONG, plain=True),
    Mutation(G, "a stage released before its products are over",
             [(r"empty\[\(turn - 1\) % STAGES\]", "empty[turn % STAGES]"), (r"if \(turn > 0\) \{", "{")], WRONG, plain=True),
    Mutation(G, "no wait on the full barrier", (r".*mbarrier_wait\(&\w*full.*\n", ""), WRONG, plain=True),
    Mutation(G, "wrong parity of the producer", (r"phase \^ 1", "phase"), "deadlock: .* threads in mbarrier wait at line", plain=True),
    Mutation(G, "wrong parity of the consumers", (r"turn / STAGES & 1\);", "turn & 1);"), "parity that is not the thread's next phase", plain=True),
    Mutation(G, "too few bytes expected", (r"(_full\[stage\]), 32768", r"\1, 16384"), WRONG, plain=True),
    Mutation(G, "too many bytes expected", (r"(_full\[stage\]), 32768", r"\1, 65536"), "deadlock", plain=True),
    Mutation(G, "an arrival count too small", (r"(_empty\[stage\]), 2\)", r"\1, 1)"), WRONG, plain=True),
    Mutation(G, "an arrival count too large", (r"(_empty\[stage\]), 2\)", r"\1, 3)"), "deadlock", plain=True),
    Mutation(G, "no barrier behind the initialisation", (r"__syncthreads\(\);", ""), "mbarrier used before its initialisation", plain=True),
    Mutation(G, "no last wait", (r"wgmma_wait<0>\(\);", ""), "wgmma still in flight at the end of the kernel", plain=True),
    Mutation(G, "no commit", (r"wgmma_commit\(\);", ""), WRONG, plain=True),
    Mutation(G, "a descriptor's step along K", (r"slice % 4 \* 2", "slice % 4 * 4"), WRONG, plain=True),
    Mutation(G, "a warp that skips the commit", (r"wgmma_commit\(\);", "if (thread >= 32) wgmma_commit();"), WRONG, plain=True),
    # More of the same kernel.
    Mutation(G, "another warpgroup's rows", (r"warpgroup \* 8192", "warpgroup * 4096"), WRONG, plain=True),
    Mutation(G, "a ring deeper than its memory", (r"define STAGES 4", "define STAGES 6"), WRONG, plain=True),
    Mutation(G, "a tile where no swizzle may begin", (r"arena \+ 65536", "arena + 65664"), "TMA load at an address that is not a multiple of 1024", plain=True),
    Mutation(G, "more registers than the block has", (r"registers_decrease<24>", "registers_decrease<40>"), "setmaxnreg asks for more registers", plain=True),
    Mutation(G, "an initialisation that TMA may not see", (r"mbarrier_init_fence\(\);", ""), "initialisation is not fenced", plain=True),
    Mutation(G, "no fence of the accumulators", (r"wgmma_fence\(\);", ""), "wgmma without a fence", plain=True),
    Mutation(G, "accumulators read in flight", (r"    wgmma_wait<0>\(\);\n", "    acc[0] += 1.f;\n    wgmma_wait<0>();\n"), WRONG, plain=True),
    Mutation(G, "one warpgroup waits for the other's barrier", (r"if \(thread == 0\) mbarrier_arrive", "if (threadIdx.x == 0) mbarrier_arrive"), "deadlock", plain=True),
    Mutation(G, "both tiles in one place", (r"arena \+ 65536", "arena + 0"), "race: a write of shared memory"),
    Mutation(G, "a bias beyond its end", (r"buffer2\[block1", "buffer2[128 + block1"), "a read outside of every buffer, .*:\\d+"),
    Mutation(G, "what is only read is written", (r"(#pragma unroll\n    for \(int i = 0; i < 64; i \+= 2\))", r"((float *)buffer2)[column] = 0.f;\n\1"), "buffer 2, which is only read"),
    Mutation(G, "rows that two threads write", (r"at_row = row \+ 8", "at_row = row / 2 + 8"), "race: a write of buffer 3"),
    # Blocks that walk over tiles: the ring goes on.
    Mutation(P, "the last stage of a tile is not released", (r"(wgmma_wait<0>\(\);\n).*mbarrier_arrive.*\n", r"\1"), "deadlock", plain=True),
    Mutation(P, "the last stage released before its products are over", (r"( *wgmma_wait<0>\(\);\n)(.*mbarrier_arrive.*\n)", r"\2\1"), "race: a write of shared memory"),
    Mutation(P, "a ring that begins anew with each tile", (r"(tile \+= gridDim.x\) \{\n)", r"\1step = 0;\n"), "parity that is not the thread's next phase", plain=True),
    Mutation(P, "only the loading thread's ring begins anew", (r"(if \(thread == 0\) \{\n(?:.*\n)*?.*tile \+= gridDim.x\) \{\n)", r"\1step = 0;\n"), "parity that is not the thread's next phase", plain=True),
    Mutation(P, "tiles that nobody takes", (r"tile \+= gridDim.x", "tile += 2 * gridDim.x"), WRONG, plain=True),
    Mutation(P, "tiles that two blocks take", (r"tile = blockIdx.x", "tile = blockIdx.x / 2"), "blocks conflict: a write of buffer 3"),
    Mutation(P, "operands of another order of tiles", (r"(registers_increase(?:.*\n)*?.*block0 = )tile % 2 (.*\n.*block1 = )tile / 2", r"\1tile / 2 \2tile % 2"), WRONG, plain=True),
    # Attention: two rings, a barrier for what comes once.
    Mutation(F, "the queries are not waited for", (r".*mbarrier_wait\(once_full.*\n", ""), "race: a read of shared memory at line"),
    Mutation(F, "scores read before they are there", (r"wgmma_wait<1>\(\);", ""), WRONG, plain=True),
    Mutation(F, "values released before their product is over",
             (r"( *wgmma_wait<0>\(\);\n)( *if \(thread == 0\) mbarrier_arrive\(&buffer2_2_empty\[\(turn - 1\).*\n)", r"\2\1"), "race: a write of shared memory"),
    Mutation(F, "keys and values on each other's barrier", (r"&buffer2_map, &buffer2_2_full", "&buffer2_map, &buffer1_2_full"), WRONG, plain=True),
    # Its gradients: tiles that two products read, sums on their way while others are made.
    Mutation(K, "scores read before they are there", (r"wgmma_wait<1>\(\);\n(#pragma unroll\n.*\n.*mul_i = dot)", r"\1"), WRONG, plain=True),
    Mutation(K, "products of values read before they are there", (r"wgmma_wait<1>\(\);\n(#pragma unroll\n.*\n.*= dot_2)", r"\1"), WRONG, plain=True),
    Mutation(K, "queries released before their last product is over",
             (r"( *wgmma_wait<0>\(\);\n.*buffer5_2_empty.*\n)( *if \(thread == 0\) mbarrier_arrive\(&buffer0_2_empty.*\n)", r"\2\1"), "race: a write of shared memory"),
    Mutation(K, "a turn's tiles released while its products are on their way",
             (r"(wgmma_wait<1>\(\);\n)((?:(?!.*wgmma_wait).*\n)*)( *wgmma_wait<0>\(\);\n)(.*buffer5_2_empty.*\n.*buffer0_2_empty.*\n)", r"\1\4\2\3"), "race: a write of shared memory"),
    Mutation(K, "sums that change on their way", (r"( *wgmma_wait<0>\(\);\n *if)", r"acc_2[0] += 1.f;\n\1"), WRONG, plain=True),
    Mutation(K, "a tile's other half of the columns", (r"(buffer5_tile \+ turn % STAGES \* 16384\)), 8192", r"\1, 4096"), WRONG, plain=True),
    Mutation(K, "queries of another head", (r"position % 2", "position % 1"), WRONG, plain=True),
    Mutation(Q, "keys released with the scores", (r"(wgmma_wait<1>\(\);\n)((?:.*\n)*)( *if \(thread == 0\) mbarrier_arrive\(&buffer1_2_empty.*\n)", r"\1\3\2"), "race: a write of shared memory"),
    Mutation(Q, "the queries are not waited for", (r".*mbarrier_wait\(once_full.*\n", ""), "race: a read of shared memory at line"),
    Mutation(Q, "keys of which one half is there", (r"(buffer1_2_full\[stage\]), 16384", r"\1, 8192"), WRONG, plain=True),
    # Copies beside the threads of a warp.
    Mutation(A, "no wait for cp.async", (r"copy_async_wait<STAGES - 2>\(\);", ""), "race: a read of shared memory"),
    Mutation(A, "one stage too few waited for", (r"copy_async_wait<STAGES - 2>", "copy_async_wait<STAGES - 1>"), WRONG, plain=True),
    Mutation(A, "no barrier between the stages", (r"    __syncthreads\(\);\n", ""), "race: a"),
    Mutation(A, "a stage filled while it is read", (r"turn \+ STAGES - 1\);\n    copy_async_commit", "turn + STAGES);\n    copy_async_commit"), WRONG),
    Mutation(A, "a row of ldmatrix that is not aligned", (r"define A_ROW 80", "define A_ROW 72"), "not a multiple of 16 bytes", plain=True),
    Mutation(A, "the other half of the matrices", (r"lane / 16 \* 8\) \* 2\);\n      for", "lane / 16 * 8 % 8) * 2);\n      for"), WRONG, plain=True),
    Mutation(A, "copies nobody waits for", [(r"  copy_async_wait<0>\(\);\n", ""), (r"if \(turn \+ STAGES - 1 < TURNS\)\n", "")], "cp.async still in flight|outside of every buffer"),
    # The same as the emitter writes it: a ring of four stages, ragged rows and terms.
    Mutation(V, "one stage too few waited for", (r"copy_async_wait<stages - 2>", "copy_async_wait<stages - 1>"), WRONG, plain=True),
    Mutation(V, "no wait for cp.async", (r"copy_async_wait<stages - 2>\(\);", ""), "race: a read of shared memory"),
    Mutation(V, "copies of later turns that are not committed",
             (r"(copy_async_wait(?:.*\n)*?.*)copy_async_commit\(\);", r"\1"), WRONG, plain=True),
    Mutation(V, "copies of the first turns that are not committed",
             (r"copy_async_commit\(\);((?:.*\n)*?.*copy_async_wait)", r"\1"), WRONG, plain=True),
    Mutation(V, "no barrier before a stage is filled again", (r"(copy_async_wait.*\n) *__syncthreads\(\);\n", r"\1"), "race: a"),
    Mutation(V, "a barrier before the wait", (r"( *copy_async_wait.*\n)( *__syncthreads\(\);\n)", r"\2\1"), "race: a read of shared memory"),
    Mutation(V, "a stage filled while it is read", (r"next = \(slot > 0 \? slot : stages\) - 1", "next = slot"), WRONG, plain=True),
    Mutation(V, "copies of another turn", (r"ahead = (at_\d) \+ 192", r"ahead = \1 + 256"), WRONG, plain=True),
    Mutation(V, "a ring that turns too early", (r"slot \+ 1 < stages \?", "slot + 2 < stages ?"), WRONG, plain=True),
    Mutation(V, "a ring deeper than its memory", (r"stages = 4;", "stages = 5;"), WRONG, plain=True),
    Mutation(V, "what lies outside is not zero", (r", inside\);", ", true);"), WRONG, plain=True),
    # TMA stores.
    Mutation(S, "no proxy fence", (r"proxy_fence\(\);", ""), "no proxy fence between writes of threads and a read of shared memory"),
    Mutation(S, "no barrier before the store", (r"(proxy_fence\(\);\n) *__syncthreads\(\);", r"\1"), "race: a read of shared memory"),
    Mutation(S, "a store that is not waited for", (r"tma_store_wait<0>\(\);", ""), WRONG, plain=True),
    Mutation(S, "a store that is not committed", (r"tma_store_commit\(\);", ""), "TMA store still in flight at the end", plain=True),
    Mutation(S, "the next load by a thread that does not know of the store",
             [(r"(tma_store_wait<0>\(\);\n    \})\n    __syncthreads\(\);", r"\1"),
              (r"(const int row.*\n    if \(threadIdx.x == )0", r"\g<1>64")], "race: a write of shared memory"),
    Mutation(S, "blocks that share a tile", (r"blockIdx.x \* 2", "blockIdx.x"), "blocks conflict: a write of buffer 1"),
    # Ordinary loads, stores and exchanges.
    Mutation(C, "no barrier in a reduction", (r"__syncthreads\(\);", ""), "race: a read of shared memory"),
    Mutation(C, "lanes that only hope", (r"__syncwarp\(\);", ""), "race: a read of shared memory"),
    Mutation(C, "a shuffle in place of __syncwarp", (r"__syncwarp\(\);", "__shfl_xor_sync(0xffffffffu, all, 1);"), "race: a read of shared memory"),
    Mutation(C, "partial sums nobody wrote", (r"r < 8; \+\+r", "r < 9; ++r"), "a read of shared memory that nobody has written, .*:\\d+"),
    Mutation(C, "a vector that is not aligned", (r"first \+ column\);", "first + column + 1);"), "not a multiple of 16 bytes|not aligned to its size"),
    Mutation(C, "columns that two blocks write", (r"sums\[first", "sums[first / 2"), "blocks conflict: a write of buffer 1"),
    Mutation(C, "a column outside of the matrix", (r"r < 256;", "r < 264;"), "a read outside of every buffer"),
    Mutation(C, "an element outside of a thread's four", (r"for \(int i = 0; i < 4; \+\+i\)\n    partial\[row \* 32 \+ column \+ i\] = sum\[i\]", "for (int i = 0; i < 4; ++i)\n    partial[row * 32 + column + i] = sum[i + (int)blockIdx.x]"), "outside of a thread's array"),
    # Running sums in shared memory.
    Mutation(R, "no barrier between the copy and the sums", (r"    __syncthreads\(\);\n(    scan_lines)", r"\1"), "race: a"),
    Mutation(R, "no barrier behind the sums", (r"(    scan_lines.*\n(?:.*\n)*?)    __syncthreads\(\);\n", r"\1"), "race: a"),
    Mutation(R, "sums of parts over the elements", (r"(scan_lines<.*?>\()(\w+)(, .*, \(float \*\))\w+\)", r"\1\2\3\2)"), "race: a"),
    Mutation(R, "elements that nobody adds up", (r"(scan_lines<.*), 2048, 1,", r"\1, 2000, 1,"), WRONG, plain=True),
    Mutation(C, "a barrier in a branch", (r"  __syncthreads\(\);", "  if (threadIdx.x < 40) __syncthreads();"), "deadlock: .* threads in bar.sync", plain=True),
]


def bf16(values):
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def write_case(folder, launch, inputs, expected):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/launch.txt", "w") as file:
        file.write(launch)
    for index, array in inputs.items():
        array.tofile(f"{folder}/input{index}.bin")
    for index, array in expected.items():
        array.astype(np.float64).tofile(f"{folder}/expected{index}.bin")
    with open(f"{HERE}/Inputs/{os.path.basename(folder)}.cu") as source, open(f"{folder}/kernel.cu", "w") as file:
        file.write(source.read())


def make_cases(work, programs):
    random = np.random.default_rng(1)

    def record(name, source, options, **sizes):
        with open(f"{programs}/{source}") as file:
            text = file.read()
        for key, value in sizes.items():
            text = text.replace(f"@{key}@", str(value))
        subprocess.run(["cuda-case", "--lines=false", *options, "-o", f"{work}/{name}"], input=text, text=True, check=True)

    record(G, "gemm_bf16.mlir", [], M=128, N=128, K=640, BM=128, BN=128, BK=64)
    record(P, "gemm_bf16.mlir", ["--multiprocessors=3"], M=256, N=256, K=320, BM=128, BN=128, BK=64)
    record(F, "attention_forward_bf16.mlir", ["--absolute=0.004"], H=1, T=384, D=64, BR=128, BC=64, SCALE=0.125)

    with open(f"{HERE}/Inputs/attention_backward.mlir") as file:
        text = file.read()
    for key, value in {"H": 2, "K": 1, "T": 328, "S": 328, "D": 128, "V": 128}.items():
        text = text.replace(f"@{key}@", str(value))
    passes = "builtin.module(func.func(tarn-fuse-clusters),tarn-materialize-tiles{gpu architecture=sm_90a},cse)"
    tiles = subprocess.run(["tarn-opt", f"--pass-pipeline={passes}"], input=text, text=True, check=True, capture_output=True).stdout
    subprocess.run(["cuda-case", "--lines=false", "--all", "--typed", "--absolute=0.04", "-o", f"{work}/gradients"], input=tiles, text=True, check=True)
    for name, kernel in ((K, "k_attention_backward"), (Q, "k_attention_backward_0")):
        shutil.rmtree(f"{work}/{name}", ignore_errors=True)
        shutil.move(f"{work}/gradients/{kernel}", f"{work}/{name}")

    record(V, "gemm_bf16.mlir", ["--arch=sm_80"], M=120, N=64, K=424, BM=64, BN=64, BK=64)
    record(R, "running_sum.mlir", ["--absolute=0.001"], N=5000, B=2048)
    a, b = bf16(random.standard_normal((64, 160))), bf16(random.standard_normal((160, 64)))
    write_case(f"{work}/{A}", f"kernel {A}\nblocks 1\nthreads 128\nshared 29184\n"
               "buffer read bf16 64 160\nbuffer read bf16 160 64\nbuffer write f32 64 64\n"
               "pointer 0\npointer 1\npointer 2\nbound 1e-3 1e-4\n",
               {0: a, 1: b}, {2: from_bf16(a) @ from_bf16(b)})
    x = bf16(random.standard_normal((256, 64)))
    write_case(f"{work}/{S}", f"kernel {S}\nblocks 2\nthreads 128\nshared 8200\n"
               "buffer read bf16 256 64\nbuffer write bf16 256 64\nmap 0 box 64 64\nmap 1 box 64 64\nbound 0 0\n",
               {0: x}, {1: 2 * from_bf16(x)})
    x = random.standard_normal((256, 128)).astype(np.float32)
    write_case(f"{work}/{C}", f"kernel {C}\nblocks 4\nthreads 64\nshared 1152\n"
               "buffer read f32 256 128\nbuffer write f32 128\npointer 0\npointer 1\nbound 1e-4 1e-4\n",
               {0: x}, {1: x.astype(np.float64).sum(axis=0)})


class Runner:
    def __init__(self, arguments):
        self.work = arguments.work
        self.commands = {False: shlex.split(arguments.plain), True: shlex.split(arguments.checked)}

    def run(self, kernel, stem, text, checked):
        """Output of the kernel's text on the model, and whether it is right."""
        path = f"{self.work}/{stem}.{'checked' if checked else 'plain'}"
        with open(f"{path}.cu", "w") as file:
            file.write(text)
        subprocess.run([*self.commands[checked], f"{path}.cu", "-o", f"{path}.so"], check=True)
        words = ["host-run", f"{self.work}/{kernel}", f"{path}.so", "--random", "1"]
        try:
            done = subprocess.run(words + ["--checked"] * checked, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{stem}: the model hangs")
        if done.returncode < 0 and not checked:
            return done.stdout + "WRONG: crashed\n", False
        if done.returncode not in (0, 1):
            raise SystemExit(f"{stem}: host-run ends with {done.returncode}\n{done.stderr}")
        return done.stdout, done.returncode == 0


def finders(output):
    """The schedules under which something is wrong."""
    found, schedule, hash_of_first = [], "any", None
    for line in output.splitlines():
        match = re.match(r"(.*): error (\S+) of the bound, hash (\w+)", line)
        if match:
            schedule = match[1]
            hash_of_first = hash_of_first or match[3]
            wrong = not float(match[2]) <= 1 or match[3] != hash_of_first
        elif line.startswith("  ") or "crashed" in line:
            wrong = True
        else:
            continue
        if wrong and schedule not in found:
            found.append(schedule)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("work", "programs", "plain", "checked"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    make_cases(arguments.work, arguments.programs)
    runner = Runner(arguments)

    texts = {}
    for kernel in (G, P, F, K, Q, A, V, S, C, R):
        with open(f"{arguments.work}/{kernel}/kernel.cu") as file:
            texts[kernel] = file.read()

    def unchanged(case):
        kernel, checked = case
        output, right = runner.run(kernel, kernel, texts[kernel], checked)
        return None if right else f"{kernel}, unchanged, is reported:\n{output}"

    def check(numbered):
        number, mutation = numbered
        text = mutation.apply(texts[mutation.kernel])
        stem = f"mutation{number}"
        outputs = {}
        for checked in (False, True):
            if checked or mutation.plain or arguments.table:
                outputs[checked], _ = runner.run(mutation.kernel, stem, text, checked)
        wrong = [not re.search(mutation.found, output) or "WRONG" not in output
                 for checked, output in outputs.items() if checked or mutation.plain]
        line = None
        if any(wrong):
            line = f"{mutation.kernel}, {mutation.name}: not found as {mutation.found!r}:\n" + "\n".join(outputs.values())
        if arguments.table:
            print(f"| {mutation.kernel} | {mutation.name} | {', '.join(finders(outputs[False])) or '-'} "
                  f"| {', '.join(finders(outputs[True])) or '-'} |", flush=True)
        return line

    chosen = [m for m in enumerate(MUTATIONS) if arguments.only in f"{m[1].kernel}, {m[1].name}"]
    if arguments.table:
        print("| kernel | mutation | found by, plain | found by, each access checked |\n|---|---|---|---|")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = list(pool.map(unchanged, [(k, c) for k in texts for c in (False, True)]))
        failures += list(pool.map(check, chosen))
    failures = [failure for failure in failures if failure]
    print("\n".join(failures))
    print(f"{len(chosen)} mutations, {len(failures)} failures")
    sys.exit(bool(failures))


main()
