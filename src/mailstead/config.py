"""The settings: one TOML file, checked whole, and what each floor is told of it.

A key that nobody knows is an error that names file, table and key.
"""

import os
import re
from pathlib import Path

from mailstead.configfile import File, Listen, Where, bad, read_file, read_secret
from mailstead.crypto.serverkey import ServerKey
from mailstead.delivery.reception import DeliverySettings
from mailstead.errors import Exit, Trouble
from mailstead.mail.address import AddressError, canonical_domain, parse_mailbox
from mailstead.net.listen import is_loopback
from mailstead.services.mailtransaction import SmtpSettings
from mailstead.services.worker import IMPLICIT, WorkerSettings
from mailstead.store.opening import StoreSettings

PLACES = ("./mailstead.toml", "/etc/mailstead.toml")
VARIABLE = "MAILSTEAD_CONFIG"
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=-]{20,512}")  # RFC 6750 section 2.1
_MAKE = "mailstead init DIR --hostname H --domain D, then --config DIR/mailstead.toml"


class Settings:
    """The settings of one file, and what each floor is told of them."""

    def __init__(self, path: Path, file: File) -> None:
        self.path = path
        self.file = file
        self.folder = path.parent
        try:
            self.domains = tuple(dict.fromkeys(_domain(d) for d in file.domains))
        except AddressError as error:
            raise bad(path, "domains", str(error)) from error
        try:
            _domain(file.hostname)
        except AddressError as error:
            raise bad(path, "hostname", str(error)) from error
        if not self.domains:
            raise bad(path, "domains", "there must be at least one")

    def at(self, name: str) -> Path:
        """A path of the file, which is relative to it."""
        return (self.folder / name).resolve()

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.at(self.file.data)

    @property
    def workers(self) -> int:
        """How many processes serve."""
        return self.file.workers or os.cpu_count() or 1

    def listeners(self) -> list[tuple[str, str, int]]:
        """Service, host and port of every listener.

        Raises:
            Trouble: one is not host:port.
        """
        found: list[tuple[str, str, int]] = []
        for name in Listen.__struct_fields__:
            value: Where = getattr(self.file.listen, name)
            for text in [value] if isinstance(value, str) else value or []:
                host, port = _host_port(self.path, name, text)
                found.append((name, host, port))
                if name == "metrics" and self.file.metrics.token_file is None and not is_loopback(host):
                    raise Trouble(
                        f"{self.path}: [listen] metrics is {text}, and there is no token",
                        why="whoever reaches that address could read how much mail goes in and out",
                        fix='metrics = "127.0.0.1:9188", or a token: [metrics] token_file = "metrics.token"',
                        exit_code=Exit.BAD_CONFIG,
                    )
            if value and name in IMPLICIT and self.file.tls is None:
                raise bad(self.path, f"listen.{name}", "it needs [tls] certificate and key")
        return found

    def store(self) -> StoreSettings:
        """For `store/`."""
        return StoreSettings(self.data, self.file.storage.database)

    def worker(self) -> WorkerSettings:
        """For `services/`."""
        file = self.file
        return WorkerSettings(
            SmtpSettings(file.hostname, file.limits.message_octets, file.limits.recipients),
            DeliverySettings(
                file.hostname, self.domains, self.data, file.limits.free_octets, file.seal.compress,
                file.seal.lane_messages,
            ),
            file.limits.connections_per_address, file.auth.insecure_plaintext_login, file.auth.scram,
            file.auth.scram_plus, self.metrics_token(),
        )  # fmt: skip

    def metrics_token(self) -> bytes | None:
        """What whoever reads the metrics must have; None: nothing.

        Raises:
            Trouble: its file is missing, readable by others, or holds no token.
        """
        name = self.file.metrics.token_file
        if name is None:
            return None
        path = self.at(name)
        make = f"(umask 077; openssl rand -hex 32 > {path})"
        token = read_secret(path, "the metrics token", make).removesuffix(b"\n").removesuffix(b"\r")
        if not _TOKEN.fullmatch(token):
            raise Trouble(
                f"{path} is not a metrics token",
                why="it must be one line of 20 to 512 letters, digits and -._~+/=",
                fix=make, exit_code=Exit.BAD_CONFIG,
            )  # fmt: skip
        return token

    def server_key(self) -> ServerKey:
        """The server's own secret.

        Raises:
            Trouble: a file is missing, readable by others, or not a key.
        """
        octets = [self._key(name) for name in (self.file.keys.file, *self.file.keys.previous)]
        return ServerKey(octets[0], tuple(octets[1:]))

    def _key(self, name: str) -> bytes:
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        path = self.at(name)
        if credentials is not None and not path.exists():
            path = Path(credentials) / Path(name).name
        fix = "set [keys] file, or restore it from your backup; it is never made anew"
        octets = read_secret(path, "the server key", fix, Exit.WRONG_KEY)
        if len(octets) != 32:
            raise Trouble(
                f"{path} is not a server key", why=f"it has {len(octets)} octets instead of 32",
                fix="restore it from your backup", exit_code=Exit.WRONG_KEY,
            )  # fmt: skip
        return octets


def load(given: str | None) -> Settings:
    """Find and read the settings: *given*, the environment, or the usual places.

    Raises:
        Trouble: there are none, or they are wrong.
    """
    return read(_find(given))


def _find(given: str | None) -> Path:
    named = given or os.environ.get(VARIABLE)
    if named:
        path = Path(named)
        if path.is_dir():
            path /= "mailstead.toml"
        if not path.is_file():
            why = f"{'--config' if given else VARIABLE} names it"
            raise Trouble(f"there is no {path}", why=why, fix=_MAKE, exit_code=Exit.BAD_CONFIG)
        return path.resolve()
    for place in PLACES:
        if Path(place).is_file():
            return Path(place).resolve()
    why = f"neither --config, {VARIABLE}, {' nor '.join(PLACES)}"
    raise Trouble("there are no settings", why=why, fix=_MAKE, exit_code=Exit.BAD_CONFIG)


def read(path: Path) -> Settings:
    """Read one file of settings.

    Raises:
        Trouble: it is wrong; file, table and key are named.
    """
    settings = Settings(path, read_file(path))
    settings.listeners()
    return settings


def _domain(name: str) -> str:
    canonical = canonical_domain(name)
    parse_mailbox(f"x@{canonical}".encode())
    return canonical


def _host_port(path: Path, name: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise bad(path, f"listen.{name}", f'"{text}" is not "host:port"')
    return host, int(port)
