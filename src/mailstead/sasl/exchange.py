"""The SASL exchange of one connection: which mechanism was begun, and what comes next."""

from base64 import b64encode
from collections.abc import Callable

from mailstead.crypto.primitives import random_octets
from mailstead.sasl.mechanism import Challenge, Mechanism, Step
from mailstead.sasl.mechanisms import MECHANISMS, SCRAM, SCRAM_PLUS
from mailstead.sasl.scram import Scram


def new_nonce() -> bytes:
    """The server's part of a nonce: 144 random bits."""
    return b64encode(random_octets(18))


class Exchange:
    """At most one mechanism at a time.

    Args:
        binding: What is known of the TLS connection, which -PLUS is bound to; None without.
        plus_offered: Whether -PLUS was offered on it.
    """

    def __init__(
        self,
        binding: Callable[[], bytes | None] = lambda: None,
        plus_offered: Callable[[], bool] = lambda: False,
        nonce: Callable[[], bytes] = new_nonce,
    ) -> None:
        self._binding = binding
        self._plus_offered = plus_offered
        self._nonce = nonce
        self._mechanism: Mechanism | None = None

    def begin(self, mechanism: str, initial: bytes | None) -> Step | None:
        """Begin an exchange, perhaps with an initial response; None when there is no such mechanism."""
        self._mechanism = self._of(mechanism)
        return None if self._mechanism is None else self._mechanism.step(initial)

    def _of(self, name: str) -> Mechanism | None:
        binding = self._binding()
        if name == SCRAM:
            return Scram(self._nonce(), None, self._plus_offered())
        if name == SCRAM_PLUS and binding is not None:
            return Scram(self._nonce(), binding, plus_offered=True)
        begin = MECHANISMS.get(name)
        return None if begin is None else begin()

    def go_on(self, response: bytes) -> Step:
        """Take the response to a challenge of the mechanism that was begun."""
        assert self._mechanism is not None
        return self._mechanism.step(response)

    def salted(self, salt: bytes, iterations: int) -> Challenge:
        """Go on behind `Named`."""
        assert isinstance(self._mechanism, Scram)
        return self._mechanism.salted(salt, iterations)

    def proved(self, signature: bytes) -> Challenge:
        """Go on behind `Proven`: the proof was right."""
        assert isinstance(self._mechanism, Scram)
        return self._mechanism.proved(signature)
