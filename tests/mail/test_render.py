"""ENVELOPE and BODYSTRUCTURE say what Dovecot's say, message by message (see probes.py)."""

import json
import re
from pathlib import Path

import pytest

from mailstead.mail.render import NIL, STRING_CAP, bodystructure, envelope, nstring, string, words
from mailstead.mail.structure import Scanner
from tests.mail.probes import OURS, PROBES, corpus

ANSWERS: dict[str, str] = json.loads((Path(__file__).parent / "dovecot.json").read_text())["answers"]
MESSAGES = {**corpus(), **PROBES}
_TOKEN = re.compile(rb'\(|\)|"(?:[^"\\]|\\.)*"|\{(\d+)\}\r\n|[^\s()"{]+|\s+', re.S)


def tokens(octets: bytes) -> list[bytes | None]:
    """An answer as IMAP means it: a quoted string and a literal of the same octets are the same."""
    found: list[bytes | None] = []
    at = 0
    while at < len(octets):
        match = _TOKEN.match(octets, at)
        assert match is not None, octets[at:]
        at = match.end()
        if match[1] is not None:
            end = at + int(match[1])
            found.append(b'"' + octets[at:end])
            at = end
        elif match[0].startswith(b'"'):
            found.append(b'"' + re.sub(rb"\\(.)", rb"\1", match[0][1:-1]))
        elif match[0] == NIL:
            found.append(None)
        elif match[0].strip():
            found.append(match[0])
    return found


def rendered(octets: bytes) -> bytes:
    scanner = Scanner()
    scanner.push(octets)
    root = scanner.finish().root
    return envelope(root) + b" " + bodystructure(root)


def test_an_answer_is_stored_for_every_message() -> None:
    assert set(ANSWERS) == set(MESSAGES)
    assert set(OURS) <= set(MESSAGES)


@pytest.mark.parametrize("name", list(MESSAGES))
def test_it_is_what_dovecot_says(name: str) -> None:
    same = tokens(rendered(MESSAGES[name])) == tokens(ANSWERS[name].encode("latin-1"))
    assert same != (name in OURS), (rendered(MESSAGES[name]), ANSWERS[name].encode("latin-1"))


@pytest.mark.parametrize("name", ["message/global", "semicolons", "half a type", "dots between words"])
def test_where_we_differ_it_is_for_this(name: str) -> None:
    wanted = {
        "message/global": b'(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "semicolons": b'((NIL NIL "a" "b")(NIL NIL "c" "d"))',
        "half a type": b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)',
        "dots between words": b'((NIL NIL "a.b" "c.d")(NIL NIL "a.b" "c"))',
    }
    assert wanted[name] in rendered(PROBES[name])


def test_every_answer_is_well_formed() -> None:
    for octets in MESSAGES.values():
        depth = 0
        for token in tokens(rendered(octets)):
            depth += (token == b"(") - (token == b")")
            assert depth >= 0
        assert depth == 0


def test_strings() -> None:
    assert nstring(None) == words(None) == NIL
    assert string(b'a "b" \\') == b'"a \\"b\\" \\\\"'
    assert string("ä".encode()) == b"{2}\r\n\xc3\xa4"
    assert string(b"a\r\nb\0") == b"{4}\r\na\r\nb"
    assert words(b" a \t b ") == b"{3}\r\na b"
    assert words(b"  ") == b'""'
    assert len(string(b"x" * STRING_CAP * 2)) == STRING_CAP + 2
