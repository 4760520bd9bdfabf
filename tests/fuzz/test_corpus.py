"""Every stored input of the fuzzers, through its target."""

from pathlib import Path

import pytest

from tests.fuzz.targets.parsers import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_stored_inputs(name: str) -> None:
    paths = sorted((CORPUS / name).iterdir())
    assert paths, "every target has a corpus"
    for path in paths:
        TARGETS[name](path.read_bytes())
