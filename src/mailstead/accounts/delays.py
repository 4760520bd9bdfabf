"""Delays that grow with failed logins: of a name from an address, of a network, of a name from anywhere.

Nobody is locked out by what strangers do. The first is a queue: attempts of one name from one
address wait for each other. The others are short, attempts wait them side by side, and whoever got
in from his network before does not wait for guesses at his name from elsewhere.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

FREE = 2  # failures that cost nothing: people mistype
FIRST_SECONDS = 0.5  # doubled with every further failure
LONGEST_SECONDS = 8.0
PATIENCE_SECONDS = 15.0  # who would have to wait longer is told to come back
FORGOTTEN_SECONDS = 600.0
REMEMBERED = 8192
# Failures of a network, or of a name from anywhere, that cost nothing; from then on all that
# come from there wait, a little longer with each.
NETWORK_FREE, NAME_FREE = 100, 50
STEP_SECONDS, MOST_SECONDS = 0.02, 1.0


@dataclass(slots=True)
class _Failures:
    count: int = 0
    next: float = 0.0  # when the next attempt may begin
    last: float = 0.0


class _Counts:
    """Failures by what they have in common; the oldest are forgotten."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()

    def get(self, key: Hashable, now: float) -> _Failures | None:
        known = self._failures.get(key)
        if known is not None and now - known.last > FORGOTTEN_SECONDS:
            del self._failures[key]
            return None
        return known

    def failed(self, key: Hashable, now: float, most: int) -> int:
        known = self.get(key, now) or self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        known.count = min(known.count + 1, most)
        known.last = now
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return known.count

    def drop(self, key: Hashable) -> None:
        self._failures.pop(key, None)


class Delays:
    """How long an attempt has to wait; all times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._pairs, self._networks, self._names = _Counts(), _Counts(), _Counts()
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()  # who got in from where

    def take(self, name: str, peer: str, now: float) -> float | None:
        """How long this attempt has to wait; None when it should not be made now.

        Args:
            name: Of the login, whether anybody has it or not.
            peer: The address it comes from.
        """
        own = self._queue((name, peer), now)
        if own is None:
            return None
        network = network_of(peer)
        wait = _short(self._networks.get(network, now), NETWORK_FREE)
        if (name, network) not in self._welcome:
            wait = max(wait, _short(self._names.get(name, now), NAME_FREE))
        return max(own, wait)

    def _queue(self, key: Hashable, now: float) -> float | None:
        """The wait of a name from an address: attempts that come together wait one after the other."""
        known = self._pairs.get(key, now)
        if known is None or known.count < FREE:
            return 0.0
        step = min(FIRST_SECONDS * 2.0 ** (known.count - FREE), LONGEST_SECONDS)
        wait = max(known.next - now, 0.0) + step
        if wait > PATIENCE_SECONDS:
            return None
        known.next = now + wait
        return wait

    def failed(self, name: str, peer: str, now: float) -> bool:
        """Count a failure; True when it is time to tell that somebody guesses at a name from everywhere."""
        self._pairs.failed((name, peer), now, 64)
        self._networks.failed(network_of(peer), now, 1 << 20)
        count = self._names.failed(name, now, 1 << 20)
        return count >= NAME_FREE and count & (count - 1) == 0  # at 64, 128, 256 ...

    def succeeded(self, name: str, peer: str) -> None:
        """Forget the failures of this name from here, and remember that it is welcome."""
        self._pairs.drop((name, peer))
        key = (name, network_of(peer))
        self._welcome[key] = None
        self._welcome.move_to_end(key)
        if len(self._welcome) > REMEMBERED:
            self._welcome.popitem(last=False)


def _short(known: _Failures | None, free: int) -> float:
    if known is None or known.count < free:
        return 0.0
    return min(STEP_SECONDS * (known.count - free + 1), MOST_SECONDS)


def network_of(peer: str) -> str:
    """What addresses of one customer have in common: 64 bits of IPv6, 24 of IPv4, all of a loopback's."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    if address.is_loopback:
        return str(address)
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))
