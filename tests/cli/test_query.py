"""What `mail search` understands, and how IMAP is asked for it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.cli.query import parse, spelled
from mailstead.errors import Exit, Trouble
from mailstead.imap.searchkeys import BodyHas, Dated, HasAttachment, HasFlag, HeaderHas, Not, TextHas, When
from mailstead.mail.mailbox import SystemFlag

SEEN, FLAGGED = SystemFlag.SEEN, SystemFlag.FLAGGED


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("lunch", [TextHas("lunch")]),
        ('"half past"', [TextHas("half past")]),
        ("  from:ann   to:bob\tsubject:x ", [HeaderHas(b"from", "ann"), HeaderHas(b"to", "bob"), HeaderHas(b"subject", "x")]),
        ('subject:"two words" body:дом', [HeaderHas(b"subject", "two words"), BodyHas("дом")]),
        ("before:2026-11-01", [Dated(When.BEFORE, date(2026, 11, 1))]),
        ("after:2026-11-01", [Dated(When.SINCE, date(2026, 11, 1))]),
        ("is:unread is:read is:flagged", [HasFlag(SEEN, present=False), HasFlag(SEEN), HasFlag(FLAGGED)]),
        ("-tomato -from:ann -is:flagged", [Not(TextHas("tomato")), Not(HeaderHas(b"from", "ann")), Not(HasFlag(FLAGGED))]),
        ('-"not this"', [Not(TextHas("not this"))]),
        ("half-past", [TextHas("half-past")]),
        ("https://a.test/x", [TextHas("https://a.test/x")]),
        ("Re: 12:30", [TextHas("Re:"), TextHas("12:30")]),
        ('"from:ann"', [TextHas("from:ann")]),
        ("has:attachment -has:attachment", [HasAttachment(), Not(HasAttachment())]),
        ("subject:a:b", [HeaderHas(b"subject", "a:b")]),
    ],
)  # fmt: skip
def test_a_query_is_these_keys(query: str, keys: list[object]) -> None:
    assert parse(query) == (keys, None)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "nothing"), ("  ", "nothing"), ('""', "between the quotes"), ("form:bob", '"form:" is not one of'),
        ("has:wings", "has:wings is not has:attachment"), ("-in:Sent", "in: names one mailbox"), ("in:a in:b", "in: names one mailbox"),
        ("is:new", "is:new is not one of is:unread"), ("before:yesterday", "not a day"), ("after:2026-02-30", "not a day"),
        ('"open', "from here on"), ('a"b', "from here on"), ("from:", "nothing behind from:"), ("-is:  x", "nothing behind is:"), ('"a"b', "from here on"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(query: str, why: str) -> None:
    with pytest.raises(Trouble) as caught:
        parse(query)
    assert caught.value.exit_code is Exit.USAGE
    assert why in caught.value.why


def test_a_query_may_name_a_mailbox() -> None:
    assert parse("lunch in:Archive") == ([TextHas("lunch")], "Archive")
    assert parse('in:"two words"') == ([], "two words")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("lunch", ("TEXT", "lunch")),
        ("-subject:x", ("NOT SUBJECT", "x")),
        ("before:2026-01-31", ("BEFORE 31-Jan-2026", "")),
        ("-after:0999-12-01", ("NOT SINCE 1-Dec-0999", "")),
        ("is:unread", ("UNSEEN", "")),
        ("-is:read", ("NOT SEEN", "")),
        ("is:flagged", ("FLAGGED", "")),
        ("body:x", ("BODY", "x")),
    ],
)
def test_imap_is_asked_for_it(query: str, words: tuple[str, str]) -> None:
    assert spelled(parse(query).keys[0]) == words


@given(st.text(max_size=80))
def test_any_text_is_a_query_or_an_error(text: str) -> None:
    try:
        keys = parse(text).keys
    except Trouble:
        return
    for key in keys:
        spelled(key)
