"""A case for each wrapper of tarn_device.h: make_cases.py FOLDER

Writes folders that host-run and run-on-gpu read (test/gpu/Case.h): a small kernel
that uses one wrapper, its inputs, and what has to come out by the documents, not
by the host model. The tests run them on the host model, test/gpu/run.sh on a GPU:
where the two differ, the model is wrong.
"""
import os
import sys

import numpy as np

RANDOM = np.random.default_rng(7)
HEADER = '#include "tarn_device.h"\n\n'


def bf16(values):
    """Rounded to nearest even, as bits."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits.astype(np.uint64) + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def tf32(values):
    """Rounded to 10 bits behind the point, ties away from zero."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32).astype(np.float64)


def numbers(*shape, kind="bf16"):
    """Random bf16 or f16 numbers, as bits, and their values; or f32 ones, and what
    they are in tf32: none lies in the middle of two."""
    if kind == "tf32":
        floats = (RANDOM.standard_normal(shape).astype(np.float32).view(np.uint32) | 1).view(np.float32)
        return floats, tf32(floats)
    if kind == "f16":
        halves = RANDOM.standard_normal(shape).astype(np.float16)
        return halves.view(np.uint16), halves.astype(np.float64)
    bits = bf16(RANDOM.standard_normal(shape))
    return bits, from_bf16(bits)


class Cases:
    def __init__(self, folder):
        self.folder = folder
        self.names = []

    def write(self, name, text, threads, buffers, parameters, shared=0, blocks=1,
              bound=(0, 0), arch="sm_80"):
        """`buffers`: (element, array read) or (element, None, array expected).
        `parameters`: a buffer's number, or (number, box) for a tensor map. The
        kernel in `text` is called micro."""
        folder = f"{self.folder}/micro_{name}"
        os.makedirs(folder, exist_ok=True)
        lines = ["kernel micro", f"blocks {blocks}", f"threads {threads}", f"shared {shared}"]
        for index, (element, array, *expected) in enumerate(buffers):
            kept = expected[0] if expected else array
            access = "write" if expected else "read"
            lines.append(f"buffer {access} {element} " + " ".join(map(str, kept.shape)))
            if expected:
                kept.astype(np.float64).tofile(f"{folder}/expected{index}.bin")
            else:
                array.tofile(f"{folder}/input{index}.bin")
        for parameter in parameters:
            if isinstance(parameter, int):
                lines.append(f"pointer {parameter}")
            else:
                lines.append(f"map {parameter[0]} box " + " ".join(map(str, parameter[1])))
        lines.append(f"bound {bound[0]:g} {bound[1]:g}")
        with open(f"{folder}/launch.txt", "w") as file:
            file.write("\n".join(lines) + "\n")
        with open(f"{folder}/kernel.cu", "w") as file:
            file.write(HEADER + text)
        with open(f"{folder}/arch", "w") as file:
            file.write(arch + "\n")
        self.names.append(name)


UNSWIZZLED = """DEVICE u32 swizzled(u32 at) { return at ^ (at >> 7 & 7) << 4; }
"""


