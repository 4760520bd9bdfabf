"""Mod-sequences in commands: the examples of RFC 7162, and what is none."""

import pytest

from mailstead.imap.commands import parse
from mailstead.imap.condstore import Modifiers, Opening, Resync
from mailstead.imap.fetch import Fetch, Item
from mailstead.imap.mailboxes import Examine, Select, Status, StatusItem
from mailstead.imap.page import Page
from mailstead.imap.search import Search
from mailstead.imap.searchkeys import ChangedAt
from mailstead.imap.store import Store
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.flags import Flags, How
from mailstead.mail.mailbox import Modseq, SystemFlag
from mailstead.mail.uidset import STAR, SeqSet, UidSet

HIGHEST = (1 << 63) - 1


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"A142 SELECT INBOX (CONDSTORE)", Select("INBOX", Opening())),
        (b"A142 examine INBOX (condstore)", Examine("INBOX", Opening())),
        (b"A02 SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))", Select("INBOX", Opening(
            Resync(67890007, Modseq(20050715194045000), UidSet([(41, 41), (43, 211), (214, 541)]))))),
        (b"A03 SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))", Select("INBOX", Opening(
            Resync(67890007, Modseq(90060115194045000), UidSet([(41, 211), (214, 541)]))))),
        (b"A04 SELECT INBOX (QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9000,9990:9999 15000,22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997)))",
            Select("INBOX", Opening(Resync(67890007, Modseq(90060115194045000), UidSet([(1, 29997)]))))),
        (b"a SELECT INBOX (CONDSTORE QRESYNC (1 1 (1 1)))", Select("INBOX", Opening(Resync(1, Modseq(1))))),
        (b"s100 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
            Fetch(UidSet([(1, STAR)]), (Item.UID, Item.FLAGS, Item.MODSEQ), Modifiers(Modseq(12345)))),
        (b"s100 UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
            Fetch(UidSet([(300, 500)]), (Item.UID, Item.FLAGS, Item.MODSEQ), Modifiers(Modseq(12345), vanished=True))),
        (b"a UID FETCH 1:* (FLAGS) (PARTIAL -1:-100)",
            Fetch(UidSet([(1, STAR)]), (Item.UID, Item.FLAGS), Modifiers(page=Page(-1, -100)))),
        (b"a FETCH 1:3 MODSEQ", Fetch(SeqSet([(1, 3)]), (Item.MODSEQ,))),
        (b"a FETCH 1 (MODSEQ FLAGS) (changedsince 9223372036854775807)",
            Fetch(SeqSet([(1, 1)]), (Item.MODSEQ, Item.FLAGS), Modifiers(Modseq(HIGHEST)))),
        (b"a103 UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)",
            Store(UidSet([(4, 4), (6, 6), (8, 8)]), How.ADD, Flags(SystemFlag.DELETED), silent=True, unchanged_since=Modseq(12121230045))),
        (b"c101 STORE 50 (UNCHANGEDSINCE 0) -FLAGS (\\Seen)",
            Store(SeqSet([(50, 50)]), How.REMOVE, Flags(SystemFlag.SEEN), unchanged_since=Modseq(0))),
        (b'a SEARCH MODSEQ "/flags/\\\\draft" all 620162338', Search(ChangedAt(620162338))),
        (b'a SEARCH MODSEQ "/flags/$work" priv 1', Search(ChangedAt(1))),
        (b"t SEARCH MODSEQ 0", Search(ChangedAt(0))),
        (b"A042 STATUS blurdybloop (UIDNEXT MESSAGES HIGHESTMODSEQ)",
            Status("blurdybloop", (StatusItem.UIDNEXT, StatusItem.MESSAGES, StatusItem.HIGHESTMODSEQ))),
    ],
)  # fmt: skip
def test_commands_of_the_rfc(line: bytes, command: object) -> None:
    assert parse((line,)) == command


@pytest.mark.parametrize(
    "line",
    [
        b"a SELECT INBOX (", b"a SELECT INBOX ()", b"a SELECT INBOX (FOO)", b"a SELECT INBOX (CONDSTORE", b"a SELECT INBOX CONDSTORE",
        b"a SELECT INBOX (QRESYNC)", b"a SELECT INBOX (QRESYNC (1))", b"a SELECT INBOX (QRESYNC (0 1))", b"a SELECT INBOX (QRESYNC (1 0))",
        b"a SELECT INBOX (QRESYNC (1 9223372036854775808))", b"a SELECT INBOX (QRESYNC (1 1 1:*))", b"a SELECT INBOX (QRESYNC (1 1 1 (1)))",
        b"a SELECT INBOX (QRESYNC (1 1 1 (1 1) 2))", b"a SELECT INBOX (QRESYNC (4294967296 1))", b"a SELECT INBOX (QRESYNC (1 1) QRESYNC (1 1))",
        b"a FETCH 1 FLAGS (CHANGEDSINCE)", b"a FETCH 1 FLAGS (CHANGEDSINCE 0)", b"a FETCH 1 FLAGS (CHANGEDSINCE -1)", b"a FETCH 1 FLAGS ()",
        b"a FETCH 1 FLAGS (VANISHED)", b"a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", b"a UID FETCH 1 FLAGS (VANISHED)", b"a FETCH 1 FLAGS (PARTIAL 1:2)", b"a UID FETCH 1 FLAGS (PARTIAL 0:2)",
        b"a UID FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", b"a UID FETCH 1 FLAGS(CHANGEDSINCE 1)", b"a FETCH 1 MODSEQ[]",
        b"a STORE 1 (UNCHANGEDSINCE) FLAGS ()", b"a STORE 1 (UNCHANGEDSINCE 1 FLAGS ()", b"a STORE 1 (CHANGEDSINCE 1) FLAGS ()",
        b"a STORE 1 (UNCHANGEDSINCE 1)FLAGS ()", b"a STORE 1 () FLAGS ()",
        b"a SEARCH MODSEQ", b"a SEARCH MODSEQ x", b'a SEARCH MODSEQ "/flags/" all 1', b'a SEARCH MODSEQ "/flags/x" some 1', b'a SEARCH MODSEQ "/flags/x" all',
    ],
)  # fmt: skip
def test_what_is_none(line: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse((line,))
