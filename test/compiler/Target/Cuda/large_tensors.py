#!/usr/bin/env python3
"""Runs the kernel of Inputs/large.mlir on a driver: rows are read from, and
written to, places that 32 bits do not count.

Usage: large_tensors.py DRIVER IMAGE
"""
import array
import ctypes
import sys

ROWS, COLUMNS, PICKED = 70000, 32768, [0, 1, 65535, 65536, 69000, 69997, 69998, 69999]


class Config(ctypes.Structure):
    """CUlaunchConfig."""
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_uint),
                ("stream", ctypes.c_void_p), ("attributes", ctypes.c_void_p), ("count", ctypes.c_uint)]


class Driver:
    def __init__(self, path):
        self.library = ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        self("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self("cuDeviceGet", ctypes.byref(device), 0)
        self("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self("cuCtxSetCurrent", context)
        self.device, self.memory = device, []

    def __call__(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status:
            raise SystemExit(f"{name}: {status}")

    def allocate(self, size):
        address = ctypes.c_uint64()
        self("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        self.memory.append(address)
        return address.value

    def write(self, address, numbers):
        data = numbers.tobytes()
        self("cuMemcpyHtoD_v2", ctypes.c_uint64(address), data, ctypes.c_size_t(len(data)))

    def read(self, address, count):
        data = ctypes.create_string_buffer(4 * count)
        self("cuMemcpyDtoH_v2", data, ctypes.c_uint64(address), ctypes.c_size_t(4 * count))
        return array.array("f", data.raw)

    def close(self):
        for address in self.memory:
            self("cuMemFree_v2", address)
        self("cuDevicePrimaryCtxRelease_v2", self.device)


def main(path, image):
    driver = Driver(path)
    table, copy = driver.allocate(4 * ROWS * COLUMNS), driver.allocate(4 * ROWS * COLUMNS)
    ids, out = driver.allocate(4 * len(PICKED)), driver.allocate(4 * len(PICKED) * COLUMNS)
    driver.write(ids, array.array("i", PICKED))
    rows = {}
    for row in PICKED:
        rows[row] = array.array("f", (row + column / COLUMNS for column in range(COLUMNS)))
        driver.write(table + 4 * row * COLUMNS, rows[row])
    library, kernel = ctypes.c_void_p(), ctypes.c_void_p()
    with open(image, "rb") as file:
        driver("cuLibraryLoadData", ctypes.byref(library), file.read(), None, None, 0, None, None, 0)
    driver("cuLibraryGetKernel", ctypes.byref(kernel), library, b"far")
    config = Config()
    config.grid[:], config.block[:] = (len(PICKED) * COLUMNS // 4096, 1, 1), (256, 1, 1)
    values = [ctypes.c_uint64(value) for value in (ids, table, out, copy)]
    pointers = (ctypes.c_void_p * 4)(*(ctypes.addressof(value) for value in values))
    driver("cuLaunchKernelEx", ctypes.byref(config), kernel, pointers, None)
    driver("cuCtxSynchronize")
    wrong = 0
    for i, row in enumerate(PICKED):
        wrong += list(driver.read(out + 4 * i * COLUMNS, COLUMNS)) != [2 * x for x in rows[row]]
        wrong += driver.read(copy + 4 * (69990 + i) * COLUMNS, COLUMNS) != rows[row]
    driver("cuLibraryUnload", library)
    driver.close()
    print(f"{wrong} of {2 * len(PICKED)} rows are wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
