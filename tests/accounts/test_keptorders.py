"""Kept orders: so much and no more, of whom asked last."""

from array import array

from mailstead.accounts.columns import Links, Numbers
from mailstead.accounts.keptorders import ANSWERS, Finished, KeptMailbox, KeptOrders
from mailstead.mail.sortkeys import By
from mailstead.mail.threadlist import Piece


def filled(kept: KeptOrders, account_id: int, mailbox_id: bytes, count: int) -> KeptMailbox:
    """A mailbox of which one number of each message is kept: some 12 octets."""
    mailbox = kept.get(account_id, mailbox_id)
    mailbox.numbers[By.SIZE] = Numbers(array("I", range(1, count + 1)), array("q", range(count)))
    kept.weigh(account_id, mailbox_id)
    return mailbox


def test_who_has_not_asked_for_longest_is_forgotten() -> None:
    kept = KeptOrders(50_000)
    first, second = filled(kept, 1, b"a", 1000), filled(kept, 2, b"a", 1000)
    third = filled(kept, 1, b"b", 1000)
    assert kept.get(1, b"a") is first
    filled(kept, 3, b"c", 1000)
    assert kept.get(1, b"a") is first
    assert kept.get(1, b"b") is third
    assert kept.get(2, b"a") is not second
    assert not kept.get(2, b"a").numbers


def test_one_that_is_too_large_is_not_kept_and_harms_nobody_later() -> None:
    kept = KeptOrders(50_000)
    small = filled(kept, 2, b"a", 1000)
    large = filled(kept, 1, b"a", 10_000)
    assert kept.get(1, b"a") is not large
    assert kept.get(2, b"a") is small
    middle = filled(kept, 1, b"a", 2000)
    kept.weigh(1, b"gone")
    assert kept.get(1, b"a") is middle
    assert kept.get(2, b"a") is small


def test_an_account_is_forgotten_with_all_its_mailboxes() -> None:
    kept = KeptOrders(50_000)
    mailboxes = [filled(kept, account, box, 100) for account in (1, 2) for box in (b"a", b"b")]
    kept.forget(1)
    kept.forget(1)
    kept.forget(7)
    assert kept.get(1, b"a") is not mailboxes[0]
    assert kept.get(1, b"b") is not mailboxes[1]
    assert kept.get(2, b"a") is mailboxes[2]
    kept.forget(1)
    kept.forget(2)
    assert (kept._octets, len(kept._mailboxes), len(kept._of)) == (0, 0, 0)


def test_everything_counts_and_what_is_shared_counts_once() -> None:
    mailbox = KeptMailbox()
    empty = mailbox.octets
    uids = array("I", range(1, 1001))
    mailbox.numbers[By.SIZE] = Numbers(uids, array("q", range(1000)))
    mailbox.numbers[By.SUBJECT] = Numbers(uids, array("q", range(1000)))
    assert mailbox.octets - empty == 20 * 1000
    mailbox.rankings[By.SUBJECT] = array("q", range(500))
    assert mailbox.octets - empty == 24 * 1000
    mailbox.finish("a", Finished(uids, uids, array("I", range(1000))))
    assert mailbox.octets - empty == 28 * 1000
    mailbox.finish("b", Finished(uids, array("I", uids), threads=[Piece(b"(n)" * 1000, array("I", uids))]))
    assert mailbox.octets - empty == 39 * 1000
    mailbox.links = Links(uids)
    mailbox.links.add((), [(0, 0, (1, 2))] * 1000)
    assert mailbox.octets - empty == (39 + 13 + 16) * 1000


def test_some_answers_are_kept_those_asked_for_last() -> None:
    mailbox = KeptMailbox()
    answer = Finished(array("I"), array("I"))
    for n in range(ANSWERS):
        mailbox.finish(n, answer)
    mailbox.finish(0, answer)
    mailbox.finish("new", answer)
    assert list(mailbox.finished) == [*range(2, ANSWERS), 0, "new"]
