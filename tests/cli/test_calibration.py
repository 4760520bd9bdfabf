"""What a password costs is measured where it is checked."""

import pytest

from mailstead.cli.calibration import LEAST_KIB, MOST_KIB, SECONDS, calibrated, measured


def test_a_fast_machine_takes_more_memory_and_a_slow_one_never_less_than_the_least() -> None:
    assert calibrated(SECONDS / 4) == (4 * LEAST_KIB, SECONDS)
    assert calibrated(SECONDS / 2.5)[0] == 47 << 10, "whole MiB"
    assert calibrated(0.5) == (LEAST_KIB, 0.5)
    assert calibrated(SECONDS * LEAST_KIB / MOST_KIB / 2)[0] == calibrated(0.0)[0] == MOST_KIB


def test_what_is_measured_is_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("mailstead.cli.calibration.argon2id", lambda *arguments: asked.append(arguments[2]))
    assert measured() > 0
    assert asked == [LEAST_KIB] * 3
