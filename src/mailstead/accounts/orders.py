"""Orders and threads of mailboxes, which are found once and followed from then on (RFC 5256 section 3).

What is kept of a message are numbers that stand for what it is sorted and threaded by: its dates, its size,
and of each string a hash; and the hashes in the order of the strings. So only messages that came since are
read, and where one has a new string, a few others to compare it with. Flags do not matter, and what a UID
names never changes.
"""

from array import array
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from mailstead.accounts.answerrows import Question
from mailstead.accounts.filling import Filling, Gone
from mailstead.accounts.keptorders import Finished, KeptOrders
from mailstead.accounts.mending import mended
from mailstead.accounts.ordering import Ordering
from mailstead.accounts.snapshot import Snapshots
from mailstead.accounts.states import Uids, no_uids
from mailstead.accounts.storedorders import StoredOrders
from mailstead.accounts.summaries import Check, Summaries
from mailstead.errors import Reason, Refused
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threads import Algorithm


class Orders:
    """The orders of one account's mailboxes. Sessions that want the same one find it together.

    Args:
        stored: Where what is found is left for other sessions, if it is.
    """

    def __init__(
        self,
        account_id: int,
        snapshots: Snapshots,
        summaries: Summaries,
        kept: KeptOrders,
        stored: StoredOrders | None = None,
    ) -> None:
        self._account_id = account_id
        self._snapshots = snapshots
        self._summaries = summaries
        self._kept = kept
        self.stored = stored

    async def sorted(
        self,
        mailbox_id: bytes,
        uids: Uids,
        criteria: tuple[Criterion, ...],
        check: Check,
        scores: Mapping[int, int] = MappingProxyType({}),
        *,
        keep: bool = False,
    ) -> Finished:
        """The messages in the order of *criteria*; equal ones in that of *uids*, which are ascending.

        Args:
            check: Called now and then, to raise when nobody waits any more.
            scores: What RELEVANCY goes by, for each of *uids*.
            keep: What is read for it may be stored.

        Raises:
            UnsealError: what is there is not what was delivered.
        """
        what = None if any(criterion.by is By.RELEVANCY for criterion in criteria) else criteria
        return await self._answer(
            mailbox_id, uids, check, what, lambda o, some: o.sort(some, criteria, scores), keep=keep
        )

    async def threads(
        self, mailbox_id: bytes, uids: Uids, algorithm: Algorithm, check: Check, *, keep: bool = False
    ) -> Finished:
        """The messages in threads, as `sorted`."""
        return await self._answer(
            mailbox_id, uids, check, algorithm, lambda o, some: o.thread(some, algorithm), keep=keep
        )

    async def _answer(
        self,
        mailbox_id: bytes,
        uids: Uids,
        check: Check,
        what: Question | None,
        find: Callable[[Ordering, Uids], Awaitable[Finished]],
        *,
        keep: bool,
    ) -> Finished:
        """An answer that is kept for who asks for *what* again, unless it is nothing."""
        kept = self._kept.get(self._account_id, mailbox_id)
        async with kept.turn:
            try:
                while True:
                    there = await self._there(mailbox_id)
                    asked = _among(uids, there)
                    answer = kept.finished.get(what)
                    if answer is None or answer.asked != asked:
                        # Nothing is written into a mailbox that is not as it was left.
                        keep = keep and not self._snapshots.damage.get(mailbox_id)
                        ordering = Ordering(
                            Filling(self._summaries, mailbox_id, kept, there, check, self.stored, keep)
                        )
                        try:
                            await ordering.forget_stale()
                            answer = await self._found(ordering, what, asked, find, keep=keep)
                        except Gone as gone:
                            await ordering.forget(gone.uids)
                            continue
                    if what is not None:
                        kept.finish(what, answer)
                    return answer
            finally:
                self._kept.weigh(self._account_id, mailbox_id)

    async def _found(
        self,
        ordering: Ordering,
        what: Question | None,
        asked: Uids,
        find: Callable[[Ordering, Uids], Awaitable[Finished]],
        *,
        keep: bool,
    ) -> Finished:
        """What is stored of *what*, when nothing is kept that would give it as fast; or what is found now."""
        filling, stored = ordering.filling, self.stored
        if what is None or stored is None or asked is not filling.there or filling.kept.filled:
            return await find(ordering, asked)
        before = None
        if len(asked) >= stored.least:
            before = await stored.look_up(filling.mailbox_id, what)
        if before is not None and before.answer is not None and before.answer.uids == asked:
            return replace(before.answer, asked=asked, uids=asked)
        answer = None
        if before is not None and before.answer is not None and isinstance(what, tuple):
            answer = await mended(before.answer, asked, what, filling, stored)
        answer = answer or await find(ordering, asked)
        if before is not None and keep and len(answer.uids) == len(asked):
            stored.keep_answer(before, filling.mailbox_id, answer)
        return answer

    async def _there(self, mailbox_id: bytes) -> Uids:
        try:
            return (await self._snapshots.newest(mailbox_id)).uids
        except Refused as refused:
            if refused.reason is not Reason.NO_SUCH_MAILBOX:
                raise
            return no_uids()


def _among(uids: Uids, there: Uids) -> Uids:
    """Those of *uids* that are there."""
    if uids == there:
        return there
    if uids == there[: len(uids)]:
        return uids
    return array("I", filter(set(there).__contains__, uids))
