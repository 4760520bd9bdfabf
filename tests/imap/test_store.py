"""STORE, COPY, MOVE."""

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.responses import Condition
from mailstead.imap.store import Copy, Move, Store
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.flags import Flags, How
from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.uidset import STAR, SeqSet, UidSet

TWO_TO_FOUR = SeqSet([(2, 4)])


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"A003 STORE 2:4 +FLAGS (\\Deleted)", Store(TWO_TO_FOUR, How.ADD, Flags(SystemFlag.DELETED))),
        (b"A003 STORE 2:4 -flags.silent \\seen \\DRAFT", Store(TWO_TO_FOUR, How.REMOVE, Flags(SystemFlag.SEEN | SystemFlag.DRAFT), silent=True)),
        (b"A003 UID STORE 1:* FLAGS ()", Store(UidSet([(1, STAR)]), How.SET, Flags())),
        (b"a STORE 2:4 FLAGS.SILENT ($Label1 \\Flagged Old) ", Store(TWO_TO_FOUR, How.SET, Flags(SystemFlag.FLAGGED, frozenset(("$Label1", "Old"))), silent=True)),
        (b"a STORE 2:4 FLAGS a A ", Store(TWO_TO_FOUR, How.SET, Flags(keywords=frozenset(("a",))))),
        (b"A003 COPY 2:4 MEETING", Copy(TWO_TO_FOUR, "MEETING")),
        (b"a UID COPY 1:* inbox", Copy(UidSet([(1, STAR)]), "INBOX")),
        (b"a UID MOVE 42:69 foo", Move(UidSet([(42, 69)]), "foo")),
        (b"a MOVE 2:4 foo", Move(TWO_TO_FOUR, "foo")),
    ],
)  # fmt: skip
def test_commands_of_the_rfcs(line: bytes, command: object) -> None:
    assert parse((line,)) == command


@pytest.mark.parametrize(
    "rest",
    [
        b"", b"FLAGS", b"FLAGS ", b"FLAGS (", b"FLAGS (\\Seen", b"FLAGS (\\Recent)", b"FLAGS (\\*)", b"FLAGS (\\Foo)", b"FLAGS \\",
        b"FLAGS (])", b"FLAGS (a )", b"FLAGS ( a)", b"FLAGS (a) b", b"*FLAGS (a)", b"+-FLAGS (a)", b"FLAGS.LOUD (a)", b"FOO (a)",
        b'FLAGS ("a")', b"FLAGS (\xc3\xa4)", b"FLAGS (a\0)", b"FLAGS ((a))", b".SILENT (a)",
    ],
)  # fmt: skip
def test_what_is_no_store(rest: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((b"a STORE 1 " + rest,))


@pytest.mark.parametrize("flags", [b" ".join([b"k%d" % n for n in range(10_000)]), b"k" * 1024])
def test_flag_bombs(flags: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a STORE 1 FLAGS (" + flags + b")",))
    assert caught.value.answer.condition is (Condition.NO if b" " in flags else Condition.BAD)
    assert caught.value.answer.code == b"LIMIT"


@pytest.mark.parametrize(
    "line", [b"a COPY 1", b"a COPY 1 ", b"a COPY inbox", b"a MOVE 0 a", b"a UID COPY 1 a b"]
)
def test_what_is_no_copy(line: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((line,))
