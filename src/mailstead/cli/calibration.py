"""How dear a password may be here: Argon2id takes as much memory as fits into a login's patience."""

import time

from mailstead.crypto.primitives import argon2id, random_octets

PASSES = 2
LEAST_KIB = 19 << 10  # what OWASP asks for with two passes
MOST_KIB = 256 << 10
SECONDS = 0.1  # for one login by password
_TRIES = 3  # the fastest is nearest to what the machine can do


def calibrated(seconds: float) -> tuple[int, float]:
    """The memory that a password slot is to take with `PASSES`, and how long a login then takes, about.

    Args:
        seconds: What `LEAST_KIB` take here (`measured`).

    Returns:
        KiB from `LEAST_KIB` to `MOST_KIB`, a multiple of 1,024; seconds.
    """
    wanted = int(LEAST_KIB * SECONDS / max(seconds, 1e-6)) >> 10 << 10
    kib = min(max(wanted, LEAST_KIB), MOST_KIB)
    return kib, seconds * kib / LEAST_KIB


def measured() -> float:
    """The seconds that hashing with `LEAST_KIB` takes on this machine."""
    return min(_once() for _ in range(_TRIES))


def _once() -> float:
    began = time.perf_counter()
    argon2id(b"calibration", random_octets(16), LEAST_KIB, PASSES, None, memoryview(bytearray(32)))
    return time.perf_counter() - began