def tma(cases):
    """Boxes that begin before the tensor and end behind it."""
    shapes = {1: [100], 2: [9, 72], 3: [3, 5, 72], 4: [2, 3, 4, 72], 5: [2, 2, 3, 4, 72]}
    boxes = {1: [64], 2: [8, 64], 3: [2, 4, 64], 4: [2, 2, 3, 64], 5: [2, 1, 2, 3, 64]}
    starts = {1: [50], 2: [3, 40], 3: [-1, 2, 16], 4: [1, 1, -1, 40], 5: [1, 1, 2, 2, -8]}
    for rank, shape in shapes.items():
        box, start = boxes[rank], starts[rank]
        bits, values = numbers(*shape)
        count = int(np.prod(box))
        places = np.stack(np.meshgrid(*[np.arange(n) for n in box], indexing="ij"), -1).reshape(count, rank) + start
        inside = np.all((places >= 0) & (places < shape), axis=1)
        clipped = np.clip(places, 0, np.array(shape) - 1)
        wanted = np.where(inside, values[tuple(clipped.T)], 0.0)
        where = ", ".join(map(str, reversed(start)))
        cases.write(f"tma_load_{rank}d", UNSWIZZLED + f"""
KERNEL(128) micro(TENSOR_MAP map, float *out) {{
  SHARED_ARENA(arena);
  u64 *full = (u64 *)(arena + 8192);
  if (threadIdx.x == 0) {{
    mbarrier_init(full, 1);
    mbarrier_init_fence();
    tma_prefetch(&map);
  }}
  __syncthreads();
  if (threadIdx.x == 0) {{
    mbarrier_expect(full, {2 * count});
    tma_load_{rank}d(arena, &map, full, {where});
  }}
  mbarrier_wait(full, 0);
  for (int i = threadIdx.x; i < {count}; i += 128)
    out[i] = to_float(*(const bf16 *)(arena + swizzled(2 * i)));
}}
""", 128, [("bf16", bits), ("f32", None, wanted)], [(0, box), 1], shared=8200, arch="sm_90a")
        if rank == 5:
            continue
        bits, values = numbers(count)
        wanted = np.full(shape, np.nan)
        wanted[tuple(places[inside].T)] = values[inside]
        cases.write(f"tma_store_{rank}d", UNSWIZZLED + f"""
KERNEL(128) micro(const bf16 *in, TENSOR_MAP map) {{
  SHARED_ARENA(arena);
  for (int i = threadIdx.x; i < {count}; i += 128)
    *(bf16 *)(arena + swizzled(2 * i)) = in[i];
  proxy_fence();
  __syncthreads();
  if (threadIdx.x == 0) {{
    tma_store_{rank}d(&map, arena, {where});
    tma_store_commit();
    tma_store_wait<0>();
  }}
}}
""", 128, [("bf16", bits), ("bf16", None, wanted)], [0, (1, box)], shared=8192, arch="sm_90a")


def tma_tf32(cases):
    """A load of floats rounds to tf32."""
    floats, values = numbers(9, 40, kind="tf32")
    wanted = np.zeros((8, 32))
    wanted[:6, :20] = values[3:, 20:]
    cases.write("tma_load_tf32", UNSWIZZLED + """
KERNEL(128) micro(TENSOR_MAP map, float *out) {
  SHARED_ARENA(arena);
  u64 *full = (u64 *)(arena + 1024);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    mbarrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    mbarrier_expect(full, 1024);
    tma_load_2d(arena, &map, full, 20, 3);
  }
  mbarrier_wait(full, 0);
  for (int i = threadIdx.x; i < 256; i += 128)
    out[i] = *(const float *)(arena + swizzled(4 * i));
}
""", 128, [("f32", floats), ("f32", None, wanted)], [(0, [8, 32]), 1], shared=1032, arch="sm_90a")


