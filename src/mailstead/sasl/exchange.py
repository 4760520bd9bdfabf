"""The SASL exchange of one connection: which mechanism was begun, and what comes next."""

from mailstead.sasl.mechanism import Mechanism, Step
from mailstead.sasl.mechanisms import MECHANISMS


class Exchange:
    """At most one mechanism at a time."""

    def __init__(self) -> None:
        self._mechanism: Mechanism | None = None

    def begin(self, mechanism: str, initial: bytes | None) -> Step | None:
        """Begin an exchange, perhaps with an initial response; None when there is no such mechanism."""
        begin = MECHANISMS.get(mechanism)
        if begin is None:
            return None
        self._mechanism = begin()
        return self._mechanism.step(initial)

    def go_on(self, response: bytes) -> Step:
        """Take the response to a challenge of the mechanism that was begun."""
        assert self._mechanism is not None
        return self._mechanism.step(response)
