"""`mailstead key unlock` and `key lock`: commands that open mail ask for no password for a while."""

import re

import click

from mailstead.accounts.keyview import ShownKeys, show_keys
from mailstead.accounts.provision import Office
from mailstead.accounts.sessions import MOST_SECONDS, Session, begin_session, end_sessions
from mailstead.cli import sessions
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, time_of, when_login_fails
from mailstead.cli.secrets import credential_from, proof
from mailstead.config import Settings
from mailstead.crypto.slots import SlotType
from mailstead.errors import Exit, Trouble

_TIME = re.compile(r"([0-9]{1,5})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@click.command("unlock")
@click.argument("address")
@click.option(
    "--for", "time", default="10m", show_default=True, metavar="TIME", help="30s, 10m, 8h; 24h at most."
)
@proof
@json_option
@click.pass_obj
def unlock(
    config: str | None, address: str, time: str, password_file: str | None, words_file: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Prove who you are once: commands that open mail ask for no password for a while.

    `mail list|search|read|export --data` and `access-log` get a token that opens your mail and changes
    no key. It lies in memory, for you alone.
    """
    seconds = _seconds(time)
    where = sessions.folder(sessions.places())
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def act(office: Office, settings: Settings) -> tuple[str, Session, str]:
        canonical = address_of(address, settings)
        keys = await show_keys(office, canonical)
        with when_login_fails(_does_not_open(keys, words=words_file is not None)):
            session = await begin_session(office, canonical, credential, seconds)
        return canonical, session, str(sessions.keep(settings, canonical, session, where))

    user, session, file = with_office(config, f"{address} was not unlocked", act)
    if as_json:
        print_json({"address": user, "id": session.slot_id.hex()[:8], "expires": time_of(session.not_after),
                    "file": file})  # fmt: skip
        return
    click.echo(f"{user} is unlocked for you until {time_of(session.not_after)}.")
    click.echo(f"Undo: mailstead key lock {user}")


def _does_not_open(keys: ShownKeys, *, words: bool) -> Trouble:
    name = keys.address.partition("@")[0]
    what = "those words do" if words else "that password does"
    why, fix = _cause_by_words(keys) if words else _cause_by_password(keys)
    return Trouble(
        f"{what} not open {name}'s key", why=why, fix=fix, safe="nothing was changed",
        exit_code=Exit.WRONG_KEY,
    )  # fmt: skip


def _cause_by_words(keys: ShownKeys) -> tuple[str, str]:
    fix = f"use the password: mailstead key unlock {keys.address}"
    if not _made(keys, SlotType.RECOVERY):
        return "this account has no recovery words", fix
    return "they are not the twelve words of this account", fix


def _cause_by_password(keys: ShownKeys) -> tuple[str, str]:
    """Why a password is wrong, as far as the times tell at which ways in were made.

    A password that is younger than the words took the place of another. One that is not may be the
    first, of an invitation or a reset: both are made together then.
    """
    made, words = _made(keys, SlotType.PASSWORD), _made(keys, SlotType.RECOVERY)
    by_words = f"the 12 words: mailstead key recover {keys.address}"
    if not made and _made(keys, SlotType.INVITE):
        return "nobody has joined yet: it has no password", f"mailstead user join {keys.address}"
    if not made:
        return "it has no password", f"use {by_words}"
    if words and made > max(words, keys.created):
        day = time_of(made)[:10]
        return (
            f"the key was last re-wrapped {day}, after a password change",
            f"use the new password, or {by_words}",
        )
    if made > keys.created:
        return f"its password was set on {time_of(made)[:10]}", f"try again, or {by_words}"
    day = time_of(keys.created)[:10]
    return f"the account is of {day}, and its password is the first", f"try again, or {by_words}"


def _made(keys: ShownKeys, kind: SlotType) -> int:
    """When the newest way in of a kind was made; 0: there is none."""
    return max((w.created for w in keys.ways_in if w.type is kind and w.state == "active"), default=0)


@click.command("lock")
@click.argument("address")
@json_option
@click.pass_obj
def lock(config: str | None, address: str, as_json: bool) -> None:
    """End all sessions that `key unlock` began for an account; no password is needed."""

    async def act(office: Office, settings: Settings) -> tuple[str, int]:
        canonical = address_of(address, settings)
        sessions.forget(settings, canonical)
        return canonical, await end_sessions(office, canonical)

    user, ended = with_office(config, f"{address} was not locked", act)
    if as_json:
        print_json({"address": user, "ended": ended})
    else:
        click.echo(f"{user} is locked: {ended} sessions ended." if ended else f"{user} has no session.")


def _seconds(text: str) -> int:
    """How long a session is to last.

    Raises:
        Trouble: that is no time, or too long.
    """
    found = _TIME.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found is not None else 0
    if not 0 < seconds <= MOST_SECONDS:
        raise Trouble(f'a session does not last "{text}"', why="it lasts from 1s to 24h", fix="--for 10m",
                      exit_code=Exit.USAGE)  # fmt: skip
    return seconds
