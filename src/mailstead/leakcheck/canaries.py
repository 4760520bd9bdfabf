"""Canaries: words that were never anywhere before, one for each place that mail can leak from."""

import secrets
import string
import time

from mailstead.delivery.trace import date_time
from mailstead.mail.address import parse_mailbox
from mailstead.mail.compose import Attachment, compose

_STEM, _OWN = 12, 6  # letters

# What the canaries stand for; the leakage table speaks of these groups.
MAIL = (
    "body", "large body", "subject", "sender", "sender's name", "attachment", "attachment's name",
    "message id", "header", "appended body",
)  # fmt: skip
NAMES = ("mailbox", "renamed mailbox", "subscription", "keyword", "annotation's name", "annotation")
SEARCHED = (
    "search",
    "search by subject",
    "search in headers",
    "name of a field",
    "client's name",
    "nonsense",
)
SECRETS = ("password", "new password", "wrong password", "wrong name", "app password's name")


class Canaries:
    """Words of letters only, which all begin with one stem.

    Attributes:
        stem: Whoever finds it has found some canary.
        words: All of them, by what they stand for.
    """

    def __init__(self) -> None:
        self.stem = _letters(_STEM)
        self.words = {name: self.stem + _letters(_OWN) for name in (*MAIL, *NAMES, *SEARCHED, *SECRETS)}

    def __getitem__(self, name: str) -> str:
        return self.words[name]

    def octets(self, name: str) -> bytes:
        """A canary as it goes over the wire."""
        return self.words[name].encode()

    def message(self, to: str, body: str = "body", filler: int = 0) -> bytes:
        """A message with a canary wherever one fits.

        Args:
            filler: Lines of random octets behind its text, between which the canary is repeated.
        """
        token = secrets.token_hex(8)
        lines = [f"{self[body]} is in here."]
        lines += [f"{self[body]} {secrets.token_hex(100)}" for _ in range(filler)]
        file, name = self["attachment's name"], self["sender's name"]
        made = compose(
            parse_mailbox(f"{self['sender']}@example.net".encode()),
            [parse_mailbox(to.encode())],
            self["subject"],
            "\r\n".join(lines) + "\r\n",
            [Attachment(f"{file}.txt", self.octets("attachment") * 20)],
            date=date_time(time.time()),
            message_id=f"{self['message id']}@example.net",
            boundary=token,
        )
        return f"X-Canary: {self['header']}\r\nReply-To: {name} <nobody@example.net>\r\n".encode() + made


def _letters(count: int) -> str:
    """Random letters of both cases."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(count))
