"""Numbers that the tests make as well (Generator.h): number i of tensor NAME is a
hash of (FNV-1a(NAME), i), so nothing needs to be stored.
"""
MASK = (1 << 64) - 1


def mix(x):
    """splitmix64's finalizer."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def fnv(name):
    h = 1469598103934665603
    for c in name.encode():
        h = ((h ^ c) * 1099511628211) & MASK
    return h


def numbers(name, count, scale):
    """Uniform in [-scale / 2, scale / 2)."""
    seed = fnv(name)
    return [((mix(seed + i) >> 40) / (1 << 24) - 0.5) * scale for i in range(count)]
