"""The maildrop of one session: what was there at the login, and what is marked (RFC 1939 section 5)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailstead.mail.mailbox import Uid


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a maildrop.

    Args:
        size: In octets, as it is sent without the dots that are stuffed into it.
        object_id: The name of its stored body: the same wherever the message goes.
    """

    uid: Uid
    size: int
    object_id: bytes


class Maildrop:
    """Messages by number, which never change; those marked as deleted are as if they were not there."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._twice = {o for o, n in Counter(m.object_id for m in messages).items() if n > 1}
        self._deleted: set[int] = set()

    def get(self, number: int) -> Message | None:
        """The message with this number, if it is not marked."""
        if number in self._deleted or not 1 <= number <= len(self._messages):
            return None
        return self._messages[number - 1]

    def delete(self, number: int) -> None:
        """Mark a message that is there."""
        self._deleted.add(number)

    def reset(self) -> None:
        """Unmark all."""
        self._deleted.clear()

    @property
    def deleted(self) -> list[Uid]:
        """The UIDs of those marked, ascending."""
        return [self._messages[number - 1].uid for number in sorted(self._deleted)]

    def stat(self) -> tuple[int, int]:
        """How many messages, and octets of all of them, without those marked."""
        there = [m.size for _, m in self._there()]
        return len(there), sum(there)

    def sizes(self) -> Iterator[bytes]:
        """The lines of LIST."""
        return (b"%d %d" % (number, m.size) for number, m in self._there())

    def unique_ids(self) -> Iterator[bytes]:
        """The lines of UIDL."""
        return (b"%d %b" % (number, self.unique_id(m)) for number, m in self._there())

    def unique_id(self, message: Message) -> bytes:
        """What is the same in every session, and after a move and back: at most 43 octets.

        A copy within the maildrop shares its body; such messages are told apart by their UIDs.
        """
        name = message.object_id.hex().encode()
        return b"%b.%d" % (name, message.uid) if message.object_id in self._twice else name

    def _there(self) -> Iterator[tuple[int, Message]]:
        return ((n, m) for n, m in enumerate(self._messages, 1) if n not in self._deleted)
