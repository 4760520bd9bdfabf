"""An ENVELOPE taken apart again: the fields that messages are sorted and threaded by.

It is what `render.envelope` made. Most are made of quoted strings without a backslash; one regex reads those.
"""

import re
from typing import NamedTuple

from mailstead.errors import UnsealError

_NSTRING = rb'(?:NIL|"[^"\\]*+")'
_VALUE = rb'(?:NIL|"([^"\\]*+)")'  # a group that is None for NIL
_ADDRESS = rb"\(%b %b %b %b\)" % ((_NSTRING,) * 4)
_LIST = rb"(?:NIL|\((?:%b)+\))" % _ADDRESS
_FIRST = rb"(?:NIL|\(\(%b %b %b %b\)(?:%b)*\))" % (_VALUE, _NSTRING, _VALUE, _VALUE, _ADDRESS)
# date subject from sender reply-to to cc bcc in-reply-to message-id (RFC 9051 section 7.5.2)
_SIMPLE = re.compile(
    rb"\(%b %b %b %b %b %b %b %b %b %b\)"
    % (_VALUE, _VALUE, _FIRST, _LIST, _LIST, _FIRST, _FIRST, _LIST, _VALUE, _VALUE)
)
_HEAD = re.compile(rb"\(%b %b " % (_VALUE, _VALUE))
_STRING = re.compile(rb'NIL|"([^"\\]*+(?:\\.[^"\\]*+)*)"|\{([0-9]{1,7})\}\r\n', re.S)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.S)


class FirstAddress(NamedTuple):
    """The first address of a list; a group's is its name as *mailbox*, without a *host*."""

    name: bytes | None
    mailbox: bytes | None
    host: bytes | None


NOBODY = FirstAddress(None, None, None)


class HeaderSummary(NamedTuple):
    """Fields as they came, but unfolded, of addresses the first one's parts; None for what is not there."""

    date: bytes | None
    subject: bytes | None
    from_name: bytes | None
    from_mailbox: bytes | None
    from_host: bytes | None
    to_name: bytes | None
    to_mailbox: bytes | None
    to_host: bytes | None
    cc_name: bytes | None
    cc_mailbox: bytes | None
    cc_host: bytes | None
    in_reply_to: bytes | None
    message_id: bytes | None

    @property
    def sender(self) -> FirstAddress:
        """The first address of From."""
        return FirstAddress(self.from_name, self.from_mailbox, self.from_host)

    @property
    def to(self) -> FirstAddress:
        """The first address of To."""
        return FirstAddress(self.to_name, self.to_mailbox, self.to_host)

    @property
    def cc(self) -> FirstAddress:
        """The first address of Cc."""
        return FirstAddress(self.cc_name, self.cc_mailbox, self.cc_host)


def read_envelope(envelope: bytes) -> HeaderSummary:
    """The fields of an ENVELOPE in IMAP octets.

    Raises:
        UnsealError: it is none.
    """
    found = _SIMPLE.fullmatch(envelope)
    return _Reader(envelope).envelope() if found is None else HeaderSummary(*found.groups())


def date_and_subject(envelope: bytes) -> tuple[bytes | None, bytes | None]:
    """The first two fields, for who needs no more: most of the time the others are not looked at.

    Raises:
        UnsealError: as `read_envelope`, as far as it is looked at.
    """
    found = _HEAD.match(envelope)
    if found is None:
        summary = read_envelope(envelope)
        return summary.date, summary.subject
    date, subject = found.groups()
    return date, subject


class _Reader:
    """Reads any ENVELOPE from left to right."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def envelope(self) -> HeaderSummary:
        """All of it."""
        self._take(b"(")
        date, subject = self._string(), self._string(b" ")
        sender, _, __, to, cc, ___ = [self._first() for _ in range(6)]
        in_reply_to, message_id = self._string(b" "), self._string(b" ")
        self._take(b")")
        return HeaderSummary(date, subject, *sender, *to, *cc, in_reply_to, message_id)

    def _first(self) -> FirstAddress:
        self._take(b" ")
        if self._octets.startswith(b"NIL", self._at):
            self._at += 3
            return NOBODY
        self._take(b"(")
        first = self._address()
        while self._octets.startswith(b"(", self._at):
            self._address()
        self._take(b")")
        return first

    def _address(self) -> FirstAddress:
        self._take(b"(")
        name, _, mailbox, host = self._string(), self._string(b" "), self._string(b" "), self._string(b" ")
        self._take(b")")
        return FirstAddress(name, mailbox, host)

    def _string(self, before: bytes = b"") -> bytes | None:
        self._take(before)
        found = _STRING.match(self._octets, self._at)
        if found is None:
            raise UnsealError("the ENVELOPE is malformed")
        self._at = found.end()
        if found[2] is not None:
            self._at += int(found[2])
            return self._octets[found.end() : self._at]
        return None if found[1] is None else _QUOTED_PAIR.sub(rb"\1", found[1])

    def _take(self, octets: bytes) -> None:
        if not self._octets.startswith(octets, self._at):
            raise UnsealError("the ENVELOPE is malformed")
        self._at += len(octets)
