"""What stands for a message where it is sorted or threaded: numbers made of what was read of it.

A string is hashed by Python, which keys its hashes anew in every process, a message id under the id of the
mailbox, which only its owner knows, so that what is stored of it is good in another process: nobody can write
two strings or ids that meet, and by accident two of a million do once in 40 million mailboxes.
"""

from array import array
from collections.abc import Callable, Generator, Sequence
from enum import Enum, auto
from hashlib import blake2b

from mailstead.accounts.columns import AT_ONCE, Link
from mailstead.accounts.entries import EntryA
from mailstead.mail.basesubject import BaseSubject
from mailstead.mail.header import first
from mailstead.mail.headersummary import HeaderSummary, date_and_subject, read_envelope
from mailstead.mail.messageids import message_ids
from mailstead.mail.sortkeys import By, display_key, mailbox_key, sent, subject_key
from mailstead.mail.threads import REFERENCES_CAP


class Extra(Enum):
    """What nothing is sorted by."""

    LINKS = auto()


Field = By | Extra
Mark = int | Link

_IN_COLUMN: dict[Field, Callable[[EntryA], int]] = {
    By.ARRIVAL: lambda a: a.internal_date,
    By.SIZE: lambda a: a.size,
}
_ADDRESSES: dict[Field, Callable[[HeaderSummary], str]] = {
    By.CC: lambda summary: mailbox_key(summary.cc),
    By.DISPLAYFROM: lambda summary: display_key(summary.sender),
    By.DISPLAYTO: lambda summary: display_key(summary.to),
    By.FROM: lambda summary: mailbox_key(summary.sender),
    By.TO: lambda summary: mailbox_key(summary.to),
}


class Making:
    """Makes the numbers of messages, and knows the strings that some of them stand for while a command runs.

    Args:
        fields: In the order in which `make` gives them.
        mailbox_id: Of the messages.

    Attributes:
        texts: The strings of each field that has some, by what stands for them.
    """

    def __init__(self, fields: Sequence[Field], mailbox_id: bytes) -> None:
        self.fields = fields
        self._mailbox_id = mailbox_id
        self.envelopes = not _IN_COLUMN.keys() >= set(fields)
        self.headers = Extra.LINKS in fields
        self.texts = {field: dict[int, str]() for field in fields if is_string(field)}
        self._beyond = any(field in _ADDRESSES or field is Extra.LINKS for field in fields)

    def make(self, a: EntryA, envelope: bytes, header: bytes) -> list[Mark]:
        """The number of each field, of one message."""
        if not self.envelopes:
            return [_IN_COLUMN[field](a) for field in self.fields]
        summary = read_envelope(envelope) if self._beyond else None
        date, subject = date_and_subject(envelope) if summary is None else (summary.date, summary.subject)
        marks: list[Mark] = []
        base: BaseSubject | None = None
        for field in self.fields:
            if field is By.DATE:
                marks.append(sent(a.internal_date, date))
            elif field is By.SUBJECT:
                base = base or subject_key(subject)
                marks.append(self._number(field, base.text))
            elif field in _IN_COLUMN:
                marks.append(_IN_COLUMN[field](a))
            elif summary is not None and field in _ADDRESSES:
                marks.append(self._number(field, _ADDRESSES[field](summary)))
            elif summary is not None:
                base = base or subject_key(subject)
                marks.append(self._link(header, summary, reply=base.reply))
        return marks

    def forget(self) -> Generator[None]:
        """Let go of the strings, of which there may be many."""
        for texts in self.texts.values():
            while len(texts) > 2 * AT_ONCE:
                for _ in range(AT_ONCE):
                    texts.popitem()
                yield
            texts.clear()
            yield

    def _number(self, field: Field, text: str) -> int:
        number = hash(text)
        self.texts[field][number] = text
        return number

    def _link(self, header: bytes, summary: HeaderSummary, *, reply: bool) -> Link:
        own = self._numbers(_ids(summary.message_id)[:1])
        above = _ids(first(header, b"references"))[-REFERENCES_CAP:] or _ids(summary.in_reply_to)[:1]
        return own[0] if own else 0, int(reply), array("q", self._numbers(above)) if above else ()

    def _numbers(self, ids: list[bytes]) -> list[int]:
        hashes = [blake2b(i, digest_size=8, key=self._mailbox_id).digest() for i in ids]
        return [int.from_bytes(octets, "big", signed=True) for octets in hashes]


def is_string(field: Field) -> bool:
    """Whether its number only stands for what messages are sorted by."""
    return field in _ADDRESSES or field is By.SUBJECT


def _ids(value: bytes | None) -> list[bytes]:
    return message_ids(value) if value else []
