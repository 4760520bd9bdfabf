"""Rows of a snapshot in which messages wait to be absorbed: states, and pendings among them."""

from array import array

from mailstead.accounts.states import FLAGS, MessageState, RowStates, StatePage
from mailstead.mail.mailbox import Modseq, Uid
from mailstead.store.messages import PendingHead


def only_pendings(pendings: list[PendingHead]) -> RowStates:
    """A row of which nothing is absorbed."""
    uids, modseqs = array("I", [p[0] for p in pendings]), array("Q", [p[1] for p in pendings])
    return RowStates(uids, modseqs, bytes(len(uids)), sealed=frozenset(uids))


def with_pendings(states: RowStates, pendings: list[PendingHead], known: RowStates | None) -> RowStates:
    """A row of absorbed messages with those that still wait; what is *known* of them stays known."""
    page = StatePage(states)
    sealed = set(states.sealed)
    for uid, modseq, _ in pendings:
        before = None if known is None or uid in known.sealed else known.get(uid)
        if before is None:
            sealed.add(uid)
            before = MessageState(Modseq(modseq), FLAGS[0], frozenset())
        page.put(Uid(uid), before)
    return page.row(states.gone, frozenset(sealed))
