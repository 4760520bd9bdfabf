"""What a record of an order holds: what was put in comes out, and nothing malformed is taken for it."""

import contextlib
import os
import subprocess
import sys
from array import array

import pytest

from mailstead.accounts import answerrows
from mailstead.accounts.columns import Links, Numbers
from mailstead.accounts.keptorders import Finished
from mailstead.accounts.marks import Extra, Field
from mailstead.accounts.orderrows import NUMBERS, decode, encode
from mailstead.errors import UnsealError
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threadlist import Piece
from mailstead.mail.threads import Algorithm
from mailstead.store import orders as rows

FIELDS: list[Field] = [By.SUBJECT, By.DATE, Extra.LINKS]
PAGE = (7, b"w" * 16)
TEXTS = dict(enumerate(["B", "A\n", "", "\ud800", "\U0010ffffz", "A\0"]))
MARKS: dict[Field, list[object]] = {
    By.SUBJECT: [0, 1, 2, 3, 4, 5, 1],
    By.DATE: [1, -(2**63), 2**63 - 1, 0, 5, 5, -1],
    Extra.LINKS: [(n, n % 2, array("q", range(n))) for n in range(7)],
}


def content_of(field: Field) -> bytes:
    return encode(field, PAGE, list(zip(range(1, 8), MARKS[field], strict=True)), TEXTS)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_encoded_is_decoded(field: Field) -> None:
    texts: dict[int, str] = {}
    column = decode(field, PAGE, content_of(field), texts)
    assert column is not None
    assert list(column.uids) == list(range(1, 8))
    if isinstance(column, Links):
        assert list(column.ids) == list(range(7))
        assert list(column.replies) == [0, 1, 0, 1, 0, 1, 0]
        assert list(column.references) == [r for n in range(7) for r in range(n)]
        assert list(column.ends) == [0, 1, 3, 6, 10, 15, 21]
    elif field is By.SUBJECT:
        assert [texts[value] for value in column.values] == [TEXTS[n] for n in (0, 1, 2, 3, 4, 5, 1)]
        assert list(texts.values()) == sorted(TEXTS.values())
        assert len(content_of(field)) == 28 + 7 * 4 + 1 + 7 + 6 + sum(
            len(t.encode("utf-8", "surrogatepass")) for t in [*TEXTS.values(), "A\n"]
        )
    else:
        assert list(column.values) == MARKS[field]
    assert decode(field, (8, b"w" * 16), content_of(field), texts) is None
    assert decode(field, (7, b"v" * 16), content_of(field), texts) is None


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_malformed_is_refused(field: Field) -> None:
    content = content_of(field)
    for at in range(len(content)):
        changed = bytearray(content)
        for value in (0, 255, changed[at] ^ 1):
            changed[at] = value
            with contextlib.suppress(UnsealError):
                column = decode(field, PAGE, bytes(changed), {})
                assert column is None or len(column.uids) == content[3] or changed[2:4] != content[2:4]
        if field is not By.SUBJECT or at < 28 + 7 * 4 + 8:  # later only a string is shorter
            with pytest.raises(UnsealError):
                decode(field, PAGE, content[:at], {})
    for other in NUMBERS.keys() - {field}:
        with pytest.raises(UnsealError):
            decode(other, PAGE, content, {})


def test_strings_with_every_separator_are_not_stored() -> None:
    texts = {0: "\n\0\1\2\3\4\5\6\7\x08", 1: "a"}
    with pytest.raises(ValueError, match="separator"):
        encode(By.SUBJECT, PAGE, [(1, 0), (2, 1)], texts)


def test_every_field_has_a_number_for_good() -> None:
    assert sorted(NUMBERS.values()) == list(range(1, rows.FIELDS + 1))
    assert NUMBERS.keys() == {*By, *Extra} - {By.RELEVANCY}


def test_numbers_of_message_ids_are_the_same_in_every_process() -> None:
    code = (
        "from mailstead.accounts.marks import Extra, Making\n"
        "from mailstead.accounts.entries import EntryA\n"
        "a = EntryA(1, 1, 1, 0, bytes(16), b'')\n"
        'e = b\'("x" "re: y" NIL NIL NIL NIL NIL NIL NIL "<1@x>")\'\n'
        "print(Making([Extra.LINKS], b'm' * 16).make(a, e, b'References: <2@x> <3@x>\\r\\n\\r\\n'))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1
    assert "array('q', [" in said.pop()


def test_columns_are_joined() -> None:
    numbers = Numbers(array("I", [1]), array("q", [5]))
    numbers.join(Numbers(array("I", [3]), array("q", [6])))
    assert (list(numbers.uids), list(numbers.values)) == ([1, 3], [5, 6])
    links = Links()
    links.add([1], [(1, 0, [7, 8])])
    more = Links()
    more.add([2, 3], [(2, 1, []), (3, 0, [9])])
    links.join(more)
    assert (list(links.ends), list(links.references), list(links.ids)) == ([2, 2, 3], [7, 8, 9], [1, 2, 3])


UIDS = array("I", [3, 4, 9, 300])
ANSWERS = [
    Finished(UIDS, UIDS, array("I", [3, 0, 2, 1])),
    Finished(
        UIDS,
        UIDS,
        threads=[
            Piece(b"(n n)", array("I", [2, 0])),
            Piece(b"(n)", array("I", [3])),
            Piece(b"(n)", array("I", [1])),
        ],
    ),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_encoded_is_decoded(answer: Finished) -> None:
    assert answerrows.decode(answerrows.encode(answer)) == answer


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_malformed_answer_is_refused(answer: Finished) -> None:
    content = answerrows.encode(answer)
    for at in range(len(content)):
        with pytest.raises(UnsealError):
            answerrows.decode(content[:at])
        for value in (0, 4, 255, content[at] ^ 1):
            changed = content[:at] + bytes((value,)) + content[at + 1 :]
            with contextlib.suppress(UnsealError):
                found = answerrows.decode(changed)
                places = [*found.places, *[p for t in found.threads for p in t.places]]
                assert len(places) == len(found.uids) <= 4
                assert max(places, default=0) < max(len(found.uids), 1)
                assert list(found.uids) == sorted(set(found.uids))
    with pytest.raises(UnsealError):
        answerrows.decode(content + b"x")


def test_questions_are_told_apart() -> None:
    asked = [
        *Algorithm,
        (Criterion(By.SUBJECT),),
        (Criterion(By.SUBJECT, reverse=True),),
        (Criterion(By.SUBJECT), Criterion(By.DATE)),
        (Criterion(By.DATE), Criterion(By.SUBJECT)),
        tuple(Criterion(by, reverse=True) for by in By if by is not By.RELEVANCY),
    ]
    ids = {rows.answer_id(answerrows.question_id(question)) for question in asked}
    assert len(ids) == len(asked)
    assert all(len(i) == 16 and i >= rows.answer_id(b"") > rows.order_id(rows.FIELDS, 2**32 - 1) for i in ids)
