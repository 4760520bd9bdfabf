"""FETCH: items, sections, partials, macros."""

import pytest

from mailstead.imap.binary import Partial
from mailstead.imap.commands import parse
from mailstead.imap.fetch import Body, Fetch, FetchItem, Item
from mailstead.imap.responses import Condition
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.section import Section, Text
from mailstead.mail.uidset import STAR, SeqSet, UidSet

FAST = (Item.FLAGS, Item.INTERNALDATE, Item.SIZE)


def items(text: bytes) -> tuple[FetchItem, ...]:
    found = parse((b"a FETCH 1 " + text,))
    assert isinstance(found, Fetch)
    return found.items


def body(section: Section, label: bytes, **more: object) -> Body:
    return Body(section, label, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"FLAGS", (Item.FLAGS,)),
        (b"fast", FAST),
        (b"savedate", (Item.SAVEDATE,)),
        (b"ALL", (*FAST, Item.ENVELOPE)),
        (b"FULL", (*FAST, Item.ENVELOPE, Item.BODY)),
        (b"(UID FLAGS uid BODYSTRUCTURE BODY)", (Item.UID, Item.FLAGS, Item.BODYSTRUCTURE, Item.BODY)),
        (b"BODY[]", (body(Section(), b"BODY[]"),)),
        (b"BODY[HEADER]", (body(Section(text=Text.HEADER), b"BODY[HEADER]"),)),
        (b"BODY.PEEK[TEXT]<0.2048>", (body(Section(text=Text.TEXT), b"BODY[TEXT]<0>", peek=True, partial=Partial(0, 2048)),)),
        (b"BODY[]<2048.1>", (body(Section(), b"BODY[]<2048>", partial=Partial(2048, 1)),)),
        (b"body[1.2.header]", (body(Section((1, 2), Text.HEADER), b"BODY[1.2.HEADER]"),)),
        (b"BODY[4.2.2.1]", (body(Section((4, 2, 2, 1)), b"BODY[4.2.2.1]"),)),
        (b"BODY[1.MIME]", (body(Section((1,), Text.MIME), b"BODY[1.MIME]"),)),
        (
            b"(BODY[HEADER.FIELDS (DATE FROM)])",
            (body(Section((), Text.FIELDS, (b"DATE", b"FROM")), b"BODY[HEADER.FIELDS (DATE FROM)]"),),
        ),
        (
            b'BODY.PEEK[3.HEADER.FIELDS.NOT ("To" X-a)]<5.6>',
            (
                body(
                    Section((3,), Text.FIELDS_NOT, (b"To", b"X-a")),
                    b'BODY[3.HEADER.FIELDS.NOT ("To" "X-a")]<5>', peek=True, partial=Partial(5, 6),
                ),
            ),
        ),
        (b"RFC822", (body(Section(), b"RFC822"),)),
        (b"RFC822.HEADER", (body(Section(text=Text.HEADER), b"RFC822.HEADER", peek=True),)),
        (b"(RFC822.TEXT RFC822.SIZE)", (body(Section(text=Text.TEXT), b"RFC822.TEXT"), Item.SIZE)),
        (b"(BODY[] BODY[])", (body(Section(), b"BODY[]"),)),
    ],
)  # fmt: skip
def test_items(text: bytes, expected: tuple[FetchItem, ...]) -> None:
    assert items(text) == expected


def test_header_names_may_be_literals() -> None:
    found = parse((b"a FETCH 1 BODY[HEADER.FIELDS (", b"Subject", b" To)]"))
    assert isinstance(found, Fetch)
    assert found.items == (
        Body(Section((), Text.FIELDS, (b"Subject", b"To")), b'BODY[HEADER.FIELDS ("Subject" "To")]'),
    )


def test_uid_fetch_has_the_uid() -> None:
    found = parse((b"A003 UID FETCH 4827313:4828442,*:9 (FLAGS UID)",))
    assert found == Fetch(UidSet([(4827313, 4828442), (9, STAR)]), (Item.UID, Item.FLAGS))
    assert parse((b"A654 FETCH 2:4 FLAGS",)) == Fetch(SeqSet([(2, 4)]), (Item.FLAGS,))
    assert parse((b"a UID FETCH 1 UID",)) == Fetch(UidSet([(1, 1)]), (Item.UID,))
    macro = parse((b"a UID FETCH 1 FAST",))
    assert macro == Fetch(UidSet([(1, 1)]), (Item.UID, *FAST))


