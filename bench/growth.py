"""How what an IMAP session does grows with its mailbox: `make bench-growth`.

    python -m bench.growth [--sizes 1000,10000,100000] [--idle 5000] [--dir /var/tmp] [--plot docs/growth.svg]

One worker with one mailbox of each size, filled by APPEND. Printed is the CPU time of the worker, in
milliseconds: for a session that comes to a mailbox nobody has open (cold), for one more beside it
(shared), for STATUS, for the newest fifty envelopes, for the flags of all, and for what changed since
a mod-sequence when ten messages in a row and ten far apart did. Then what an idle session costs.
"""

import argparse
import itertools
import math
import re
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.run import PASSWORD, server

MESSAGE = (
    b"From: Ann <ann@example.test>\r\nTo: bob@bench.test\r\nSubject: message %d\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n%b\r\n"
)
AT_ONCE = 200  # messages of one APPEND
COLOURS = ("#1b6ca8", "#c0392b", "#27803b", "#8e44ad", "#b8860b", "#444444", "#008b8b")


class Talk:
    """One session."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb", 1 << 20)
        self._tags = itertools.count()
        self._file.readline()
        self.ask(f"LOGIN bench1@bench.test {PASSWORD}".encode())

    def ask(self, command: bytes) -> bytes:
        """Everything that is said to a command."""
        tag = b"a%d" % next(self._tags)
        self._socket.sendall(tag + b" " + command + b"\r\n")
        heard: list[bytes] = []
        while not (line := self._file.readline()).startswith(tag + b" "):
            heard.append(line)
        if not line.startswith(tag + b" OK"):
            sys.exit(f"{command[:60]!r} was answered {line!r}")
        return b"".join([*heard, line])

    def idle(self) -> None:
        """Begin IDLE."""
        self._socket.sendall(b"i IDLE\r\n")
        self._file.readline()

    def hear(self) -> bytes:
        """The next line."""
        return self._file.readline()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def fill(talk: Talk, mailbox: bytes, count: int) -> None:
    """Make a mailbox of *count* messages."""
    talk.ask(b"CREATE " + mailbox)
    for first in range(0, count, AT_ONCE):
        some = [MESSAGE % (n, b"words " * 100) for n in range(first, min(count, first + AT_ONCE))]
        talk.ask(b"APPEND %b " % mailbox + b" ".join([b"{%d+}\r\n%b" % (len(m), m) for m in some]))


def cpu_of(pid: int) -> float:
    """CPU seconds of all threads of a process so far, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def measured(pid: int, times: int, action: Callable[[], object]) -> float:
    """Milliseconds of CPU that *action* takes the worker, on an average of some *times*."""
    before = cpu_of(pid)
    for _ in range(times):
        action()
    return 1000 * (cpu_of(pid) - before) / times


