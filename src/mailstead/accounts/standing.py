"""Whether an account stands where it was left: compared at every login, in the snapshot of its keyring.

What is compared are clear columns, the account leaf and the anchor; no page is opened, and no list of
names unless a mailbox is missing. Mailboxes are compared with their leaves when they are looked at
(`inspecting`); here only with their floors, and with what the ledger knows to have been delivered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailstead.accounts import accountleaf
from mailstead.accounts.accountleaf import NAMED, AccountLeaf, Name, Write, open_account_leaf
from mailstead.accounts.anchor import Anchor, open_anchor
from mailstead.accounts.inspecting import later
from mailstead.accounts.keys import SessionKeys
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import UnsealError
from mailstead.store.accounts import Stale, access
from mailstead.store.book import Known, Noted
from mailstead.store.database import Tx
from mailstead.store.mailboxes import MailboxRow, mailboxes
from mailstead.store.records import get_record, writes

CAME_BACK = "all of the account: it had been removed, and came back"
NO_ANCHOR = "the anchor is missing: nothing says how far the account had come"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is not as it was left, in words.

    Args:
        account: Of the account as a whole: nothing may be written then.
        mailboxes: Of single mailboxes by their ids, which can only be read then.
    """

    account: tuple[str, ...] = ()
    mailboxes: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict[bytes, tuple[str, ...]])

    @property
    def good(self) -> bool:
        """Whether nothing differs."""
        return not self.account and not self.mailboxes

    def of(self, mailbox_id: bytes) -> list[str]:
        """What concerns a mailbox."""
        return [*self.account, *self.mailboxes.get(mailbox_id, ())]


AS_LEFT = Standing()


@dataclass(frozen=True, slots=True)
class AccountHeads:
    """What `compare` compares, in one snapshot."""

    gens: tuple[int, int]
    writes: Mapping[Name, Write]
    leaf: SealedRecord | None
    anchor: SealedRecord | None
    names: SealedRecord | None
    mailboxes: Mapping[bytes, MailboxRow]

    def counts(self, mailbox_id: bytes) -> Write | None:
        """Which write the counts of a mailbox are of, that is there."""
        if mailbox_id not in self.mailboxes:
            return None
        return self.writes.get((Kind.COUNTS, mailbox_id))


def read_account(tx: Tx, account_id: int) -> AccountHeads:
    """Read what `compare` compares.

    Raises:
        Stale: the account is gone.
    """
    row = access(tx, account_id)
    if row is None:
        raise Stale
    return AccountHeads(
        (row.root_gen, row.read_gen), writes(tx, account_id), get_record(tx, account_id, Kind.LEAF),
        get_record(tx, account_id, Kind.ANCHOR), get_record(tx, account_id, Kind.MBOXES),
        {row.mailbox_id: row for row in mailboxes(tx, account_id)},
    )  # fmt: skip


def compare(keys: SessionKeys, heads: AccountHeads, known: Known) -> Standing:
    """How an account is not as it was left.

    Args:
        known: What the ledger knew before the snapshot.

    Raises:
        Stale: the account's keys have moved on.
    """
    if heads.gens != (keys.root_gen, keys.read_gen):
        raise Stale
    leaf, anchor, said = _opened(keys, heads)
    if known.removed >= 0:
        said.append(CAME_BACK)
    boxes: dict[bytes, list[str]] = {}
    if leaf is not None:
        said += _records(leaf, heads)
    if anchor is not None:
        said += _floors(anchor, heads)
        for box, floor in anchor.mailboxes.items():
            words = below("all of it, by its counts", heads.counts(box), floor)
            if words:
                boxes.setdefault(box, []).append(words)
    if anchor is not None and heads.anchor is not None:
        words = anchor_behind(known, heads.anchor)
        said += [words] if words else []
    for box, noted in known.mailboxes.items():
        words = _arrivals(heads.mailboxes.get(box), noted)
        if words:
            boxes.setdefault(box, []).append(words)
    for box, (before, _) in known.forked.items():
        words = f"mail is missing that had been delivered up to UID {before.uid}: other mail has its numbers"
        boxes.setdefault(box, []).append(words)
    if boxes.keys() - heads.mailboxes.keys():  # deleted, or taken away?
        named = _named(keys, heads)
        boxes = {box: words for box, words in boxes.items() if named is None or box in named}
    return Standing(tuple(said), {box: tuple(words) for box, words in boxes.items()})


