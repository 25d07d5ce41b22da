"""Toy models for comparisons: weights and tokens that follow from names alone,
so that no weights need to be stored, and figures that stand for whole gradients.
"""
import zlib

import numpy as np

BATCH, TIME = 2, 12


def noise(name, count):
    """`count` numbers from -1 to 1 that look random."""
    seed = zlib.crc32(name.encode())
    x = (np.arange(count, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(32)
    x *= np.uint64(0xD6E8FEB86659FD93)
    x ^= x >> np.uint64(32)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1


def weight(name, shape):
    """The parameter of this name, in f32."""
    x = noise(name, int(np.prod(shape))).reshape(shape)
    if name.endswith("norm.weight"):
        return (1 + 0.2 * x).astype(np.float32)
    if name.endswith(("bias", "correction_bias")):
        return (0.1 * x).astype(np.float32)
    return (x * (1.0 if "embed" in name else 1.7 / shape[-1]**0.5)).astype(np.float32)


def tokens(vocab):
    """Input tokens and targets; one target is ignored. No token is 0: some of
    the classes do not train the row of the padding."""
    ids = 1 + ((noise("tokens", BATCH * (TIME + 1)) + 1) / 2 * (vocab - 1)).astype(np.int32)
    ids = ids.reshape(BATCH, TIME + 1)
    targets = ids[:, 1:].copy()
    targets[0, 3] = -100
    return ids[:, :-1].copy(), targets


def figures(name, gradient):
    """Length of a gradient, and its product with a fixed direction."""
    flat = np.asarray(gradient, np.float64).ravel()
    return [float(np.linalg.norm(flat)), float(flat @ noise("along " + name, flat.size))]
