"""SORT and THREAD by the algorithms and nothing else, and as an account answers them."""

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from mailstead.accounts.orders import Orders
from mailstead.accounts.reading import Located
from mailstead.accounts.summaries import Summaries
from mailstead.mail.header import first
from mailstead.mail.headersummary import HeaderSummary, read_envelope
from mailstead.mail.mailbox import Uid
from mailstead.mail.messageids import message_ids
from mailstead.mail.sortkeys import By, Criterion, display_key, mailbox_key, sent, subject_key
from mailstead.mail.threadlist import thread_list
from mailstead.mail.threads import Algorithm, Posts, threaded
from tests.support.steps import finished

What = tuple[Criterion, ...] | Algorithm
KEYS: dict[By, Callable[[Located, HeaderSummary], int | str]] = {
    By.ARRIVAL: lambda m, _: m.a.internal_date,
    By.CC: lambda _, s: mailbox_key(s.cc),
    By.DATE: lambda m, s: sent(m.a.internal_date, s.date),
    By.DISPLAYFROM: lambda _, s: display_key(s.sender),
    By.DISPLAYTO: lambda _, s: display_key(s.to),
    By.FROM: lambda _, s: mailbox_key(s.sender),
    By.SIZE: lambda m, _: m.a.size,
    By.SUBJECT: lambda _, s: subject_key(s.subject).text,
    By.TO: lambda _, s: mailbox_key(s.to),
}


def plainly(messages: Sequence[Located], what: What) -> list[int] | bytes:
    """UIDs sorted, or threads of them, by the algorithm and nothing else."""
    seen = {m.uid: read_envelope(m.a.envelope) for m in messages}
    if isinstance(what, tuple):
        found = list(messages)
        for c in reversed(what):
            found.sort(key=lambda m: KEYS[c.by](m, seen[m.uid]), reverse=c.reverse)
        return [m.uid for m in found]
    ids: dict[bytes, int] = {}

    def numbers(value: bytes | None) -> list[int]:
        return [ids.setdefault(found, len(ids) + 1) for found in message_ids(value or b"")]

    def references(m: Located) -> list[int]:
        return numbers(first(m.b.described.header, b"references")) or numbers(seen[m.uid].in_reply_to)[:1]

    subjects = [subject_key(s.subject) for s in seen.values()]
    posts = Posts(
        [sent(m.a.internal_date, seen[m.uid].date) for m in messages],
        [subject.text for subject in subjects],
        [subject.reply for subject in subjects],
        [next(iter(numbers(seen[m.uid].message_id)), 0) for m in messages],
        [references(m) for m in messages],
    )
    pieces = thread_list(finished(threaded(posts, what)), len(messages))
    return b"".join([piece.text([m.uid for m in messages]) for piece in finished(pieces)])


async def asked(
    orders: Orders, box: bytes, uids: Iterable[int], what: What, *, keep: bool = False
) -> list[int] | bytes:
    """The same by the account's orders."""
    some = array("I", sorted(uids))

    def check(_: int) -> None:
        pass

    if isinstance(what, tuple):
        answer = await orders.sorted(box, some, what, check, keep=keep)
        return [answer.uids[at] for at in answer.places]
    answer = await orders.threads(box, some, what, check, keep=keep)
    return b"".join([piece.text(answer.uids) for piece in answer.threads])


class Counting(Summaries):
    """Knows which messages were read."""

    read: list[list[int]]
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def of(self, mailbox_id: bytes, uids: Iterable[Uid], *args: Any, **more: Any) -> AsyncIterator[Any]:
        self.read.append(sorted(uids))
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        async for row in super().of(mailbox_id, self.read[-1], *args, **more):  # type: ignore[arg-type]
            yield row

    def taken(self) -> list[int]:
        """How many were read each time, since this was asked."""
        found, self.read = [len(uids) for uids in self.read], []
        return found