def _opened(keys: SessionKeys, heads: AccountHeads) -> tuple[AccountLeaf | None, Anchor | None, list[str]]:
    leaf: AccountLeaf | None = None
    anchor: Anchor | None = None
    said: list[str] = []
    if heads.anchor is None:
        said.append(NO_ANCHOR)
    else:
        try:
            anchor = open_anchor(keys, heads.anchor)
        except UnsealError as error:
            said.append(f"the anchor does not open: {error}")
        except Stale:
            said.append(later("the anchor", keys.epoch))
    if heads.leaf is None:
        said.append(accountleaf.MISSING)
    else:
        try:
            leaf = open_account_leaf(keys, heads.leaf)
        except UnsealError as error:
            said.append(f"the account leaf does not open: {error}")
        except Stale:
            said.append(later("the account leaf", keys.epoch))
    return leaf, anchor, said


def _records(leaf: AccountLeaf, heads: AccountHeads) -> list[str]:
    found = {
        name: write
        for name, write in heads.writes.items()
        # What a mailbox leaves behind when it is deleted is no longer named.
        if name[0] in NAMED and (name[1] == ZERO_ID or name[1] in heads.mailboxes)
    }
    if found == leaf.writes:
        return []
    names = sorted(found.keys() | leaf.writes.keys())
    return [words for n in names if (words := accountleaf.difference(n[0], found.get(n), leaf.writes.get(n)))]


def _floors(anchor: Anchor, heads: AccountHeads) -> list[str]:
    keyring = heads.writes.get((Kind.KEYRING, ZERO_ID), (0, b""))[0]
    said: list[str] = []
    if keyring < anchor.keyring:
        said.append(f"the keys: version {keyring} found, {anchor.keyring} was written")
    words = below("the account leaf", heads.writes.get((Kind.LEAF, ZERO_ID)), anchor.leaf)
    return [*said, words] if words else said


def below(what: str, found: Write | None, floor: Write) -> str:
    """How something is below its floor, in words; empty when it is not."""
    if found is None:
        return f"{what}: nothing found, version {floor[0]} was written"
    if found[0] < floor[0]:
        return f"{what}: version {found[0]} found, {floor[0]} was written"
    if found[0] == floor[0] and found[1] != floor[1]:
        return f"{what}: another version {found[0]} found than was written"
    return ""


def anchor_behind(known: Known, anchor: SealedRecord) -> str:
    """How an anchor is not as late as was *known* before it was read, in words; empty when it is."""
    what = "all of the account, by its anchor"
    if known.anchor_forked is not None:
        number = known.anchor_forked[0].number
        return f"{what}: writes up to version {number} are missing: others have their numbers"
    if known.anchor is None:
        return ""
    noted = known.anchor.number, known.anchor.tag
    return below(what, (anchor.version, anchor.write_id), noted)


def _arrivals(mailbox: MailboxRow | None, noted: Noted) -> str:
    """Whether all that the ledger has has arrived in a mailbox."""
    if mailbox is None:
        return f"the mailbox is missing, in which {noted.number} messages had arrived"
    if mailbox.arrivals < noted.number:
        count = noted.number - mailbox.arrivals
        what = "1 message is" if count == 1 else f"{count} messages are"
        return f"{what} missing that had been delivered: the last was UID {noted.uid}"
    if mailbox.arrivals == noted.number and mailbox.arrival_tag[: len(noted.tag)] != noted.tag:
        return f"another message {noted.uid} found than had been delivered"
    return ""


def _named(keys: SessionKeys, heads: AccountHeads) -> set[bytes] | None:
    """The mailboxes that the list of names has; None when it does not open."""
    if heads.names is None:
        return None
    try:
        return named(keys, heads.names)
    except (UnsealError, Stale):
        return None


def named(keys: SessionKeys, record: SealedRecord) -> set[bytes]:
    """The ids of the mailboxes on a list of names.

    Raises:
        UnsealError: it is not what this account wrote.
    """
    return {n.mailbox_id for n in keys.open_mboxes(record) if n.exists}
