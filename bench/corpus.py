"""Mail as people have it, as much as is wanted, the same each time: words by Zipf and Mandelbrot, threads,
HTML, attachments.

A vocabulary of 200,000 words, of which the n-th is as frequent as 1 / (n + 2.7); some names, subjects that
are answered, three random ids and two numbers a message. Half of it has HTML beside its text, one of ten an
attachment.
"""

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import accumulate

WORDS = 200_000
_SHIFT = 2.7
_ONSETS = [
    "b",
    "br",
    "c",
    "ch",
    "cl",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "pr",
    "qu",
    "r",
    "s",
    "sc",
    "sh",
    "sl",
    "sp",
    "st",
    "str",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "z",
]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou"]
_ENDS = ("", "", "", "n", "r", "s", "t", "l", "nd", "st", "ck", "m", "ng")
_TEXT = 173  # tokens of a message, in the mean
_BEGAN = datetime(2024, 1, 1, tzinfo=UTC)


def vocabulary() -> list[str]:
    """The words, the most frequent first; short ones are more frequent."""
    chance = random.Random(20241)
    found: dict[str, None] = {}
    while len(found) < WORDS:
        syllables = 1 + min(3, len(found).bit_length() // 6) if len(found) > 64 else 1
        word = "".join(
            chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_ENDS) for _ in range(syllables)
        )
        found[word] = None
    return list(found)


class Corpus:
    """Makes messages."""

    def __init__(self, seed: int = 1) -> None:
        self.words = vocabulary()
        self._weights = list(accumulate(1 / (n + _SHIFT) for n in range(1, WORDS + 1)))
        self._chance = random.Random(seed)
        self._threads: list[tuple[str, str]] = []  # subject and message id
        self._people = [
            (f"{a.title()} {b.title()}", f"{a}.{b}@{c}.example")
            for a, b, c in zip(self.words[500:1500], self.words[3000:4000], self.words[100:1100], strict=True)
        ]
        self.texts: list[int] = []

    def some(self, count: int) -> list[str]:
        """So many words, by how frequent they are."""
        return self._chance.choices(self.words, cum_weights=self._weights, k=count)

    def messages(self, count: int) -> Iterator[bytes]:
        """So many messages; `texts` gets how long the text of each is, in octets."""
        for n in range(count):
            yield self._message(n)

    def _message(self, n: int) -> bytes:
        chance = self._chance
        name, address = chance.choice(self._people)
        message_id = f"<{chance.getrandbits(80):020x}@mail.example>"
        lines = [f"From: {name} <{address}>", "To: Ann Nobody <ann@b.test>", f"Message-ID: {message_id}"]
        if self._threads and chance.random() < 0.55:
            subject, parent = chance.choice(self._threads[-400:])
            lines += [f"Subject: Re: {subject}", f"In-Reply-To: {parent}", f"References: {parent}"]
        else:
            subject = " ".join(self.some(chance.randint(2, 7)))
            lines.append(f"Subject: {subject}")
        self._threads.append((subject, message_id))
        lines += [f"Date: {format_datetime(_BEGAN + timedelta(minutes=7 * n))}", "MIME-Version: 1.0"]
        text = self._text()
        self.texts.append(len(text))
        return "\r\n".join((*lines, self._body(text))).encode()

    def _text(self) -> str:
        chance = self._chance
        words = self.some(max(5, int(chance.gammavariate(1.5, _TEXT / 1.5))))
        for odd in (f"{chance.getrandbits(48):012x}" for _ in range(2)):
            words.insert(chance.randrange(len(words)), odd)
        for number in (chance.randint(1, 99), chance.randint(1000, 99999)):
            words.insert(chance.randrange(len(words)), str(number))
        sentences: list[str] = []
        while words:
            count = chance.randint(4, 14)
            sentences.append(" ".join(words[:count]).capitalize() + chance.choice(".....?!"))
            words = words[count:]
        lines, line = [], ""
        for sentence in sentences:
            if len(line) + len(sentence) > 500:
                lines.append(line)
                line = ""
            line += (" " if line else "") + sentence
        return "\r\n".join([*lines, line])

    def _body(self, text: str) -> str:
        chance = self._chance
        if chance.random() < 0.5:
            return f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        html = "".join(f"<p style='margin:0'>{line}</p>\r\n" for line in text.split("\r\n"))
        parts = [
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
            f"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>{html}</body></html>\r\n",
        ]
        body = _multipart("alternative", "alt", parts)
        if chance.random() < 0.2:
            name = "_".join(self.some(2))
            octets = base64.encodebytes(chance.randbytes(4000)).replace(b"\n", b"\r\n").decode()
            attached = (
                f'Content-Type: application/pdf; name="{name}.pdf"\r\n'
                f'Content-Disposition: attachment; filename="{name}.pdf"\r\n'
                f"Content-Transfer-Encoding: base64\r\n\r\n{octets}"
            )
            return _multipart("mixed", "mix", [body, attached])
        return body


def _multipart(kind: str, boundary: str, parts: list[str]) -> str:
    inner = "".join(f"--{boundary}\r\n{part}" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{inner}--{boundary}--\r\n'
