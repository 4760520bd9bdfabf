"""What STORE of one message costs in mailboxes of several sizes.

    python -m bench.store [--sizes 1000,100000] [--rounds 300] [--dir /var/tmp]

In one process, without a socket: CPU time of all its threads, in milliseconds, the tenth percentile
and the median of the rounds; the message is another each time. A mailbox is filled by COPY.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from mailstead.accounts.flagging import FlagChange
from mailstead.mail.flags import How
from mailstead.mail.mailbox import SystemFlag, Uid
from mailstead.store.opening import StoreSettings, open_database
from tests.accounts.test_presence import NEVER, worker

FIRST = 250  # messages that are delivered


async def measure(folder: Path, size: int, rounds: int) -> None:
    """Print one line."""
    database = open_database(StoreSettings(folder))
    async with worker(database, folder, NEVER) as w:  # as a server has it: nothing else is done at once
        h = w.house
        await h.move_in()
        await asyncio.gather(
            *(h.deliver(b"Subject: %d\r\n\r\nbody\r\n" % n) for n in range(min(FIRST, size)))
        )
        account = await w.login()
        inbox = await h.inbox(account)
        await account.absorb(inbox)
        while (there := (await account.status(inbox)).messages) < size:
            some = [Uid(n) for n in range(1, 1 + min(there, size - there))]
            await account.copy(inbox, some, inbox)
        uids = list((await account.snapshot(inbox)).uids)
        spent: list[float] = []
        for n in range(rounds):
            uid = Uid(uids[n * 7919 % len(uids)])
            how = How.ADD if n // len(uids) % 2 == 0 else How.REMOVE
            began = time.process_time()
            await account.change_flags(inbox, [uid], FlagChange(how, SystemFlag.FLAGGED))
            spent.append(time.process_time() - began)
        spent.sort()
        print(
            f"{size:>9,} messages: STORE of one  p10 {1000 * spent[len(spent) // 10]:.3f} ms"
            f"  median {1000 * spent[len(spent) // 2]:.3f} ms",
            flush=True,
        )
        account.close()
    await database.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="1000,100000")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    for size in options.sizes.split(","):
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            asyncio.run(measure(Path(folder), int(size), options.rounds))


if __name__ == "__main__":
    main()
