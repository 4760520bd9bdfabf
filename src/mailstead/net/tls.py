"""TLS contexts: 1.2 or newer, forward secret and authenticated ciphers, reload without a gap."""

import ssl
import time
from pathlib import Path

from mailstead.crypto.certificate import end_point, good_until
from mailstead.errors import Exit, Trouble

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class BoundContext(ssl.SSLContext):
    """A context that knows what connections of its certificate are bound to (RFC 5929 section 4)."""

    end_point: bytes | None = None
    good_until = 0.0


class ServerTls:
    """The server's certificate, as it is now.

    Raises:
        Trouble: the files are missing, unreadable or do not fit together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self.context = self._load()

    def _load(self) -> BoundContext:
        context = BoundContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(self._certificate, self._key)
            pem = self._certificate.read_bytes()
            context.end_point, context.good_until = end_point(pem), good_until(pem)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise Trouble(
                f"the certificate {self._certificate} cannot be used",
                why=f"with key {self._key}: {error}",
                fix="check [tls] certificate and key; `mailstead init` makes a self-signed pair",
                exit_code=Exit.BAD_CONFIG,
            ) from error
        return context

    def from_the_start(self) -> ssl.SSLContext:
        """For a listener where TLS begins with the connection; each gets the certificate as it is then."""
        context = self._load()

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
            connection.context = self.context

        context.sni_callback = choose
        return context

    @property
    def good_until(self) -> float:
        """When the certificate in use expires, in seconds since the epoch."""
        return self.context.good_until

    def check_date(self) -> None:
        """See that the certificate has not expired.

        Raises:
            Trouble: it has: whoever checks it would not send us mail.
        """
        until = good_until(self._certificate.read_bytes())
        if until <= time.time():
            raise Trouble(
                f"the certificate {self._certificate} has expired",
                why=f"it was good until {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(until))}",
                fix="put a new one in its place",
                exit_code=Exit.BAD_CONFIG,
            )

    def reload(self) -> None:
        """Read the files again; the old certificate stays when they cannot be used.

        Raises:
            Trouble: they cannot.
        """
        context = self._load()
        self.check_date()
        self.context = context