def test_what_sets_seen() -> None:
    for text, seen in (
        (b"BODY[]", True),
        (b"(FLAGS BODY.PEEK[])", False),
        (b"RFC822.HEADER", False),
        (b"RFC822.TEXT", True),
    ):
        found = parse((b"a FETCH 1 " + text,))
        assert isinstance(found, Fetch)
        assert found.sets_seen == seen


def test_what_a_partial_is_of() -> None:
    (whole,) = items(b"BODY[]")
    (some,) = items(b"BODY[]<5.10>")
    assert isinstance(whole, Body)
    assert isinstance(some, Body)
    assert whole.partial.of(7) == range(7)
    assert some.partial.of(7) == range(5, 7)
    assert some.partial.of(100) == range(5, 15)
    assert len(some.partial.of(3)) == 0


@pytest.mark.parametrize(
    "text",
    [
        b"", b"()", b"( FLAGS)", b"(FLAGS )", b"(FLAGS", b"FLAGS)", b"FOO", b"(ALL)", b"ALL FLAGS", b"FLAGS UID", b"BODY[",
        b"BODY[]x", b"BODY[0]", b"BODY[1.0]", b"BODY[01]", b"BODY[1.]", b"BODY[.1]", b"BODY[MIME]", b"BODY[1.FOO]", b"BODY[1HEADER]",
        b"BODY[1..2]", b"BODY[HEADER.FIELDS]", b"BODY[HEADER.FIELDS ()]", b"BODY[HEADER.FIELDS (a]", b"BODY[HEADER.FIELDS (a:)]",
        b'BODY[HEADER.FIELDS ("")]', b"BODY[HEADER (a)]", b"BODY[]<0>", b"BODY[]<0.0>", b"BODY[]<-1.2>", b"BODY[]<01.2>", b"BODY[]<1.2",
        b"BODY[]<9223372036854775808.1>", b"BODYSTRUCTURE[]", b"RFC822[]", b"BODY.PEEK", b"BODY.PEEK[1] FLAGS", b"FLAGS[]",
        b"BODY[99999999999999]", b"BODY[\xd9\xa3]",
    ],
)  # fmt: skip
def test_what_is_no_item(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((b"a FETCH 1 " + text,))


@pytest.mark.parametrize(
    "text",
    [
        b"(" + b" ".join([b"BODY[1]"] * 10_000) + b")",
        b"BODY[" + b".".join([b"1"] * 1000) + b"]",
        b"BODY[HEADER.FIELDS (" + b" ".join([b"a%d" % n for n in range(10_000)]) + b")]",
    ],
)  # fmt: skip
def test_bombs(text: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a FETCH 1 " + text,))
    assert caught.value.answer.condition is Condition.BAD
    assert caught.value.answer.code == b"LIMIT"


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        (b"1", [(1, 1)]), (b"*", [(STAR, STAR)]), (b"*:1", [(1, STAR)]), (b"4294967295:*", [(4294967295, STAR)]),
        (b"5:3,1", [(1, 1), (3, 5)]), (b",".join([b"1:4294967295"] * 1000), [(1, 4294967295)]),
    ],
)  # fmt: skip
def test_sets(text: bytes, ranges: list[tuple[int, int]]) -> None:
    found = parse((b"a FETCH " + text + b" FLAGS",))
    assert isinstance(found, Fetch)
    assert found.messages == SeqSet(ranges)


@pytest.mark.parametrize(
    "text",
    [b"0", b"1:0", b"1:*:2", b"1,", b",1", b"1,,2", b":1", b"1:", b"01", b"4294967296", b"4294967296:*", b"*:4294967296", b"1:9999999999", b"-1", b"1 2",
     b"\xd9\xa3", b"1_0", b"+1", b"a", b",".join([b"1"] * 10_000)],
)  # fmt: skip
def test_what_is_no_set(text: bytes) -> None:
    for uid in (b"", b"UID "):
        with pytest.raises(BadSyntax):
            parse((b"a " + uid + b"FETCH " + text + b" FLAGS",))
