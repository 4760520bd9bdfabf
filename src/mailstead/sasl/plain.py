"""PLAIN: name and password in one response (RFC 4616)."""

from mailstead.sasl.mechanism import RESPONSE_OCTETS, Challenge, Credentials, Failed, Step


class Plain:
    """message = [authzid] NUL authcid NUL passwd.

    Nobody acts for another: an authorization identity must be the name itself, or empty.
    """

    def step(self, response: bytes | None) -> Step:
        """Take the response; without one, ask for it."""
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(response) > RESPONSE_OCTETS or len(parts) != 3 or not parts[1]:
            return Failed(malformed=True)
        authorized, user, password = parts
        if authorized not in (b"", user):
            return Failed(malformed=False)
        return Credentials(user, password)
