"""One command's work on what is kept of a mailbox: what is missing is read, and all of it put in order."""

import asyncio
from array import array
from collections.abc import Collection, Mapping, Sequence

from mailstead.accounts.columns import Links, Numbers, no_numbers, of_these
from mailstead.accounts.filling import Filling, Gone, in_turns
from mailstead.accounts.keptorders import Finished
from mailstead.accounts.marks import Extra, Making, is_string
from mailstead.accounts.rankings import Texts, comparisons, merged
from mailstead.accounts.states import Uids
from mailstead.mail.sorting import ordered
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.threadlist import thread_list
from mailstead.mail.threads import Algorithm, Posts, threaded

ROW = 8  # messages that are read in a row in the time that one alone takes
STALE = 256  # and an eighth: expunged messages of which numbers are kept


class Ordering:
    """What one session does in its turn."""

    def __init__(self, filling: Filling) -> None:
        self.filling = filling
        self._mailbox_id = filling.mailbox_id
        self._kept = filling.kept
        self._there = filling.there
        self._held: dict[By, Mapping[int, int]] = {}

    async def sort(self, asked: Uids, criteria: Sequence[Criterion], scores: Mapping[int, int]) -> Finished:
        """Put messages in order (`Orders.sorted`).

        Raises:
            Gone: the mailbox is another one meanwhile.
        """
        fields = [criterion.by for criterion in criteria if criterion.by is not By.RELEVANCY]
        making = Making(fields, self._mailbox_id)
        uids = await self.filling.fill(asked, making)
        order: Sequence[int] = range(len(uids))
        for criterion in reversed(criteria):  # a sort keeps what an earlier one did to equals
            values = await self._values(criterion.by, uids, making.texts.get(criterion.by, {}), scores)
            order = await in_turns(ordered(order, values.__getitem__, reverse=criterion.reverse))
        await in_turns(making.forget())
        return Finished(asked, uids, array("I", order))

    async def _values(
        self, by: By, uids: Uids, texts: dict[int, str], scores: Mapping[int, int]
    ) -> Sequence[int]:
        """What is compared of each message."""
        if by is By.RELEVANCY:
            return [-scores[uid] for uid in uids]
        values = (await self._numbers(by, uids)).values
        if not is_string(by):
            return values
        ranks = await self._ranks(by, set(values), texts)
        await asyncio.sleep(0)
        return list(map(ranks.__getitem__, values))

    async def thread(self, asked: Uids, algorithm: Algorithm) -> Finished:
        """Put messages into threads."""
        linked = algorithm is Algorithm.REFERENCES
        making = Making([By.DATE, By.SUBJECT, *([Extra.LINKS] if linked else [])], self._mailbox_id)
        uids = await self.filling.fill(asked, making)
        await in_turns(making.forget())
        sent, subjects = await self._numbers(By.DATE, uids), await self._numbers(By.SUBJECT, uids)
        links = await in_turns(of_these(self._kept.links, uids)) if linked else Links()
        references = await in_turns(links.lists())
        posts = Posts(sent.values, subjects.values, links.replies, links.ids, references)
        forest = await in_turns(threaded(posts, algorithm))
        return Finished(asked, uids, threads=await in_turns(thread_list(forest, len(uids))))

    async def forget(self, uids: Collection[int]) -> None:
        """Keep nothing of messages that are gone."""
        kept = self._kept
        for by, column in kept.numbers.items():
            kept.numbers[by] = await in_turns(of_these(column, _without(column.uids, uids)))
        kept.links = await in_turns(of_these(kept.links, _without(kept.links.uids, uids)))
        for by, ranking in kept.rankings.items():
            kept.rankings[by] = array("q", filter(set(kept.numbers[by].values).__contains__, ranking))
        kept.finished.clear()

    async def forget_stale(self) -> None:
        """Keep nothing of expunged messages, when there are many."""
        lists = [self._kept.links.uids, *[column.uids for column in self._kept.numbers.values()]]
        if max(map(len, lists)) > len(self._there) + len(self._there) // 8 + STALE:
            await self.forget(set[int]().union(*lists).difference(self._there))

    async def _numbers(self, by: By, uids: Uids) -> Numbers:
        return await in_turns(of_these(self._kept.numbers[by], uids))

    async def _ranks(self, by: By, numbers: set[int], texts: dict[int, str]) -> Mapping[int, int]:
        """The place of each of *numbers* in the order of the strings that they stand for."""
        ranking = self._kept.rankings.get(by, no_numbers())
        if not ranking and numbers == texts.keys():
            ranking = self._kept.rankings[by] = await _ranked(numbers, texts)
            return dict(zip(ranking, range(len(ranking)), strict=True))
        new = numbers.difference(ranking)
        await asyncio.sleep(0)
        if new:
            looked_up = ROW * comparisons(len(ranking), len(new))
            unread, alone = new.difference(texts), numbers.difference(texts)
            if len(unread) + min(looked_up, len(ranking)) > len(alone):
                await self._learn(by, alone, texts)  # a few among many others, which have no say
                ranking = await _ranked(numbers, texts)
            else:
                await self._learn(by, unread, texts)
                ranking = await self._with_more(by, ranking, new, texts, by_halves=looked_up < len(ranking))
                self._kept.rankings[by] = ranking
            await asyncio.sleep(0)
        return dict(zip(ranking, range(len(ranking)), strict=True))

    async def _with_more(
        self, by: By, ranking: "array[int]", new: set[int], texts: dict[int, str], *, by_halves: bool
    ) -> "array[int]":
        if not ranking:
            return await _ranked(new, texts)
        ranking = array("q", filter((await self._holders(by)).__contains__, ranking))
        if not by_halves:
            await self._learn(by, set(ranking).difference(texts), texts)
            return await _ranked({*ranking, *new}, texts)

        async def learn(some: Collection[int]) -> Texts:
            await self._learn(by, set(some).difference(texts), texts)
            return texts

        return await merged(ranking, await _ranked(new, texts), learn)

    async def _learn(self, by: By, lacking: set[int], texts: dict[int, str]) -> None:
        """Read what these numbers stand for."""
        if not lacking:
            return
        holders = await self._holders(by)
        making = Making([by], self._mailbox_id)
        making.texts[by] = texts
        async for _ in self.filling.read({holders[number] for number in lacking}, making):
            pass
        gone = {holders[number] for number in lacking if number not in texts}
        if gone:
            raise Gone(gone)

    async def _holders(self, by: By) -> Mapping[int, int]:
        """The UID of a message that is there for each number of a column."""
        if by not in self._held:
            column = self._kept.numbers[by]
            if column.uids != self._there:
                uids = array("I", filter(set(self._there).__contains__, column.uids))
                column = await in_turns(of_these(column, uids))
            self._held[by] = dict(zip(column.values, column.uids, strict=True))
            await asyncio.sleep(0)
        return self._held[by]


async def _ranked(numbers: Collection[int], texts: Texts) -> "array[int]":
    # What was stored is in order already, a row at a time.
    some = list(texts) if len(texts) == len(numbers) else [n for n in texts if n in numbers]
    return array("q", await in_turns(ordered(some, texts.__getitem__)))


def _without(uids: Uids, gone: Collection[int]) -> Uids:
    return array("I", [uid for uid in uids if uid not in gone])