def rows_of(port: int, pid: int, mailbox: bytes, size: int) -> dict[str, float]:
    """What one mailbox costs."""
    few = max(5, 30_000 // size)

    def come() -> Talk:
        talk = Talk(port)
        talk.ask(b"SELECT " + mailbox)
        return talk

    def visit(begin: Callable[[], Talk]) -> None:
        begin().close()
        time.sleep(0.05)  # until the worker has seen it go: the next one is alone again

    login = measured(pid, 20, lambda: visit(lambda: Talk(port)))
    cold = measured(pid, few, lambda: visit(come)) - login
    alone = come()
    login = measured(pid, 20, lambda: visit(lambda: Talk(port)))
    shared = measured(pid, 30, lambda: visit(come)) - login
    found = {"SELECT, cold": cold, "SELECT, shared": shared}
    found["STATUS"] = measured(pid, 50, lambda: alone.ask(b"STATUS %b (MESSAGES UNSEEN UIDNEXT)" % mailbox))
    newest = b"FETCH %d:* (UID FLAGS ENVELOPE)" % max(1, size - 49)
    found["newest 50 envelopes"] = measured(pid, 20, lambda: alone.ask(newest))
    found["FLAGS of all"] = measured(pid, few, lambda: alone.ask(b"FETCH 1:* (UID FLAGS)"))
    for name, step in (("10 changed, in a row", 1), ("10 changed, far apart", size // 10)):
        since = int(re.findall(rb"HIGHESTMODSEQ (\d+)", alone.ask(b"SELECT " + mailbox))[0])
        numbers = b",".join(b"%d" % (1 + n * step) for n in range(10))
        for how in (b"+", b"-"):
            alone.ask(b"STORE %b %bFLAGS.SILENT (\\Flagged)" % (numbers, how))
        ask = b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % since
        if alone.ask(ask).count(b" FETCH ") != 10:
            sys.exit("CHANGEDSINCE told of other than ten messages")
        found[name] = measured(pid, 30, lambda ask=ask: alone.ask(ask))
    alone.close()
    return found


def idle_cost(port: int, pid: int, count: int, mailbox: bytes) -> str:
    """Memory of an idle session, and what it takes to wake all of them."""

    def resident() -> int:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def begin() -> Talk:
        talk = Talk(port)
        talk.ask(b"EXAMINE " + mailbox)
        talk.idle()
        return talk

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(count, hard - 200)
    talks = [begin() for _ in range(20)]
    time.sleep(1)
    before = resident()
    talks += [begin() for _ in range(count)]
    time.sleep(2)
    each = (resident() - before) / count
    writer = Talk(port)
    busy, began = cpu_of(pid), time.monotonic()
    writer.ask(b"APPEND %b {%d+}\r\n%b" % (mailbox, len(MESSAGE), MESSAGE))
    for talk in talks:
        while b" EXISTS" not in talk.hear():
            pass
    took, busy = time.monotonic() - began, cpu_of(pid) - busy
    for talk in [*talks, writer]:
        talk.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        f"{count:,} idle sessions in one worker: {each:.0f} KiB each. A message for all of them is told"
        f" to the last after {took * 1000:.0f} ms, with {busy / len(talks) * 1e6:.0f} us of CPU for each."
    )


def plot(table: dict[int, dict[str, float]], path: Path) -> None:
    """Draw CPU over size, both logarithmic."""
    width, height, left, top = 640, 400, 60, 20
    sizes = sorted(table)
    low, high = math.log10(sizes[0]), math.log10(sizes[-1])
    values = [max(v, 0.01) for row in table.values() for v in row.values()]
    bottom, ceiling = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def at(size: float, value: float) -> tuple[float, float]:
        x = left + (math.log10(size) - low) / max(high - low, 1) * (width - left - 190)
        y = top + (ceiling - math.log10(max(value, 0.01))) / max(ceiling - bottom, 1) * (height - top - 50)
        return round(x, 1), round(y, 1)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for power in range(bottom, ceiling + 1):
        (x, y), (end, _) = at(sizes[0], 10.0**power), at(sizes[-1], 10.0**power)
        out.append(f'<line x1="{x}" y1="{y}" x2="{end}" y2="{y}" stroke="#ddd"/>')
        out.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{10.0**power:g}</text>')
    for size in sizes:
        x, _ = at(size, 1)
        out.append(f'<text x="{x}" y="{height - 28}" text-anchor="middle">{size:,}</text>')
    out.append(f'<text x="{left}" y="{height - 8}">messages; ms of CPU</text>')
    for (name, colour), n in zip(zip(table[sizes[0]], COLOURS, strict=True), itertools.count()):
        points = " ".join(f"{x},{y}" for x, y in (at(size, table[size][name]) for size in sizes))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{width - 180}" y="{top + 16 + n * 18}" fill="{colour}">{name}</text>')
    path.write_text("\n".join([*out, "</svg>"]) + "\n")


def main() -> None:
    """Fill, measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--idle", type=int, default=5000, help="idle sessions; 0 for none")
    parser.add_argument("--dir", default="/var/tmp", help="a folder on the disk to measure")
    parser.add_argument("--plot", type=Path, help="where to draw it")
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split(",")]
    table: dict[int, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="ms-growth-", dir=args.dir) as folder,
        server(Path(folder), 1, 256) as (pid, ports),
    ):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        port, worker = ports["imap"], int(children[0])
        for size in sizes:
            talk, mailbox = Talk(port), b"size%d" % size
            began = time.monotonic()
            fill(talk, mailbox, size)
            talk.ask(b"STATUS %b (UNSEEN)" % mailbox)
            time.sleep(3 + size / 10_000)  # until they are absorbed
            talk.close()
            print(f"{size:,} messages after {time.monotonic() - began:.0f} s", file=sys.stderr)
            table[size] = rows_of(port, worker, mailbox, size)
        idle = idle_cost(port, worker, args.idle, b"size%d" % sizes[-1]) if args.idle else ""
    print("| CPU, ms | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    for name in table[sizes[0]]:
        print(f"| {name} | " + " | ".join(f"{max(table[size][name], 0):.2f}" for size in sizes) + " |")
    if idle:
        print(f"\n{idle}")
    if args.plot is not None:
        plot(table, args.plot)


if __name__ == "__main__":
    main()
