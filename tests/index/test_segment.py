"""Segments: what is written is found again, merged or not, little is read for it, and nonsense is told."""

import random

import pytest

from mailstead.index.lookup import look_up
from mailstead.index.segment import (
    FOOTER_OCTETS,
    OBJECT_OCTETS,
    Damaged,
    inflate,
    of_bitmap,
    read_block,
    read_documents,
    read_footer,
    to_bitmap,
)
from mailstead.index.terms import Clue, Place
from mailstead.mail.casemap import fold
from tests.support.segments import documents, layout, merged, possible, written


def texts(chance: random.Random, first: int, count: int) -> dict[int, str]:
    words = ["".join(chance.choices("ETAOINSHRDLU0123é中文", k=chance.randint(1, 9))) for _ in range(900)]
    return {
        n: " ".join([*chance.choices(words, k=40), *words[:1], f"{chance.getrandbits(60):x}"])
        for n in range(first, first + count)
    }


def test_what_is_written_is_found_again_and_merged_without_what_is_gone() -> None:
    chance = random.Random(3)
    parts = [texts(chance, 10, 400), texts(chance, 500, 100), texts(chance, 601, 700)]
    segments = [written(part) for part in parts]
    gone = [{11, 200}, {500}, set[int]()]
    whole = merged(segments, gone)
    there = {n: t for part, some in zip(parts, gone, strict=True) for n, t in part.items() if n not in some}
    assert whole == written(there), "as if it had been written at once"
    assert [n for n, _ in read_documents(
        whole[layout(whole).documents_at :], len(there)
    )] == sorted(there)  # fmt: skip
    for n in chance.sample(sorted(there), 150):
        word = chance.choice(there[n].split())
        found, sure = possible(whole, word)
        having = {d for d, t in there.items() if fold(word) in fold(t)}
        assert found == having if sure else found is not None and found >= having


def test_a_word_that_nearly_all_have_takes_a_bit_for_each() -> None:
    some = {n: f"common w{n}" for n in range(3000)}
    segment = written(some)
    assert layout(segment).blocks_at < 1000, "no list of 3,000 numbers"
    assert documents(segment, Clue("COMMON", Place.WHOLE)) == set(some)
    assert documents(segment, Clue("W7", Place.BEGINS)) == {n for n in some if str(n).startswith("7")}
    assert of_bitmap(to_bitmap([3, 7, 8, 90], 3, 90), 3).tolist() == [3, 7, 8, 90]


def test_little_is_read_for_a_word() -> None:
    segment = written(texts(random.Random(4), 0, 2000))
    whole = layout(segment)
    assert len(whole.blocks) > 3
    looking = look_up(whole, Clue("TAOI", Place.WHOLE), b"b")
    assert len(next(looking)) == 1
    some = next(look_up(whole, Clue("7F3A9", Place.ANYWHERE), b"b"), [])
    assert len(some) < len(whole.blocks), "blocks that cannot have it are passed over"


def test_another_field_is_not_found() -> None:
    segment = written({5: "hello"}, "s")
    assert documents(segment, Clue("HELLO", Place.ANYWHERE), b"b") == set()
    assert documents(segment, Clue("HELLO", Place.ANYWHERE), b"sb") == {5}
    assert documents(segment, Clue("B", Place.ANYWHERE), b"sb") == set(), "the field is no part of the term"


def test_nonsense_is_told_and_never_anything_else() -> None:
    chance = random.Random(5)
    segment = written(texts(chance, 0, 60))
    with pytest.raises(Damaged):
        read_footer(segment[-FOOTER_OCTETS + 1 :], len(segment))
    with pytest.raises(Damaged):
        inflate(b"\x28\xb5\x2f\xfd\xa0\xff\xff\xff\x7f")
    with pytest.raises(Damaged):
        read_block(b"")
    told = 0
    for _ in range(600):
        at = chance.randrange(len(segment) - 1)
        broken = segment[:at] + bytes((segment[at] ^ (1 << chance.randrange(8)),)) + segment[at + 1 :]
        try:
            for clue in (Clue("E", Place.ANYWHERE), Clue("TA", Place.BEGINS)):
                documents(broken, clue)
            merged([broken])
        except Damaged:
            told += 1
    assert told > 50


def test_objects_have_ids_of_one_length() -> None:
    segment = written({1: "x", 4: "y"})
    found = layout(segment)
    table = segment[found.documents_at : found.signatures_at]
    assert list(read_documents(table, 2)) == [
        (1, (1).to_bytes(16, "big")),
        (4, (4).to_bytes(OBJECT_OCTETS, "big")),
    ]
