"""What a client has enabled, and how it is spoken with from there on (RFC 5161)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How commands are read and responses written on one connection.

    Args:
        modseqs: Changes are told with mod-sequences: it knows CONDSTORE.
        qresync: It may ask what it missed (RFC 7162 section 3.2).
        accept: UTF8=ACCEPT: names and headers are UTF-8 (RFC 6855).
        rev2: IMAP4rev2: names are UTF-8, nothing is \\Recent, SEARCH is answered with ESEARCH.
        uid_only: UIDONLY: no sequence number goes either way (RFC 9586).
    """

    modseqs: bool = False
    qresync: bool = False
    accept: bool = False
    rev2: bool = False
    uid_only: bool = False

    @property
    def utf8(self) -> bool:
        """Mailbox names are UTF-8, and not modified UTF-7."""
        return self.accept or self.rev2

    @property
    def vanished(self) -> bool:
        """What is gone is told by VANISHED, and not by EXPUNGE."""
        return self.qresync or self.uid_only

    @property
    def numbered(self) -> bytes:
        """The word of a response about one message; its number is a UID for UIDONLY."""
        return b"UIDFETCH" if self.uid_only else b"FETCH"


PLAIN = Dialect()
