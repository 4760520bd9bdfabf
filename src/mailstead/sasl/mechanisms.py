"""The mechanisms there are, by the names the protocols advertise."""

from mailstead.sasl.login import Login
from mailstead.sasl.mechanism import Begin
from mailstead.sasl.plain import Plain

MECHANISMS: dict[str, Begin] = {"PLAIN": Plain, "LOGIN": Login}  # by password
SCRAM, SCRAM_PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"


def offered(*, scram: bool, bound: bool) -> tuple[str, ...]:
    """What is offered on a connection.

    Args:
        scram: There are app passwords, which SCRAM is for.
        bound: TLS gives a channel binding.
    """
    if not scram:
        return tuple(MECHANISMS)
    return (*((SCRAM_PLUS,) if bound else ()), SCRAM, *MECHANISMS)
