"""A delay that grows with every failed login of one name from one address, and is nobody else's."""

from collections import OrderedDict
from dataclasses import dataclass

FREE = 2  # failures that cost nothing: people mistype
FIRST_SECONDS = 0.5  # doubled with every further failure
LONGEST_SECONDS = 8.0
PATIENCE_SECONDS = 15.0  # who would have to wait longer is told to come back
FORGOTTEN_SECONDS = 600.0
REMEMBERED = 8192

Key = tuple[str, str]  # login name, address


@dataclass(slots=True)
class _Failures:
    count: int = 0
    next: float = 0.0  # when the next attempt may begin
    last: float = 0.0


class Delays:
    """How long an attempt has to wait; all times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()

    def take(self, key: Key, now: float) -> float | None:
        """How long this attempt has to wait; None when it should not be made now.

        Attempts of one key that come together wait one after the other.
        """
        known = self._failures.get(key)
        if known is None:
            return 0.0
        if now - known.last > FORGOTTEN_SECONDS:
            del self._failures[key]
            return 0.0
        if known.count < FREE:
            return 0.0
        step = min(FIRST_SECONDS * 2.0 ** (known.count - FREE), LONGEST_SECONDS)
        wait = max(known.next - now, 0.0) + step
        if wait > PATIENCE_SECONDS:
            return None
        known.next = now + wait
        return wait

    def failed(self, key: Key, now: float) -> None:
        """Count a failure."""
        known = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        known.count = min(known.count + 1, 64)
        known.last = now
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, key: Key) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)
