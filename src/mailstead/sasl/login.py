"""LOGIN: name, then password; obsolete, undocumented, and what some programs have only."""

from mailstead.sasl.mechanism import RESPONSE_OCTETS, Challenge, Credentials, Failed, Step


class Login:
    """Asks twice, in the words that programs expect; an initial response is the name."""

    def __init__(self) -> None:
        self._user: bytes | None = None

    def step(self, response: bytes | None) -> Step:
        """Take the name, then the password."""
        if response is None:
            return Challenge(b"Username:")
        if len(response) > RESPONSE_OCTETS or b"\0" in response:
            return Failed(malformed=True)
        if self._user is None:
            if not response:
                return Failed(malformed=True)
            self._user = response
            return Challenge(b"Password:")
        return Credentials(self._user, response)
