"""Draws that optima.py and bulk.py make, and tests/common/golden.rs too, to the bit."""

import numpy as np


def uniforms(seed, samples, draw):
    """splitmix64 (Steele et al. 2014) of the position: the upper 53 bits as a number in (0, 1)."""
    with np.errstate(over="ignore"):
        z = np.arange(samples, dtype=np.uint64) + np.uint64((seed * 64 + draw) << 32)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(float) + 0.5) / 2.0**53
