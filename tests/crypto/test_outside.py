"""What a sealed record shows from outside, held against records that were really sealed."""

import os
import random

import pytest

from mailstead.crypto import frame, primitives
from mailstead.crypto.outside import parse_header, shape
from mailstead.crypto.records import header
from mailstead.crypto.sealed import Kind, Ref
from mailstead.errors import UnsealError

KEY, CONTEXT = bytes(32), b"context"
LENGTHS = [0, 1, 7, 8, 100, 1000, 4095, 16376 - 8, 16376, 16377, 40_000, 65_536, 100_000, 262_144]


def sealed(length: int) -> bytes:
    return primitives.seal(KEY, CONTEXT, frame.frame(os.urandom(length)))


@pytest.mark.parametrize("length", [*LENGTHS, *random.Random(7).sample(range(70_000), 40)])
def test_the_length_of_a_content_is_within_what_is_said_of_it(length: int) -> None:
    seen = shape(len(sealed(length)))
    assert seen.least <= length <= seen.most
    assert seen.frame == frame.padme(8 + length)
    assert seen.chunks == seen.frame // 16384 + 1


@pytest.mark.parametrize("length", LENGTHS)
def test_no_length_is_said_to_be_possible_that_is_not(length: int) -> None:
    octets = len(sealed(length))
    seen = shape(octets)
    assert len(sealed(seen.least)) == octets
    assert len(sealed(seen.most)) == octets
    assert len(sealed(seen.most + 1)) > octets
    if seen.least:
        assert len(sealed(seen.least - 1)) < octets


@pytest.mark.parametrize("octets", [0, 55, 56, 71, 79, 56 + 16400, 56 + 16400 + 15, 56 + 2 * 16400])
def test_what_was_cut_is_called_that(octets: int) -> None:
    with pytest.raises(UnsealError):
        shape(octets)


def test_a_header_is_read_as_it_was_made() -> None:
    octets = header(Kind.SUMMARY, Ref.LANE, 7, bytes(range(16)), bytes(range(16, 32)), 9, 1)
    found = parse_header(octets + b"payload")
    assert (found.kind, found.ref, found.flags, found.index, found.dictionary) == (
        Kind.SUMMARY, Ref.LANE, 7, 9, 1,
    )  # fmt: skip
    assert found.object_id == bytes(range(16))
    assert found.ref_id == bytes(range(16, 32))


@pytest.mark.parametrize(("at", "octet"), [(0, 0), (4, 2), (5, 99), (6, 9), (7, 16)])
def test_a_header_of_anything_unknown_is_refused(at: int, octet: int) -> None:
    octets = bytearray(header(Kind.BODY, Ref.LANE, 3, bytes(16), bytes(16), 0))
    octets[at] = octet
    with pytest.raises(UnsealError):
        parse_header(bytes(octets))
    with pytest.raises(UnsealError):
        parse_header(bytes(octets[:47]))