def wgmma(cases):
    """All widths, both operands in both majors, A in registers too: rows of 128 bytes."""
    widths = range(16, 257, 16)
    for form, kind in ([(form, "bf16") for form in ("kk", "km", "mk", "mm", "rk", "rm")] +
                       [("mk", "f16"), ("rm", "f16"), ("kk", "tf32")]):
        k = 32 if kind == "tf32" else 64
        a_bits, a = numbers(64, k, kind=kind)
        b_bits, b = numbers(256, k, kind=kind)
        left = {"k": "descriptor_k(shared_address(arena)) + slice * 2",
                "m": "descriptor_mn(shared_address(arena), 8192) + slice * 128",
                "r": "left[slice]"}[form[0]]
        right = {"k": "descriptor_k(shared_address(arena + 8192)) + slice * 2",
                 "m": "descriptor_mn(shared_address(arena + 8192), 8192) + slice * 128"}[form[1]]
        flags = ", ".join(str(int(major == "m")) for major in form if major != "r")
        instruction = "k8_tf32" if kind == "tf32" else f"k16_{kind}<{flags}>"
        a_stored = np.ascontiguousarray(a_bits.T if form[0] == "m" else a_bits)
        b_stored = np.ascontiguousarray(b_bits.T if form[1] == "m" else b_bits)
        load_b = ("tma_load_2d(arena + 8192, &b_map, full, 0, 0);" if form[1] == "k" else
                  "for (int i = 0; i < 4; ++i)\n      tma_load_2d(arena + 8192 + i * 8192, &b_map, full, 64 * i, 0);")
        b_box = [256, k] if form[1] == "k" else [64, 64]
        bodies, wanted, base = [], [], 0
        for n in widths:
            bodies.append(f"""  {{
    float d[{n // 2}];
#pragma unroll
    for (int i = 0; i < {n // 2}; ++i)
      d[i] = 1.f;
    wgmma_fence();
#pragma unroll
    for (int slice = 0; slice < 4; ++slice)
      wgmma_m64n{n}{instruction}(d, {left}, {right}, {1 if n % 32 else "slice > 0"});
    wgmma_commit();
    wgmma_wait<0>();
#pragma unroll
    for (int i = 0; i < {n // 2}; ++i)
      out[{base} + (row + 8 * (i / 2 % 2)) * {n} + column + 8 * (i / 4) + i % 2] = d[i];
  }}
""")
            wanted.append((a @ b[:n].T + (1 if n % 32 else 0)).reshape(-1))
            base += 64 * n
        registers = """  u32 left[4][4];
#pragma unroll
  for (int i = 0; i < 16; ++i)
    left[i / 4][i % 4] = *(const u32 *)(a + (row + i % 2 * 8) * 64 + i / 4 * 16 + i % 4 / 2 * 8 + column);
""" if form[0] == "r" else ""
        first = f"const {kind} *a" if form[0] == "r" else "TENSOR_MAP a_map"
        load_a = "" if form[0] == "r" else "tma_load_2d(arena, &a_map, full, 0, 0);\n    "
        total = 32768 + (0 if form[0] == "r" else 8192)
        cases.write(f"wgmma_{form}" + ("" if kind == "bf16" else f"_{kind}"), f"""KERNEL(128) micro({first}, TENSOR_MAP b_map, float *out) {{
  SHARED_ARENA(arena);
  u64 *full = (u64 *)(arena + 40960);
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  const int column = threadIdx.x % 4 * 2;
  if (threadIdx.x == 0) {{
    mbarrier_init(full, 1);
    mbarrier_init_fence();
  }}
  __syncthreads();
  if (threadIdx.x == 0) {{
    mbarrier_expect(full, {total});
    {load_a}{load_b}
  }}
{registers}  mbarrier_wait(full, 0);
{"".join(bodies)}}}
""", 128, [("f32" if kind == "tf32" else kind, stored) for stored in (a_stored, b_stored)] +
                    [("f32", None, np.concatenate(wanted))],
                    [0 if form[0] == "r" else (0, [64, k]), (1, b_box), 2], shared=40968,
                    bound=(1e-3, 1e-4), arch="sm_90a")


