"""Terms and clues: a text with a string has what the clues say, and one that they are sure of has the string."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailstead.index.terms import STEP, SURE, WINDOW, Clue, Clues, Place, clues, loose_term, terms
from mailstead.mail.casemap import fold
from tests.support.segments import documents, possible, written

ALPHABET = st.text(st.sampled_from("aAbcSß é\u0301ñ0 9.,-_\r\n@日本中文กขअकК й한"), max_size=60)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World!", {"HELLO", "WORLD"}),
        ("a_b-c@d.e", {"A", "B", "C", "D", "E"}),
        ("naïve", {"NAI\u0308VE"}),
        ("東京都 x中", {"東京", "京都", "都", "X", "中"}),
        ("中文abc", {"中文", "文", "ABC"}),
        ("", set()),
        ("x" * 41, {"X" * 40, "X" * 21}),
    ],
)
def test_terms(text: str, found: set[str]) -> None:
    assert terms(fold(text)) == found


@pytest.mark.parametrize(
    ("string", "found"),
    [
        ("invoice", Clues((Clue("INVOICE", Place.ANYWHERE),), sure=True)),
        ("two words", Clues((Clue("TWO", Place.ENDS), Clue("WORDS", Place.BEGINS)), sure=False)),
        (" word ", Clues((Clue("WORD", Place.WHOLE),), sure=False)),
        (
            "a b c",
            Clues((Clue("A", Place.ENDS), Clue("B", Place.WHOLE), Clue("C", Place.BEGINS)), sure=False),
        ),
        ("中", Clues((Clue("中", Place.BEGINS),), sure=True)),
        ("中文", Clues((Clue("中文", Place.WHOLE),), sure=True)),
        ("東京都", Clues((Clue("東京", Place.WHOLE), Clue("京都", Place.WHOLE)), sure=False)),
        ("--", Clues((), sure=False)),
    ],
)
def test_clues(string: str, found: Clues) -> None:
    assert clues(fold(string)) == found


@settings(max_examples=400, deadline=None)
@given(ALPHABET, ALPHABET, st.integers(0, 60), st.integers(0, 30))
@example("x" * 100, "", 30, SURE)
@example("0123456789" * 9, "", 17, 50)
def test_every_string_of_a_text_is_found_and_no_other_is_sure(
    one: str, other: str, at: int, length: int
) -> None:
    folded = [fold(one), fold(other)]
    string = folded[0][at : at + length]
    segment = written({0: one, 1: other or "-"})
    for wanted in (string, folded[1][:length]):
        found, sure = possible(segment, wanted)
        there = {n for n, text in enumerate(folded) if wanted in text}
        if found is not None:
            assert there <= found, (wanted, clues(fold(wanted)))
        if sure:
            assert found == there, (wanted, clues(fold(wanted)))


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789ABCDEF", min_size=WINDOW, max_size=4 * WINDOW), st.integers(0, 3 * WINDOW))
def test_of_a_long_run_each_short_string_is_in_one_term(run: str, at: int) -> None:
    assert any(run[at : at + SURE] in term for term in terms(run))
    assert len(terms(run)) <= len(run) // STEP


def test_terms_with_marks_are_found_without_them() -> None:
    assert loose_term(fold("café")) == "cafe"
    assert loose_term(fold("Straße")) == "strasse"
    assert loose_term(fold("МИР")) is None, "no marks: it is found as it is"
    segment = written({1: "Café", 2: "cafe", 3: "cafés"})
    assert documents(segment, Clue("CAFE", Place.WHOLE), b"b") == {2}
    assert documents(segment, Clue("cafe", Place.WHOLE), b"B") == {1}
    assert documents(segment, Clue("cafe", Place.BEGINS), b"B") == {1, 3}
    assert documents(segment, Clue("CAFA", Place.NEARLY), b"b") == {2}
