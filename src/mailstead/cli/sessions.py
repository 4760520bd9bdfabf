"""Tokens of sessions: kept where memory is, for whoever ran `key unlock`, and used when no password is given.

A token is a file of its own in a folder that only its user can enter, on a tmpfs: it is gone with
the machine's memory, and reaches no disk but by swap (docs/security.md).
"""

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailstead.cli.office import address_of
from mailstead.cli.secrets import credential_from
from mailstead.config import Settings, load
from mailstead.errors import Exit, Reason, Refused, Trouble

if TYPE_CHECKING:
    from mailstead.accounts.opening import Credential
    from mailstead.accounts.sessions import Session

_MEMORY = ("tmpfs", "ramfs")


def places() -> list[Path]:
    """Where a token may lie, the best place first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return [*([Path(runtime)] if runtime else []), Path(f"/run/user/{os.getuid()}"), Path("/dev/shm")]  # noqa: S108  # checked


def credential_for(
    config: str | None, user: str, password_file: str | None, words_file: str | None = None
) -> "Credential":
    """What an owner proves himself with here: what he names, else his session, else what he types.

    Raises:
        Trouble: there is none, or it cannot be one.
    """
    if password_file is None and words_file is None:
        settings = load(config)
        kept = find(settings, address_of(user, settings))
        if kept is not None:
            return kept.credential()
    return credential_from(password_file, words_file, f"Password for {user}")


@contextlib.contextmanager
def unlocking(settings: Settings, address: str, credential: "Credential") -> Generator[None]:
    """See that a session that opens nothing any more is called that, and forgotten."""
    from mailstead.crypto.slots import SlotType  # noqa: PLC0415  # imported late

    try:
        yield
    except Refused as refused:
        if credential.type is not SlotType.SESSION or refused.reason is not Reason.LOGIN_FAILED:
            raise
        forget(settings, address)
        raise Trouble(
            f"the session of {address} is over",
            why="it was ended, or the keys or the password were changed since",
            fix=f"mailstead key unlock {address}, or --password-file F",
            exit_code=Exit.WRONG_KEY,
        ) from refused


def keep(settings: Settings, address: str, session: "Session", where: Path) -> Path:
    """Keep a session's token in a folder that `folder` found; the file it is in.

    Raises:
        OSError: it cannot be written.
    """
    path = where / _name(settings, address)
    text = f"{session.slot_id.hex()} {session.token.hex()} {session.not_after}\n"
    part = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    part.rename(path)
    return path


def find(settings: Settings, address: str) -> "Session | None":
    """The session that is kept for an address, unless its time is over."""
    from mailstead.accounts.sessions import Session  # noqa: PLC0415  # imported late

    for place in places():
        path = place / _folder() / _name(settings, address)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        with os.fdopen(fd, "rb") as file:
            if not _is_own(os.fstat(fd)):  # others could have read or written it
                continue
            words = file.read(256).split()
        try:
            slot_id, token, not_after = (
                bytes.fromhex(words[0].decode()),
                bytes.fromhex(words[1].decode()),
                int(words[2]),
            )
        except (ValueError, IndexError):
            continue
        if time.time() < not_after:
            return Session(slot_id, not_after, token)
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def forget(settings: Settings, address: str) -> bool:
    """Delete the token that is kept for an address; whether there was one."""
    found = False
    for place in places():
        with contextlib.suppress(OSError):
            (place / _folder() / _name(settings, address)).unlink()
            found = True
    return found


def folder(where: Sequence[Path]) -> Path:
    """A folder for tokens that only this user can enter, in the first place that is memory.

    Raises:
        Trouble: none is.
    """
    for place in where:
        if filesystem(place) not in _MEMORY:
            continue
        made = place / _folder()
        try:
            with contextlib.suppress(FileExistsError):
                made.mkdir(mode=0o700)
            if _is_own(made.lstat()):
                return made
        except OSError:
            continue
    names = ", ".join(str(place) for place in where)
    raise Trouble(
        "there is no place for the session's token",
        why=f"none of {names} is a tmpfs in which you can have a folder of your own; on a disk it would stay",
        fix="set XDG_RUNTIME_DIR to a folder on a tmpfs, or give --password-file with each command",
    )


def filesystem(path: Path) -> str:
    """The kind of file system that a folder is on; empty when it is not there."""
    try:
        device = path.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2].split()[0] for line in mounts if line.split()[2] == wanted]
    return kinds[-1] if kinds else ""


def _is_own(found: os.stat_result) -> bool:
    """Whether a file or folder is this user's alone, and no link to what is another's."""
    alone = found.st_uid == os.getuid() and not found.st_mode & 0o077
    return alone and (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))


def _folder() -> str:
    return f"mailstead-{os.getuid()}"


def _name(settings: Settings, address: str) -> str:
    """Of one account of one server; it says of neither who it is."""
    return hashlib.sha256(f"{settings.data}\0{address}".encode()).hexdigest()[:32]