def barriers(cases):
    t = np.arange(128)
    rounds = 4
    # Each round all threads write, arrive, wait, and read another's number.
    wanted = sum((127 - t) * (r + 1) for r in range(rounds))
    cases.write("mbarrier", f"""KERNEL(128) micro(int *out) {{
  SHARED_ARENA(arena);
  u64 *bar = (u64 *)arena;
  int *values = (int *)(arena + 64);
  int sum = 0;
  if (threadIdx.x == 0) {{
    mbarrier_init(bar, 128);
    mbarrier_init_fence();
  }}
  __syncthreads();
  for (int round = 0; round < {rounds}; ++round) {{
    values[round * 128 + threadIdx.x] = (int)threadIdx.x * (round + 1);
    mbarrier_arrive(bar);
    mbarrier_wait(bar, round & 1);
    sum += values[round * 128 + 127 - threadIdx.x];
  }}
  out[threadIdx.x] = sum;
}}
""", 128, [("i32", None, wanted)], [0], shared=64 + 4 * 128 * rounds, arch="sm_90a")
    t = np.arange(256)
    cases.write("bar_sync", """KERNEL(256) micro(int *out) {
  SHARED_ARENA(arena);
  int *values = (int *)arena;
  const int half = threadIdx.x / 128;
  // Each half has a barrier of its own, and turns as it likes.
  for (int turn = 0; turn <= half; ++turn) {
    values[threadIdx.x] = (int)threadIdx.x + 1000 * turn;
    bar_sync(1 + half, 128);
    const int other = values[half * 128 + 127 - threadIdx.x % 128];
    bar_sync(1 + half, 128);
    out[threadIdx.x] = other;
  }
}
""", 256, [("i32", None, t // 128 * 128 + 127 - t % 128 + 1000 * (t // 128))], [0], shared=1024)
    cases.write("setmaxnreg", """KERNEL(384) micro(int *out) {
  if (threadIdx.x / 128 == 2)
    registers_decrease<24>();
  else
    registers_increase<240>();
  out[threadIdx.x] = (int)threadIdx.x * 3;
}
""", 384, [("i32", None, np.arange(384) * 3)], [0], arch="sm_90a")


def warps(cases):
    t = np.arange(32)
    v = t * t + 1
    wanted = np.concatenate([v[t ^ 2], v[t * 7 % 32], np.full(32, 5),
                             np.where(t < 3, v, v[t - 3])])
    cases.write("shuffles", """KERNEL(32) micro(int *out) {
  SHARED_ARENA(arena);
  const int t = threadIdx.x;
  const int v = t * t + 1;
  out[t] = __shfl_xor_sync(0xffffffffu, v, 2);
  out[32 + t] = __shfl_sync(0xffffffffu, v, t * 7 % 32);
  if (t == 31)
    *(int *)arena = 5;
  __syncwarp();
  out[64 + t] = *(const int *)arena;
  out[96 + t] = __shfl_up_sync(0xffffffffu, v, 3);
}
""", 32, [("i32", None, wanted)], [0], shared=16)
    x = np.arange(3 * 70) % 11 - 4
    lanes = np.concatenate([np.cumsum(v[at:at + 8]) for at in range(0, 32, 8)])
    cases.write("running_sums", """KERNEL(128) micro(const int *in, int *out, int *by_lanes) {
  SHARED_ARENA(arena);
  int *tile = (int *)arena;
  const int t = threadIdx.x;
  for (int i = t; i < 210; i += 128)
    tile[i] = tile[256 + i] = in[i];
  __syncthreads();
  scan_lines<128, 4, 1>(tile, 3, 1, 70, 70, 1, (int *)nullptr);
  scan_lines<128, 32, 4>(tile + 256, 1, 1, 0, 105, 2, tile + 512);
  __syncthreads();
  for (int i = t; i < 210; i += 128) {
    out[i] = tile[i];
    out[210 + i] = tile[256 + i];
  }
  if (t < 32)
    by_lanes[t] = lanes_scan<8>(t * t + 1);
}
""", 128, [("i32", x.astype(np.int32)),
           ("i32", None, np.concatenate([np.cumsum(x.reshape(3, 70), axis=1).ravel(),
                                         np.where(np.arange(210) % 2, x, np.repeat(np.cumsum(x[::2]), 2))])),
           ("i32", None, lanes)], [0, 1, 2], shared=2304)
    bits, values = numbers(32, 8)
    matrices = values.reshape(4, 8, 8)
    plain = np.stack([[[m[l // 4, l % 4 * 2 + h] for h in range(2)] for l in range(32)] for m in matrices])
    crossed = np.stack([[[m[l % 4 * 2 + h, l // 4] for h in range(2)] for l in range(32)] for m in matrices])
    cases.write("ldmatrix", """KERNEL(32) micro(const bf16 *in, float *out) {
  SHARED_ARENA(arena);
  const int t = threadIdx.x;
  for (int i = 0; i < 8; ++i)
    *((bf16 *)arena + t * 8 + i) = in[t * 8 + i];
  __syncwarp();
  u32 r[2][4];
  ldmatrix_x4(r[0], arena + t * 16);
  ldmatrix_x4_transposed(r[1], arena + t * 16);
  for (int form = 0; form < 2; ++form)
    for (int m = 0; m < 4; ++m)
      for (int h = 0; h < 2; ++h)
        out[form * 256 + m * 64 + t * 2 + h] = to_float(bf16{(u16)(r[form][m] >> 16 * h)});
}
""", 32, [("bf16", bits), ("f32", None, np.concatenate([plain.reshape(-1), crossed.reshape(-1)]))], [0, 1], shared=512)
    for kind in ("bf16", "f16"):
        if kind == "bf16":
            (a_bits, a), (b_bits, b) = numbers(16, 16), numbers(8, 16)
        else:
            a, b = (RANDOM.standard_normal(s).astype(np.float16) for s in ((16, 16), (8, 16)))
            a_bits, b_bits, a, b = a.view(np.uint16), b.view(np.uint16), a.astype(np.float64), b.astype(np.float64)
        cases.write(f"mma_{kind}", f"""KERNEL(32) micro(const bf16 *a, const bf16 *b, float *out) {{
  const int row = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
  const u32 left[4] = {{*(const u32 *)(a + row * 16 + pair), *(const u32 *)(a + (row + 8) * 16 + pair),
                       *(const u32 *)(a + row * 16 + pair + 8), *(const u32 *)(a + (row + 8) * 16 + pair + 8)}};
  float upper[2] = {{1.f, 2.f}}, lower[2] = {{3.f, 4.f}};
  mma_m16n8k16_{kind}(upper, lower, left, *(const u32 *)(b + row * 16 + pair), *(const u32 *)(b + row * 16 + pair + 8));
  for (int i = 0; i < 2; ++i) {{
    out[row * 8 + pair + i] = upper[i];
    out[(row + 8) * 8 + pair + i] = lower[i];
  }}
}}
""", 32, [("bf16", a_bits), ("bf16", b_bits),
          ("f32", None, a @ b.T + np.where(np.arange(16)[:, None] < 8, 1, 3) + np.arange(8) % 2)],
                    [0, 1, 2], bound=(1e-4, 1e-5))
    (a_floats, a), (b_floats, b) = numbers(16, 8, kind="tf32"), numbers(8, 8, kind="tf32")
    cases.write("mma_tf32", """KERNEL(32) micro(const float *a, const float *b, float *out) {
  const int row = threadIdx.x / 4, column = threadIdx.x % 4;
  const u32 left[4] = {to_tf32(a[row * 8 + column]), to_tf32(a[(row + 8) * 8 + column]),
                       to_tf32(a[row * 8 + column + 4]), to_tf32(a[(row + 8) * 8 + column + 4])};
  float upper[2] = {1.f, 2.f}, lower[2] = {3.f, 4.f};
  mma_m16n8k8_tf32(upper, lower, left, to_tf32(b[row * 8 + column]), to_tf32(b[row * 8 + column + 4]));
  for (int i = 0; i < 2; ++i) {
    out[row * 8 + column * 2 + i] = upper[i];
    out[(row + 8) * 8 + column * 2 + i] = lower[i];
  }
}
""", 32, [("f32", a_floats), ("f32", b_floats),
          ("f32", None, a @ b.T + np.where(np.arange(16)[:, None] < 8, 1, 3) + np.arange(8) % 2)],
                [0, 1, 2], bound=(1e-4, 1e-5))
    floats, values = numbers(128, kind="tf32")
    cases.write("tf32", """KERNEL(32) micro(const float *in, float *out) {
  SHARED_ARENA(arena);
  const int t = threadIdx.x;
  float x[4];
  load_tf32(x, in + t * 4);
  for (int i = 0; i < 4; ++i) {
    out[t * 4 + i] = x[i];
    ((float *)arena)[t * 4 + i] = in[t * 4 + i];
  }
  __syncwarp();
  // Rows of four floats: thread t has number t % 4 of row t / 4.
  u32 r[4];
  ldmatrix_x4(r, arena + t * 16);
  round_tf32(r);
  for (int m = 0; m < 4; ++m)
    out[128 + m * 32 + t] = __uint_as_float(r[m]);
}
""", 32, [("f32", floats), ("f32", None, np.concatenate([values, values]))], [0, 1], shared=512)
    inside = np.arange(128) % 3 != 0
    data = RANDOM.standard_normal(512).astype(np.float32)
    cases.write("copy_async", """KERNEL(128) micro(const float *in, float *out) {
  SHARED_ARENA(arena);
  const int t = threadIdx.x;
  copy_async(arena + t * 16, in + t * 4, t % 3 != 0);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  for (int i = 0; i < 4; ++i)
    out[i * 128 + t] = *((const float *)arena + i * 128 + t);
}
""", 128, [("f32", data), ("f32", None, np.where(np.repeat(inside, 4), data, 0))], [0, 1], shared=2048)


def sorts(cases):
    """A row with equal elements, both zeros and NaN: places, from the smallest and from the largest."""
    x = RANDOM.integers(-9, 9, 75).astype(np.float32)
    x[[3, 40]] = np.nan
    x[[7, 50]] = np.inf
    x[[9, 30]] = -0.0
    x[[8, 31]] = 0.0
    up = np.argsort(x, kind="stable")
    down = np.argsort(np.where(np.isnan(x), -np.inf, np.where(np.isinf(x), -1e9, -x)), kind="stable")
    cases.write("sort", """SIMT_KERNEL(64) micro(const float *in, int *out) {
  SHARED_ARENA(arena);
  float *keys = (float *)arena;
  int *order = (int *)(arena + 512), *places = (int *)(arena + 1024);
  for (int form = 0; form < 2; ++form) {
    for (int i = threadIdx.x; i < 75; i += 64)
      keys[i] = in[i];
    __syncthreads();
    if (form == 0)
      sort_places<64, 128, false>(keys, order, places, 75);
    else
      sort_places<64, 128, true>(keys, order, places, 75);
    __syncthreads();
    for (int i = threadIdx.x; i < 75; i += 64)
      out[form * 75 + i] = places[i];
    __syncthreads();
  }
}
""", 64, [("f32", x), ("i32", None, np.concatenate([np.argsort(up), np.argsort(down)]))], [0, 1], shared=1536)


def scalars(cases):
    special = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3.4e38, 65504, 65520, 65519,
                        6e-8, 2.9e-8, 1.00390625, 1.01171875, 1.0048828125, 1.001, 2.0**-133], np.float32)
    x = np.concatenate([special, RANDOM.integers(0, 2**32, 492, np.uint64).astype(np.uint32).view(np.float32)])
    y = np.roll(x, 7)

    def rounded(values):
        return np.where(np.isnan(values), np.nan, from_bf16(bf16(np.where(np.isnan(values), 0, values))))

    with np.errstate(all="ignore"):
        half = x.astype(np.float16).astype(np.float64)
        larger = np.where(np.isnan(x) | np.isnan(y), np.nan, np.fmax(x, y)).astype(np.float64)
        smaller = np.where(np.isnan(x) | np.isnan(y), np.nan, np.fmin(x, y)).astype(np.float64)
    short = np.where(np.isnan(x), np.nan, tf32(np.where(np.isnan(x), 0, x)))
    wanted = np.stack([rounded(x), half, larger, smaller, short])
    cases.write("roundings", """SIMT_KERNEL(128) micro(const float *x, const float *y, float *out) {
  for (int i = threadIdx.x; i < 512; i += 128) {
    out[i] = round_bf16(x[i]);
    out[512 + i] = round_f16(x[i]);
    out[1024 + i] = max_nan(x[i], y[i]);
    out[1536 + i] = min_nan(x[i], y[i]);
    out[2048 + i] = round_tf32(x[i]);
  }
}
""", 128, [("f32", x), ("f32", y), ("f32", None, wanted)], [0, 1, 2])
    x = RANDOM.uniform(-20, 20, 512).astype(np.float32)
    cases.write("exponents", """SIMT_KERNEL(128) micro(const float *x, float *out) {
  for (int i = threadIdx.x; i < 512; i += 128) {
    out[i] = exp2_fast(x[i]);
    out[512 + i] = exp_fast(x[i]);
  }
}
""", 128, [("f32", x), ("f32", None, np.concatenate([np.exp2(x.astype(np.float64)), np.exp(x.astype(np.float64))]))],
                [0, 1], bound=(1e-30, 4e-6))
    x = RANDOM.integers(0, 2**31, (256, 4), np.int64).astype(np.int32)
    words = x.astype(object)
    high = [(((w[0] << 32) + w[1]) * ((w[2] << 32) + w[3])) >> 64 for w in words]
    cases.write("high_product", """SIMT_KERNEL(256) micro(const int *x, int *out) {
  const int *w = x + threadIdx.x * 4;
  const u64 high = high_product((u64)w[0] << 32 | (u64)w[1], (u64)w[2] << 32 | (u64)w[3]);
  out[threadIdx.x * 2] = (int)(high >> 32 & 0x7fffffff);
  out[threadIdx.x * 2 + 1] = (int)(high & 0x7fffffff);
}
""", 256, [("i32", x), ("i32", None, np.array([[h >> 32 & 0x7FFFFFFF, h & 0x7FFFFFFF] for h in high]))], [0, 1])


def vectors(cases):
    bits, values = numbers(128, 8)
    wanted = values * 2
    cases.write("vectors", """SIMT_KERNEL(128) micro(const bf16 *in, bf16 *halves, float *whole) {
  float x[8], zero[8];
  load_vector(x, in + threadIdx.x * 8);
  fill_vector(zero, 0.f);
  store_vector(whole + threadIdx.x * 8, zero);
  add_vector(whole + threadIdx.x * 8, x);
  add_vector(whole + threadIdx.x * 8, x);
  for (int i = 0; i < 8; ++i)
    x[i] = x[i] + x[i];
  store_vector(halves + threadIdx.x * 8, x);
  for (int i = 0; i < 2; ++i)
    store_pair(halves + threadIdx.x * 8 + i * 4, x[i * 4], x[i * 4 + 1]);
  store_pair(whole + threadIdx.x * 8 + 6, x[6], x[7]);
}
""", 128, [("bf16", bits), ("bf16", None, wanted), ("f32", None, wanted)], [0, 1, 2])
    x = RANDOM.integers(-1000, 1000, 256).astype(np.int32)
    whole = x.reshape(8, 32)
    sums = np.repeat(whole.sum(1), 32)
    most = np.repeat(whole.max(1), 32)
    quads = np.repeat(x.reshape(64, 4).sum(1), 4)
    eights = x.reshape(32, 8)
    strided = x.reshape(8, 8, 4)
    cases.write("reductions", """SIMT_KERNEL(256) micro(const float *in, float *out) {
  SHARED_ARENA(arena);
  const int t = threadIdx.x;
  const float x = in[t];
  out[t] = warp_sum(x);
  out[256 + t] = warp_max(x);
  out[512 + t] = quad_sum(x);
  out[768 + t] = block_sum<256>(x, (float *)arena);
  out[1024 + t] = block_max<128>(x, (float *)arena);
  out[1280 + t] = quad_max(x);
  out[1536 + t] = lanes_sum<8>(x);
  out[1792 + t] = lanes_max<8>(x);
  out[2048 + t] = warp_sum_from<4>(x);
  out[2304 + t] = warp_max_from<4>(x);
}
""", 256, [("f32", x.astype(np.float32)),
           ("f32", None, np.concatenate([sums, most, quads, np.full(256, x.sum()),
                                         np.repeat(x.reshape(2, 128).max(1), 128),
                                         np.repeat(x.reshape(64, 4).max(1), 4),
                                         np.repeat(eights.sum(1), 8), np.repeat(eights.max(1), 8),
                                         np.broadcast_to(strided.sum(1, keepdims=True), strided.shape).reshape(-1),
                                         np.broadcast_to(strided.max(1, keepdims=True), strided.shape).reshape(-1)]))], [0, 1], shared=64)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = Cases(sys.argv[1])
    for family in (tma, tma_tf32, wgmma, barriers, warps, scalars, vectors, sorts):
        family(cases)
    print(f"{len(cases.names)} cases")


main()
