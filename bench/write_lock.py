"""The hand-over of SQLite's write lock between processes: our fair lock against SQLite's busy handler.

    python -m bench.write_lock [--seconds 3] [--dir /var/tmp]

Each process has ten writers that commit rows of 8 KB in groups; printed are commits of rows a second
of all processes together, the smallest and the largest share of one process, and the longest wait.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mailstead.errors import MailError
from mailstead.store.lock import WriteLock
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.sqlite import SqliteDatabase

WRITERS = 10


async def work(folder: Path, fair: bool, seconds: float) -> None:
    """Write for a while, and print what was done."""
    lock = WriteLock(folder / "run" / "write.lock") if fair else contextlib.nullcontext()
    database = SqliteDatabase(folder / "mail.db", lock)  # type: ignore[arg-type]
    block = os.urandom(8192)
    rows, waits, refused = 0, [0.0], 0
    end = time.monotonic() + seconds

    async def write(number: int) -> None:
        nonlocal rows, refused
        count = 0
        while time.monotonic() < end:
            name = f"{os.getpid()}.{number}.{count}"
            count += 1
            began = time.monotonic()
            try:
                await database.write(
                    lambda tx, name=name: tx.execute(
                        "INSERT INTO meta (name, value) VALUES (?, ?)", (name, block)
                    )
                )
                rows += 1
            except MailError:
                refused += 1
            waits.append(time.monotonic() - began)

    await asyncio.gather(*(write(n) for n in range(WRITERS)))
    await database.close()
    print(json.dumps({"rows": rows, "longest": max(waits), "refused": refused}))


def main() -> None:
    """Run every combination."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--dir", default="/var/tmp")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        asyncio.run(work(Path(args.one[0]), args.one[1] == "fair", args.seconds))
        return
    print("| processes | lock | rows/s | smallest and largest share | longest wait, ms | refused |")
    print("|---|---|---|---|---|---|")
    for processes in (1, 2, 4):
        for kind in ("fair", "busy handler"):
            with tempfile.TemporaryDirectory(dir=args.dir) as name:
                asyncio.run(open_database(StoreSettings(Path(name))).close())
                command = [
                    sys.executable,
                    "-m",
                    "bench.write_lock",
                    "--seconds",
                    str(args.seconds),
                    "--one",
                    name,
                ]
                running = [
                    subprocess.Popen([*command, kind.split()[0]], stdout=subprocess.PIPE)
                    for _ in range(processes)
                ]
                found = [json.loads(p.communicate()[0]) for p in running]
            rows = [f["rows"] for f in found]
            total = sum(rows)
            print(
                f"| {processes} | {kind} | {total / args.seconds:,.0f} |"
                f" {min(rows) / total:.0%} {max(rows) / total:.0%} |"
                f" {max(f['longest'] for f in found) * 1000:.0f} | {sum(f['refused'] for f in found)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
