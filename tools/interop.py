"""Real mail programs against mailstead: `make interop`.

It starts a server of its own on free loopback ports, with one throw-away user, and runs the scripts
that drive mbsync, neomutt, getmail, fetchmail, mpop, msmtp, s-nail, mblaze, swaks and the Python libraries,
without TLS, with STARTTLS and in TLS from the first octet. Every script ends with `PASS n FAIL m SKIP k`.
With --app-password they are given one, so that SCRAM is offered, and those that choose it do so.

    MAILSTEAD_CONFORMANCE   the scripts (default ../shared/conformance, beside this checkout)
    CONFORMANCE_VENV        the virtual environment of their Python clients (default .venv beside them)
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(os.environ.get("MAILSTEAD_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
VENV = Path(os.environ.get("CONFORMANCE_VENV") or SCRIPTS / ".venv")
MODES = ("none", "starttls", "implicit")
RUN = (
    "client-mbsync.sh", "client-neomutt.sh", "client-getmail.sh", "client-fetchmail.sh", "client-mpop.sh",
    "client-pylibs.sh", "client-msmtp-snail-mblaze.sh", "smtp-basics.sh", "slow-clients.py", "corpus-diff.py",
)  # fmt: skip
DOMAIN, USER, PASSWORD = "interop.test", "interop", "throw-away-1"
SERVED = ("smtp", "lmtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
SETTINGS = """\
hostname = "mx.interop.test"
domains = ["interop.test"]
[listen]
{listeners}
[tls]
certificate = "certificate.pem"
key = "certificate.key"
[auth]
insecure_plaintext_login = true
"""
_TOTALS = re.compile(r"^PASS (\d+) FAIL (\d+) SKIP (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    folder: Path
    ports: dict[str, int]
    password: str


@contextmanager
def server(folder: Path, *, app: bool) -> Iterator[Served]:
    """A server with one user, on free ports."""
    box = folder / "box"
    command = [sys.executable, "-m", "mailstead"]
    made = ["init", str(box), "--hostname", "mx.interop.test", "--domain", DOMAIN]
    subprocess.run([*command, *made], check=True, stdout=subprocess.DEVNULL)
    listeners = "\n".join(f'{service} = "127.0.0.1:0"' for service in SERVED)
    (box / "mailstead.toml").write_text(SETTINGS.format(listeners=listeners))
    command += ["--config", str(box)]
    added = ["user", "add", f"{USER}@{DOMAIN}", "--password-file", "-"]
    subprocess.run([*command, *added], check=True, input=PASSWORD.encode(), stdout=subprocess.DEVNULL)
    password = PASSWORD
    if app:
        key = ["key", "app", "add", f"{USER}@{DOMAIN}", "programs", "--json", "--password-file", "-"]
        made_one = subprocess.run([*command, *key], check=True, input=PASSWORD.encode(), capture_output=True)
        password = json.loads(made_one.stdout)["password"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "serve"], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    ports: dict[str, int] = {}
    while (line := process.stdout.readline()) and line != "ready\n":
        if found := re.match(r"(\w+) +127\.0\.0\.1:(\d+)$", line):
            ports[found[1]] = int(found[2])
    try:
        yield Served(box, ports, password)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def environment(served: Served, script: str, mode: str) -> dict[str, str]:
    """What a script is told of the server."""
    ports = {f"{service.upper()}_PORT": str(port) for service, port in served.ports.items()}
    certificate = str(served.folder / "certificate.pem") if mode != "none" else ""
    # Without TLS mpop's "auth on" takes only mechanisms that hide the password: SCRAM, for app passwords.
    app = served.password != PASSWORD
    choice = "on scram-sha-256 plain user" if app else "plain user" if mode == "none" else ""
    mechanisms = {"MECHS": choice} if script == "client-mpop.sh" and choice else {}
    return os.environ | ports | mechanisms | {
        "HOST": "127.0.0.1", "SIEVE_PORT": "0",
        "USER": f"{USER}@{DOMAIN}", "PASS": served.password, "RCPT_DOMAIN": DOMAIN, "TLS": mode,
        "CA_FILE": certificate, "TLS_NAME": "localhost", "VENV": str(VENV),
    }  # fmt: skip


def command(script: str) -> list[str]:
    """How a script is run."""
    path = str(SCRIPTS / script)
    if script.endswith(".sh"):
        return ["bash", path]
    corpus = SCRIPTS.parent / "corpus"
    arguments = [str(corpus if corpus.is_dir() else ROOT / "tests" / "corpus")]
    return [sys.executable, path, *(arguments if script.startswith("corpus") else [])]


def main() -> None:
    """Run all that was chosen, print a table, and end with 1 if anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tls", action="append", choices=MODES, help="only so; may be repeated")
    parser.add_argument("--app-password", action="store_true", help="log in by an app password")
    parser.add_argument("--keep-log", metavar="FILE", help="keep what the scripts print")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=f"of {', '.join(RUN)}")
    chosen = parser.parse_args()
    scripts = chosen.scripts or RUN
    if not (SCRIPTS / "lib.sh").is_file():
        sys.exit(f"no scripts in {SCRIPTS}: set MAILSTEAD_CONFORMANCE to their folder")
    printed: list[str] = []
    rows: list[tuple[str, list[str]]] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="mailstead-interop-", dir="/var/tmp") as folder:
        with server(Path(folder), app=chosen.app_password) as served:
            for script in scripts:
                cells: list[str] = []
                for mode in chosen.tls or MODES:
                    began = time.monotonic()
                    told = environment(served, script, mode)
                    done = subprocess.run(command(script), check=False, env=told, capture_output=True)
                    output = (done.stdout + done.stderr).decode(errors="replace")
                    found = _TOTALS.findall(output)
                    good = done.returncode == 0 and found
                    failed = failed or not good
                    cells.append("/".join(found[-1]) if found else f"exit {done.returncode}")
                    took = time.monotonic() - began
                    print(
                        f"{'ok  ' if good else 'FAIL'} {script:30} {mode:9} {cells[-1]:10} {took:5.1f} s",
                        flush=True,
                    )
                    printed.append(f"=== {script} {mode}\n{output}")
                    if not good:
                        lines = (x for x in output.splitlines() if not x.startswith(("ok  ", "skip")))
                        print("\n".join(lines), flush=True)
                rows.append((script, cells))
        log = (Path(folder) / "log").read_text(errors="replace")
    errors = [line for line in log.splitlines() if '"level": "error"' in line or "Traceback" in line]
    if errors:
        failed = True
        print("the server logged errors:", *errors, sep="\n")
    if chosen.keep_log:
        Path(chosen.keep_log).write_text("\n".join(printed) + "\n=== the server's log\n" + log)
    print(f"\n| passed/failed/skipped | {' | '.join(chosen.tls or MODES)} |")
    print(f"|---|{'---|' * len(chosen.tls or MODES)}")
    for script, cells in rows:
        print(f"| {script} | {' | '.join(cells)} |")
    sys.exit(failed)


if __name__ == "__main__":
    main()
