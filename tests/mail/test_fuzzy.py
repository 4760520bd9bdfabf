"""Fuzzy matching: what is found, and that more of it, and in a better place, is worth more (RFC 6203)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail import fuzzy
from mailstead.mail.casemap import fold
from mailstead.mail.fuzzy import (
    Counter,
    best,
    in_fields,
    loose,
    one_off,
    relevancy,
    weight,
    words,
)


def in_text(text: str, word: str) -> tuple[int, int]:
    return fuzzy._occurrences(fuzzy._apart(loose(fold(text))), word)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("IMAP break", ("imap", "break")), ("user@example.com", ("user", "example", "com")), ("  Straße, straße!", ("strasse",)),
        ("Ｋöln 2024", ("koln", "2024")), ("Ωραία", ("ωραια",)), ("ﬁle", ("file",)), ("日本語 検索", ("日本語", "検索")),
        ("", ()), (" .,-_!?«»…", ()), ("\u0301", ()), ("किताब", ("किताब",)), ("שָׁלוֹם", ("שלום",)),
    ],
)  # fmt: skip
def test_words_of_a_key(key: str, found: tuple[str, ...]) -> None:
    assert words(key) == found


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("break the breaker, unbreakable BREAK.", "break", (2, 1)), ("Straßenbahn", "strasse", (0, 1)), ("a-b_c", "c", (1, 0)),
        ("naïve NAIVE naïveté", "naive", (2, 1)), ("日本語のテキストを検索する。", "検索", (1, 0)), ("unbreak", "break", (0, 0)),
        ("x" * 100, "x", (0, 1)), ("a " * 100, "a", (9, 0)), ("", "a", (0, 0)), ("각하", "ᄀ", (0, 1)),
    ],
)  # fmt: skip
def test_where_words_begin(text: str, word: str, found: tuple[int, int]) -> None:
    assert in_text(text, word) == found


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("helo", "hello", True), ("helo", "help", True), ("helo", "hero", True), ("recieve", "receive", True), ("meeting", "meting", True),
        ("helo", "helo", True), ("helo", "halt", False), ("helo", "hellos", False), ("abcd", "badc", False), ("ab", "ba", True), ("form", "from", True),
    ],
)  # fmt: skip
def test_one_letter_off(one: str, other: str, near: bool) -> None:
    assert one_off(one, other) is near
    assert one_off(other, one) is near


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_one_letter_off_is_what_one_change_makes(one: str, other: str) -> None:
    changed = {one}
    for at in range(len(one) + 1):
        changed |= {one[:at] + c + one[at:] for c in "abc"} | {
            one[:at] + c + one[at + 1 :] for c in ("", *"abc")
        }
        changed.add(one[:at] + one[at : at + 2][::-1] + one[at + 2 :])
    changed -= {c for c in changed if len(c) - len(one) > 1}
    assert one_off(one, other) is (other in changed)


HEADER = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= Hamburg\r\nFrom: Zoë <zoe@x.test>\r\nX-Note: Hamburg, Altona\r\n\r\n".encode()


def test_fields_are_worth_what_they_are() -> None:
    values = in_fields(HEADER, ("grusse", "ham", "zoe", "altona", "hambrug", "lubeck"), weight)
    assert values.keys() == {"grusse", "ham", "zoe", "altona", "hambrug"}
    assert all(0 < value <= 1 for value in values.values())
    assert values["grusse"] > values["ham"] > values["altona"], (
        "a whole word in the subject, one that begins so, another field"
    )
    assert values["hambrug"] < values["ham"], "one letter is wrong"
    assert in_fields(HEADER, ("altoan",), weight) == {}, "which is for what people read and write"
    assert in_fields(HEADER, ("zoe", "altona"), lambda name: name == b"x-note") == {
        "altona": pytest.approx(0.7)
    }
    short, long = (
        in_fields(b"Subject: zephyr%b\r\n" % more, ("zephyr",), weight)["zephyr"]
        for more in (b"", b" and more" * 9)
    )
    assert short == 1.0 > long > 0.5


def counted(pieces: list[tuple[str, bool]], *wanted: str) -> dict[str, float]:
    counter = Counter(wanted)
    for text, first in pieces:
        for _ in counter.push(fold(text), first=first):
            pass
    return counter.values()


def test_more_of_a_word_in_a_body_is_worth_more() -> None:
    values = [counted([("zephyr " * n, True)], "zephyr").get("zephyr", 0.0) for n in (0, 1, 2, 9, 90)]
    assert values[0] == 0 < values[1] < values[2] < values[3] == values[4] < 1
    assert counted([("zephyrs", True)], "zephyr")["zephyr"] < values[1]


@given(
    st.text("ab \né.", max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
    st.text("aé", min_size=1, max_size=3),
)
def test_counting_in_pieces(text: str, cuts: list[int], key: str) -> None:
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [(text[a:b], at == 0) for at, (a, b) in enumerate(itertools.pairwise(ends))]
    (word,) = words(key)
    assert counted(pieces, word) == counted([(text, True)], word)


def test_two_texts_are_not_one() -> None:
    assert counted([("zeph", True), ("yr", True)], "zephyr") == {}
    assert counted([("zeph", True), ("yr", False)], "zephyr") != {}


@pytest.mark.parametrize("text", ["x" * 65536, "x " * 32768, "xa" * 32768, "a b" * 20000, "\u0301" * 65536])
def test_hostile_texts_are_looked_through_in_time(text: str) -> None:
    """Not quadratic: each took less than 50 ms where this was written."""
    assert counted([(text, True)], "a", "ab", "xx").keys() <= {"a", "ab", "xx"}
    assert len(in_fields(b"Subject: " + text.encode() + b"\r\n", ("abcd", "xxxx"), weight)) < 3


def test_scores_use_the_whole_range() -> None:
    assert [relevancy(score) for score in (0.0, 0.004, 0.5, 1.0)] == [1, 1, 50, 100]
    least = in_fields(b"From: " + b"zephir " * 50, ("zephyr",), weight)["zephyr"]
    assert relevancy(least) < 10
    assert best({"a": 0.5, "b": 0.1}, {"b": 1.0, "c": 1.0}, fuzzy.BODY) == {
        "a": 0.5,
        "b": fuzzy.BODY,
        "c": fuzzy.BODY,
    }
