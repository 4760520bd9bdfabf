"""What the search index costs: to build, to keep, and to ask.

    python -m bench.search [--messages 100000] [--queries 40] [--dir /var/tmp]

In one process, without a socket, over mail of `bench.corpus`: CPU of all threads for building, its size
beside the text's, how long others wait for their turn meanwhile; then for each sort of question the median
and the 95th percentile of SEARCH's own work, first in sessions that know nothing, then in one that has
asked before. Each question is another one.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from pathlib import Path

from bench.corpus import Corpus
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.imap.searchkeys import And, HeaderHas, Key, TextHas
from mailstead.imap.view import MailboxView
from mailstead.services.imap.indexed import Narrowing, hits_of
from mailstead.store.opening import StoreSettings, open_database
from tests.support.house import House, house

TOGETHER = 500  # messages that are delivered at once


def questions(corpus: Corpus, count: int) -> dict[str, list[Key]]:
    """So many of each sort."""
    chance = random.Random(5)
    rare = [corpus.words[chance.randrange(20_000, len(corpus.words))] for _ in range(2 * count)]
    some = [corpus.words[chance.randrange(300, 3000)] for _ in range(3 * count)]
    common = [corpus.words[chance.randrange(10, 100)] for _ in range(count)]
    return {
        "rare": [TextHas(w) for w in rare[:count]],
        "1 %": [TextHas(w) for w in some[:count]],
        "two": [And((TextHas(a), TextHas(b))) for a, b in zip(some[count:], some[2 * count :], strict=False)],
        "subject": [HeaderHas(b"subject", w) for w in some[:count]],
        "none": [TextHas(f"{w}qx") for w in rare[count:]],
        "common": [TextHas(w) for w in common],
    }


class Pulse:
    """How long others wait for their turn."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def beat(self) -> None:
        """Ask for a turn every two milliseconds."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.002)
            self.waits.append(time.perf_counter() - began - 0.002)


def percentiles(times: list[float]) -> str:
    """The median and the 95th percentile, in milliseconds."""
    ordered = sorted(times)
    return f"{1000 * ordered[len(ordered) // 2]:7.1f} {1000 * ordered[int(len(ordered) * 0.95)]:7.1f}"


async def fill(h: House, corpus: Corpus, count: int) -> None:
    """Deliver so many messages."""
    waiting: list[bytes] = []
    for n, octets in enumerate(corpus.messages(count), 1):
        waiting.append(octets)
        if len(waiting) == TOGETHER or n == count:
            await asyncio.gather(*(h.deliver(one) for one in waiting))
            waiting = []


async def build(account: UnlockedAccount, corpus: Corpus, count: int) -> None:
    """Index it, and say what it took."""
    online, pulse = account._online, Pulse()
    beating = asyncio.create_task(pulse.beat())
    began = time.process_time()
    while await online.indexing.step():
        await asyncio.sleep(0)
    spent = time.process_time() - began
    beating.cancel()
    head = await online.search_index.head()
    assert head is not None
    octets, waits = sum(s.octets for s in head.segments), sorted(pulse.waits)
    print(
        f"build {1e6 * spent / count:.0f} us of CPU a message; "
        f"others wait {1000 * waits[int(len(waits) * 0.99)]:.0f}"
        f" ms (p99), {1000 * waits[-1]:.0f} at most\n{octets:,} octets in {len(head.segments)} segments,"
        f" {octets / sum(corpus.texts):.1%} of the text",
        flush=True,
    )


async def ask(account: UnlockedAccount, inbox: bytes, view: MailboxView, key: Key) -> tuple[float, int]:
    """Seconds until it is known which messages are to be told, and how many."""
    began = time.perf_counter()
    hits = await hits_of(account, inbox, key)
    found = Narrowing(view, hits, scored=False).narrow(key)
    return time.perf_counter() - began, len(found.sure) + len(found.perhaps)


async def measure(folder: Path, count: int, queries: int) -> None:
    """Print it all."""
    database = open_database(StoreSettings(folder))
    corpus = Corpus()
    async with house(database, folder) as h:
        await h.move_in()
        await fill(h, corpus, count)
        account = await h.unlock()
        inbox = await h.inbox(account)
        await account.absorb(inbox)
        await build(account, corpus, count)
        view = MailboxView((await account.snapshot(inbox)).uids)
        account.close()
        print("              found   cold, ms: median, p95   warm, ms: median, p95")
        for sort, keys in questions(corpus, queries).items():
            cold: list[float] = []
            for key in keys:
                with contextlib.closing(await h.unlock()) as session:
                    cold.append((await ask(session, inbox, view, key))[0])
            with contextlib.closing(await h.unlock()) as session:
                await ask(session, inbox, view, TextHas("anything"))
                asked = [await ask(session, inbox, view, key) for key in keys]
            warm, found = [t for t, _ in asked], sorted(n for _, n in asked)
            print(
                f"{sort:>8} {found[len(found) // 2]:>10,}      {percentiles(cold)}       {percentiles(warm)}",
                flush=True,
            )
    await database.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--dir", default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        asyncio.run(measure(Path(folder), args.messages, args.queries))


if __name__ == "__main__":
    main()
