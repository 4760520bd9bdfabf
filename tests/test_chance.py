"""The Kolmogorov-Smirnov test that the timing cases use."""

import random

import pytest

from tests.support.chance import same_distribution


def test_it_knows_published_values() -> None:
    # Critical values of Smirnov's table for large samples: 1.358 at 5 %, 1.628 at 1 %.
    for z, p in ((1.358, 0.05), (1.628, 0.01)):
        n = 20_000
        shift = round(z * (2 / n) ** 0.5 * n)
        assert same_distribution(range(n), range(shift, n + shift)) == pytest.approx(p, rel=0.05)
    assert same_distribution([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0


def test_it_tells_apart_what_differs_by_a_tenth_of_the_spread_and_nothing_else() -> None:
    rng = random.Random(1)
    base = [rng.gauss(10, 1) for _ in range(1000)]
    assert same_distribution(base, [rng.gauss(10, 1) for _ in range(1000)]) > 0.01
    assert same_distribution(base, [rng.gauss(10.2, 1) for _ in range(1000)]) < 0.01
