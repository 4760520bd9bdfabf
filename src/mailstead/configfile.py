"""The file of settings: its tables and keys, and what is wrong with one, in words that name both."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mailstead.errors import Exit, Trouble

LATER = ("sieve", "https")

Octets = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Where = str | list[str] | None


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[listen]`: "host:port", or a list of them, for each service; absent: not served."""

    smtp: Where = None
    lmtp: Where = None
    submission: Where = None
    submissions: Where = None
    imap: Where = None
    imaps: Where = None
    pop3: Where = None
    pop3s: Where = None
    metrics: Where = None


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[tls]`: the certificate chain and its key, in PEM."""

    certificate: str
    key: str


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`."""

    message_octets: Count = 52_428_800
    quota_octets: Octets = 0
    recipients: Count = 100
    connections_per_address: Count = 50
    free_octets: Octets = 104_857_600


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[auth]`."""

    insecure_plaintext_login: bool = False
    scram: bool = True
    scram_plus: bool = True
    argon2_kib: Annotated[int, msgspec.Meta(ge=19456, le=1048576)] = 47104
    argon2_passes: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[seal]`."""

    lane_messages: Annotated[int, msgspec.Meta(ge=1, le=256)] = 256
    compress: Literal["all", "large", "none"] = "all"


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[storage]`."""

    database: str | None = None


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[keys]`."""

    file: str = "server.key"
    previous: list[str] = []


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[metrics]`."""

    token_file: str | None = None


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`."""

    addresses: bool = False
    level: Literal["debug", "info", "warning", "error"] = "info"


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    hostname: str
    domains: list[str]
    data: str = "data"
    workers: Octets = 0
    listen: Listen = Listen()
    tls: Tls | None = None
    limits: Limits = Limits()
    auth: Auth = Auth()
    seal: Seal = Seal()
    storage: Storage = Storage()
    keys: Keys = Keys()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()


def read_file(path: Path) -> File:
    """Read one file of settings.

    Raises:
        Trouble: it is wrong; file, table and key are named.
    """
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise bad(path, "", error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad(path, "", f"not TOML: {error}") from error
    listed: Any = found.get("listen")
    if isinstance(listed, dict):
        for name in LATER:
            if name in listed:
                raise bad(path, f"listen.{name}", "this version does not serve it yet")
    try:
        return msgspec.convert(found, File)
    except msgspec.ValidationError as error:
        raise _explain(path, str(error)) from error


_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?")
_ABSENT = re.compile(r"Object missing required field `([^`]*)`")
_AT = re.compile(r"(.*) - at `\$\.?([^`]*)`")


def _explain(path: Path, message: str) -> Trouble:
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        at = _AT.fullmatch(message)
        if absent := _ABSENT.match(message):
            return bad(path, f"{at[2]}.{absent[1]}" if at else absent[1], "there must be one")
        return bad(path, at[2] if at else "", at[1] if at else message)
    table = unknown[2] or ""
    known: dict[str, type[msgspec.Struct]] = {"": File, "listen": Listen, "tls": Tls, "limits": Limits}
    known |= {"auth": Auth, "seal": Seal, "storage": Storage, "keys": Keys, "log": LogSettings}
    known |= {"metrics": MetricsSettings}
    close = difflib.get_close_matches(unknown[1], known.get(table, File).__struct_fields__, 1)
    key = f"{table}.{unknown[1]}" if table else unknown[1]
    hint = f"unknown key; did you mean {close[0]}?" if close else "unknown key"
    return bad(path, key, hint)


def read_secret(path: Path, what: str, fix: str, absent: Exit = Exit.BAD_CONFIG) -> bytes:
    """The octets of a file that only the server's user may read.

    Args:
        what: What is in it, with its article.
        fix: What to do when it is not there.
        absent: How the command ends then.

    Raises:
        Trouble: it cannot be read, or others can read it, too.
    """
    try:
        mode = path.stat().st_mode
        octets = path.read_bytes()
    except OSError as error:
        raise Trouble(
            f"{what} {path} cannot be read", why=error.strerror or str(error), fix=fix, exit_code=absent
        ) from error
    if mode & 0o077:
        raise Trouble(
            f"{what} {path} can be read by others", why=f"its mode is {mode & 0o777:04o}",
            fix=f"chmod 600 {path}", exit_code=Exit.BAD_CONFIG,
        )  # fmt: skip
    return octets


def bad(path: Path, key: str, why: str) -> Trouble:
    """What to raise for *key*, dotted by its table, of the file *path*."""
    table, _, name = key.rpartition(".")
    where = f"[{table}] {name}" if table else name
    return Trouble(
        f"{path}: {where}".removesuffix(": ") if where else f"{path} cannot be used",
        why=why,
        fix="see docs/config.md",
        exit_code=Exit.BAD_CONFIG,
    )
