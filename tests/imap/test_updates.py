"""UPDATE, CANCELUPDATE, and what tells of changed results (RFC 5267, RFC 5465)."""

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.esearch import Result, Return, correlator, read_return
from mailstead.imap.fetch import Body, Item
from mailstead.imap.tokens import BadSyntax, Tokens
from mailstead.imap.updates import CancelUpdate, Placed, no_update, updated
from mailstead.mail.section import Section, Text

COUNT = frozenset((Result.COUNT,))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (b"RETURN (UPDATE COUNT) ", Return(COUNT, update=True)), (b"RETURN (update) ", Return(update=True)),
        (b"RETURN (CONTEXT COUNT) ", Return(COUNT)), (b"RETURN (CONTEXT) ", Return()),
        (b"RETURN (COUNT UPDATE (UID FLAGS UID)) ", Return(COUNT, update=True, items=(Item.UID, Item.FLAGS))),
        (b"RETURN (UPDATE(UID)) ", Return(update=True, items=(Item.UID,))),  # as the grammar of RFC 5465 has it
        (
            b"RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) ",  # RFC 5465 section 7
            Return(COUNT, update=True, items=(
                Item.UID, Body(Section((), Text.FIELDS, (b"TO", b"FROM", b"SUBJECT")), b"BODY[HEADER.FIELDS (TO FROM SUBJECT)]", peek=True),
            )),
        ),
    ],
)  # fmt: skip
def test_return_options(text: bytes, asked: Return) -> None:
    assert read_return(Tokens((text,))) == asked


@pytest.mark.parametrize(
    "text",
    [b"RETURN (UPDATE UPDATE) ", b"RETURN (UPDATE ()) ", b"RETURN (UPDATE (FOO)) ", b"RETURN (UPDATE (UID) ", b"RETURN (UPDATE UID) ",
     b"RETURN (UPDATE (UID)COUNT) ", b"RETURN (COUNT (UID)) "],
)  # fmt: skip
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        read_return(Tokens((text,)))


def test_cancelling() -> None:
    assert parse((b'B04 CANCELUPDATE "B01"',)) == CancelUpdate((b"B01",))  # RFC 5267 section 4.3.5
    assert parse((b'a cancelupdate "x" y "x"',)) == CancelUpdate((b"x", b"y"))
    for wrong in (
        b"CANCELUPDATE",
        b"CANCELUPDATE ",
        b'CANCELUPDATE "a"b',
        b"CANCELUPDATE ()",
        b"CANCELUPDATE" + b" a" * 101,
    ):
        with pytest.raises(BadSyntax):
            parse((b"a " + wrong,))


@pytest.mark.parametrize(
    ("removed", "added", "said"),
    [
        ([], [(0, [32768, 32769])], b'* ESEARCH (TAG "B01") UID ADDTO (0 32768:32769)\r\n'),  # RFC 5267 section 4.3.3
        ([], [(1, [2731, 2732, 2733])], b'* ESEARCH (TAG "B01") UID ADDTO (1 2731:2733)\r\n'),
        ([(0, [32768])], [], b'* ESEARCH (TAG "B01") UID REMOVEFROM (0 32768)\r\n'),  # section 4.3.4
        ([(5, [9, 4]), (2, [7])], [(1, [3]), (3, [8])], b'* ESEARCH (TAG "B01") UID REMOVEFROM (5 9,4 2 7) ADDTO (1 3 3 8)\r\n'),
        ([], [], b""),
    ],
)  # fmt: skip
def test_responses(removed: list[Placed], added: list[Placed], said: bytes) -> None:
    assert updated(correlator(b"B01"), removed, added, uid=True) == said
    assert updated(correlator(b"B01"), removed, added, uid=False) == said.replace(b" UID", b"")


def test_refusing() -> None:
    assert (
        no_update(b"B02", "Too many contexts") == b'* NO [NOUPDATE "B02"] Too many contexts\r\n'
    )  # section 4.3.1
