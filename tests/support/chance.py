"""Whether two samples can be told apart."""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, sqrt


def same_distribution(one: Sequence[float], other: Sequence[float]) -> float:
    """The p-value of the two-sample Kolmogorov-Smirnov test: how likely at least this difference is
    of samples of one distribution (Kolmogorov's limit with Stephens' correction, 1970)."""
    a, b = sorted(one), sorted(other)
    apart = max(abs(bisect_right(a, x) / len(a) - bisect_right(b, x) / len(b)) for x in (*a, *b))
    root = sqrt(len(a) * len(b) / (len(a) + len(b)))
    z = (root + 0.12 + 0.11 / root) * apart
    if z < 0.2:
        return 1.0  # the series converges slowly there, and to this
    terms = (2 * (-1) ** (k - 1) * exp(-2 * (k * z) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, sum(terms)))
