"""Asks a Dovecot what it answers to FETCH (ENVELOPE BODYSTRUCTURE), for tests/mail/dovecot.json.

    python -m tools.ask_dovecot            as root, with Dovecot 2.3 at /usr/lib/dovecot

The answers are recorded, so that no test needs a Dovecot.
"""

import imaplib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from tests.mail.probes import PROBES, corpus

TESTS = Path(__file__).parent.parent / "tests"
IMAP = "/usr/lib/dovecot/imap"
NOBODY = 65534
CONFIG = """\
base_dir = {0}/base
state_dir = {0}/state
log_path = {0}/log
mail_location = maildir:{0}/mail
mail_uid = {1}
mail_gid = {1}
first_valid_uid = {1}
ssl = no
namespace inbox {{
  inbox = yes
}}
"""


def ask(messages: list[bytes]) -> list[bytes]:
    """What Dovecot answers for each of *messages*: ENVELOPE, a space, BODYSTRUCTURE."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("cur", "new", "tmp"):
            (folder / "mail" / kind).mkdir(parents=True)
        for number, octets in enumerate(messages):
            (folder / "mail" / "cur" / f"{1_000_000 + number}.M{number}.host:2,").write_bytes(octets)
        config = folder / "dovecot.conf"
        config.write_text(CONFIG.format(folder, NOBODY))
        folder.chmod(0o755)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        as_nobody = f"env HOME={folder} USER=x RESTRICT_SETUID={NOBODY} RESTRICT_SETGID={NOBODY}"
        connection = imaplib.IMAP4_stream(f"{as_nobody} {IMAP} -c {config} 2>/dev/null")
        connection.select(readonly=True)
        _, answer = connection.fetch(f"1:{len(messages)}", "(ENVELOPE BODYSTRUCTURE)")
        connection.logout()
    return [_values(a) for a in _joined(answer)]


def _joined(answer: list[bytes | tuple[bytes, bytes]]) -> list[bytes]:
    """imaplib takes an answer apart at its literals."""
    answers: list[bytes] = []
    begun = b""
    for piece in answer:
        if isinstance(piece, tuple):
            begun += piece[0] + b"\r\n" + piece[1]
        else:
            answers.append(begun + piece)
            begun = b""
    return answers


def _values(answer: bytes) -> bytes:
    start = answer.index(b"(ENVELOPE ") + len(b"(ENVELOPE ")
    return answer[start:-1].replace(b" BODYSTRUCTURE (", b" (", 1)


def main() -> None:
    """Ask for every message of the corpus and of tests/mail/probes.py, and record the answers."""
    messages = {**corpus(), **PROBES}
    version = subprocess.run(["dovecot", "--version"], check=True, capture_output=True, text=True).stdout
    answers = ask(list(messages.values()))
    recorded = {n: a.decode("latin-1") for n, a in zip(messages, answers, strict=True)}
    file = {"dovecot": version.strip(), "answers": recorded}
    (TESTS / "mail" / "dovecot.json").write_text(json.dumps(file, indent=0) + "\n")


if __name__ == "__main__":
    main()
