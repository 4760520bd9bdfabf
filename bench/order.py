"""SORT and THREAD of a whole mailbox beside a peer; `bench.run` starts it, the harness has no such rows.

It runs under the harness's Python and in its way: rounds that alternate, medians, ratios. Each command is
asked in five ways:

    cold     the first after the mailbox was filled, of which no server knows anything; one round
    warm     again and again in one session
    fresh    the first of a session that has its account for itself
    changed  the same, after a message came, or went again
    beside   the first of a session whose account has others, in every worker, that asked before
"""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

HARNESS = Path(os.environ["MAILSTEAD_BENCH"])
sys.path.insert(0, str(HARNESS))

import bench_imap  # noqa: E402  # they are in the harness
import run_all  # noqa: E402

COMMANDS = {
    "sort_subject": b"SORT (SUBJECT) UTF-8 ALL",
    "sort_reverse_date": b"SORT (REVERSE DATE) UTF-8 ALL",
    "sort_arrival": b"SORT (ARRIVAL) UTF-8 ALL",
    "sort_size": b"SORT (SIZE) UTF-8 ALL",
    "thread_references": b"THREAD REFERENCES UTF-8 ALL",
    "thread_orderedsubject": b"THREAD ORDEREDSUBJECT UTF-8 ALL",
}
TIMES = {"cold": 1, "warm": 30, "fresh": 10, "changed": 10, "beside": 10}
LETTER = b"Subject: Re: what came %d\r\n\r\n.\r\n"
OTHERS = 8  # sessions of the account, so that every worker has one


class Order(bench_imap.Bench):
    """One command, asked in one way."""

    def seconds(self, command: bytes, way: str) -> dict[str, object]:
        """How long it takes: the median of some times, and the longest."""
        times: list[float] = []
        with ExitStack() as others:
            own = None
            for _ in range({"warm": 1, "beside": OTHERS}.get(way, 0)):
                own = others.enter_context(closing(self.open()))
                own.command(command)
            for turn in range(TIMES[way]):
                expected = self.args.expect + (self.change(turn) if way == "changed" else 0)
                imap = own if own is not None and way == "warm" else self.open()
                began = time.perf_counter()
                reply = imap.command(command)
                times.append(time.perf_counter() - began)
                found = len(re.findall(rb"[0-9]+", reply.partition(b"\r\n")[0]))
                if found != expected:
                    return {"error": f"{found} numbers in the answer"}
                if imap is not own:
                    imap.close()
                    time.sleep(0.05)  # until the server has seen it go
        median, worst = statistics.median(times), max(times)
        return {"n": self.count, "wall_s": round(median, 5), "worst_s": round(worst, 5)}

    def change(self, turn: int) -> int:
        """Append a message, or expunge it the next time; how many there are beyond the others."""
        came = turn % 2 == 0
        with closing(self.open()) as imap:
            if came:
                letter = LETTER % turn
                imap.command(b"APPEND INBOX {%d+}\r\n%b" % (len(letter), letter))
            else:
                imap.command(b"UID STORE * +FLAGS.SILENT (\\Deleted)")
                imap.command(b"EXPUNGE")
        time.sleep(0.05)  # until the server has seen it go
        return int(came)


def work() -> None:
    """Run one workload: `--work`, and what `bench_imap.py` takes."""
    args = bench_imap.parser().parse_args(sys.argv[2:])
    way, _, name = args.only.partition(" ")
    out: dict[str, object] = {"workload": args.only, "label": args.label}
    try:
        out |= Order(args).seconds(COMMANDS[name], way)
    except Exception as error:  # told in the table, as the harness does
        out["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(out), flush=True)


def main() -> None:
    """Fill a mailbox of both, ask, and print the harness's table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--a", required=True)
    parser.add_argument("--b", required=True)
    parser.add_argument("--mailbox", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=Path, required=True, help="where the peers live")
    args = parser.parse_args()
    targets = [run_all.Target(args.a, args.run, 22000), run_all.Target(args.b, args.run, 22010)]
    results: dict[str, dict[str, list[dict[str, object]]]] = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that the peers are stopped
    args.run.mkdir(parents=True, exist_ok=True)
    with (args.run / "order.jsonl").open("w") as raw:
        try:
            for target in targets:
                target.call("wipe")
                target.call("start")
            for target in targets:
                target.fill(0, args.mailbox, raw)
            for way in TIMES:
                for turn in range(1 if way == "cold" else args.rounds):
                    for name in COMMANDS:
                        for target in targets[:: -1 if turn % 2 else 1]:
                            command = target.imap(f"{way} {name}", args.mailbox)[1:]
                            for line in run_all.run([__file__, "--work", *command], raw):
                                results.setdefault(f"{way} {name}", {}).setdefault(target.label, []).append(
                                    line
                                )
        finally:
            for target in targets:
                target.call("stop")
    print(run_all.summary(results, targets[0].label, targets[1].label))


if __name__ == "__main__":
    work() if sys.argv[1:2] == ["--work"] else main()
