"""mailstead beside its peers: `make bench`.

It starts a server of its own in a folder on a real disk, and runs the harness in alternated pairs:
SMTP against Postfix in front of Dovecot with mail_crypt, LMTP against Dovecot with mail_crypt, SMTP
against a bare Python receiver with group commit that parses and checks nothing (the floor), IMAP and
POP3 against Dovecot with and without mail_crypt. "order" is SORT and THREAD (bench/order.py).

    MAILSTEAD_BENCH    the harness (default ../shared/bench, beside this checkout)
    BENCH_VENV         its virtual environment, made by its install.sh
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = Path(os.environ.get("MAILSTEAD_BENCH", ROOT.parent / "shared" / "bench"))
PASSWORD = "benchpass"
USERS = 10
SETTINGS = """\
hostname = "mx.bench.test"
domains = ["bench.test"]
workers = {workers}
[listen]
smtp = "127.0.0.1:0"
lmtp = "127.0.0.1:0"
imap = "127.0.0.1:0"
pop3 = "127.0.0.1:0"
[auth]
insecure_plaintext_login = true
[seal]
lane_messages = {lanes}
"""


@contextmanager
def server(folder: Path, workers: int, lanes: int) -> Iterator[tuple[int, dict[str, int]]]:
    """A server with ten mailboxes; its process id and its ports."""
    command = [sys.executable, "-m", "mailstead"]
    box = folder / "box"
    subprocess.run(
        [*command, "init", str(box), "--hostname", "mx.bench.test", "--domain", "bench.test"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (box / "mailstead.toml").write_text(SETTINGS.format(workers=workers, lanes=lanes))
    command += ["--config", str(box)]
    for n in range(USERS):
        subprocess.run(
            [*command, "user", "add", f"bench{n}@bench.test", "--password-file", "-"],
            input=PASSWORD.encode(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
    process = subprocess.Popen([*command, "serve"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ports: dict[str, int] = {}
    while (line := process.stdout.readline()) and line != "ready\n":
        if found := re.match(r"(\w+) +127\.0\.0\.1:(\d+)$", line):
            ports[found[1]] = int(found[2])
    try:
        yield process.pid, ports
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def target(folder: Path, services: str, pid: int, ports: dict[str, int]) -> str:
    """The file that tells the harness about our server."""
    path = folder / f"ours-{services}.json"
    about = {
        "label": f"mailstead-{services}",
        "host": "127.0.0.1",
        **{service: ports[service] for service in services.split("+")},
        "user": "bench{n}@bench.test",
        "password": PASSWORD,
        "users": USERS,
        "rcpt": "bench{n}@bench.test",
        "pids": [pid],
        "data": [str(folder / "box" / "data")],
    }
    path.write_text(json.dumps(about))
    return str(path)


def main() -> int:
    """Run the pairs that were asked for, and print the harness's tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--against",
        default="postfix,lmtp,floor,imap-crypt,imap,order-crypt,order,pop3-crypt,pop3",
        help="which pairs",
    )
    parser.add_argument("--mailbox", default="10000", help="messages of the IMAP mailbox")
    parser.add_argument("--rounds", default="3")
    parser.add_argument("--messages", default="2000")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lanes", type=int, default=256, help="[seal] lane_messages")
    parser.add_argument("--dir", default="/var/tmp", help="a folder on the disk to measure")
    args = parser.parse_args()
    if not (HARNESS / "run_all.py").exists():
        print(f"there is no harness at {HARNESS}: set MAILSTEAD_BENCH", file=sys.stderr)
        return 2
    python = Path(os.environ.get("BENCH_VENV", HARNESS / ".venv")) / "bin" / "python"
    pairs = {
        "postfix": ("smtp", "postfix+dovecot-crypt", "ingest"),
        "lmtp": ("lmtp", "dovecot-crypt", "ingest"),
        "floor": ("smtp", "floor", "ingest"),
        "imap-crypt": ("smtp+imap", "dovecot-crypt", "imap,idle"),
        "imap": ("smtp+imap", "dovecot-plain", "imap,idle"),
        "order-crypt": ("smtp+imap", "dovecot-crypt", "order"),
        "order": ("smtp+imap", "dovecot-plain", "order"),
        "pop3-crypt": ("smtp+imap+pop3", "dovecot-crypt", "pop3"),
        "pop3": ("smtp+imap+pop3", "dovecot-plain", "pop3"),
    }
    with tempfile.TemporaryDirectory(prefix="ms-bench-", dir=args.dir) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the peers run as users of their own
        with server(folder, args.workers, args.lanes) as (pid, ports):
            for pair in args.against.split(","):
                service, peer, parts = pairs[pair]
                script = ROOT / "bench" / "order.py" if parts == "order" else HARNESS / "run_all.py"
                command = [
                    str(python), str(script), "--a", target(folder, service, pid, ports), "--b", peer,
                    "--mailbox", args.mailbox, "--rounds", args.rounds, "--run", str(folder / "peers"),
                ]  # fmt: skip
                if parts != "order":
                    command += ["--only", parts, "--messages", args.messages, "--fresh"]
                if parts == "pop3":
                    command += ["--suite", "full"]
                subprocess.run(command, check=True, env={**os.environ, "MAILSTEAD_BENCH": str(HARNESS)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
