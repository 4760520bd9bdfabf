"""A SASL login of one connection: what the mechanisms ask of the accounts, whatever the protocol."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailstead.accounts.logins import Admitted, Logins
from mailstead.accounts.opening import ScramProof
from mailstead.crypto.scram import ITERATIONS
from mailstead.net.wire import Wire
from mailstead.sasl.exchange import Exchange
from mailstead.sasl.mechanism import Challenge, Credentials, Done, Failed, Named, Proven, Step
from mailstead.sasl.mechanisms import SCRAM, SCRAM_PLUS, offered

T = TypeVar("T")
Enter = Callable[[str, bytes | ScramProof], Awaitable[Admitted[T]]]


@dataclass(frozen=True, slots=True)
class Entered(Generic[T]):
    """Somebody is in, by this name."""

    name: str
    what: T


class SaslLogin(Generic[T]):
    """The exchanges of one connection.

    Args:
        enter: Tries a name and what proves it; what it raises is raised here.
        leave: Lets go of what was entered, and never came to be used.
    """

    def __init__(self, logins: Logins, wire: Wire, enter: Enter[T], leave: Callable[[T], None]) -> None:
        self._logins = logins
        self._wire = wire
        self._enter = enter
        self._leave = leave
        self._pending: Entered[T] | None = None
        self.by_proof = False  # what was tried last, which the password of an account does not give
        self._exchange = Exchange(self._end_point, lambda: SCRAM_PLUS in self.mechanisms)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What is offered here and now."""
        return offered(scram=self._logins.scram_offered, bound=self._end_point() is not None)

    def _end_point(self) -> bytes | None:
        """What -PLUS binds to, where it is offered."""
        return self._wire.tls_end_point() if self._logins.scram_plus else None

    async def begin(self, mechanism: str, initial: bytes | None) -> bytes | Entered[T] | Failed | None:
        """Begin an exchange.

        Returns:
            A challenge, who is in, why nobody is, or None when there is no such mechanism.

        Raises:
            MailError: nobody gets in.
        """
        self.drop()
        if mechanism in (SCRAM, SCRAM_PLUS) and not self._logins.scram_taken:
            return None
        self.by_proof = mechanism in (SCRAM, SCRAM_PLUS)
        step = self._exchange.begin(mechanism, initial)
        return None if step is None else await self._take(step)

    async def go_on(self, response: bytes) -> bytes | Entered[T] | Failed:
        """Take a response, as `begin`."""
        return await self._take(self._exchange.go_on(response))

    def drop(self) -> None:
        """Let go of an exchange that was not finished."""
        if self._pending is not None:
            self._leave(self._pending.what)
            self._pending = None

    async def _take(self, step: Step) -> bytes | Entered[T] | Failed:
        match step:
            case Challenge():
                return step.octets
            case Credentials():
                name = step.user.decode("utf-8", "replace")
                return Entered(name, (await self._enter(name, step.password)).what)
            case Named():
                salt = await self._logins.scram_salt(step.user.decode())
                return self._exchange.salted(salt, ITERATIONS).octets
            case Proven():
                name = step.user.decode()
                admitted = await self._enter(name, ScramProof(step.message, step.proof))
                self._pending = Entered(name, admitted.what)
                return self._exchange.proved(admitted.signature).octets
            case Done():
                entered, self._pending = self._pending, None
                assert entered is not None, "what was proven was entered"
                return entered
            case Failed():
                self.drop()
                return step
