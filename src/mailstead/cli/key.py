"""`mailstead key`: an account's keys, and the ways to them."""

import re
from datetime import UTC, date, datetime, time, timedelta

import click

from mailstead.accounts import apppasswords
from mailstead.accounts.apppasswords import SCOPES, NewAppPassword, WayIn
from mailstead.accounts.keyview import ShownKeys, show_keys
from mailstead.accounts.provision import Office
from mailstead.cli import recover
from mailstead.cli.escrow import escrow
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, print_table, time_of
from mailstead.cli.rotate import rotate
from mailstead.cli.secrets import credential_from, proof
from mailstead.cli.unlock import lock, unlock
from mailstead.config import Settings
from mailstead.crypto.slots import SESSION, Scope, SlotType, kind_name
from mailstead.errors import Exit, Reason, Refused, Trouble
from mailstead.store.slots import any_app_password

_DAYS = re.compile(r"([0-9]{1,5})d")
_SCOPE_NAMES = {scope: name for name, scope in SCOPES.items()} | {SESSION: "read, change"}


@click.group("key")
def command() -> None:
    """Keys and ways to them: show, unlock, lock, rotate, recover, revoke; words, app passwords, escrow."""


for _command in (rotate, recover.recover, recover.words, escrow, unlock, lock):
    command.add_command(_command)


@command.group("app")
def app() -> None:
    """App passwords, one for each mail program: add, list, remove."""


@command.command("show")
@click.argument("address")
@json_option
@click.pass_obj
def show(config: str | None, address: str, as_json: bool) -> None:
    """An account's key, and the ways to it; no password is needed, so app passwords have no names here."""

    async def act(office: Office, settings: Settings) -> ShownKeys:
        return await show_keys(office, address_of(address, settings))

    shown = with_office(config, f"the keys of {address} cannot be shown", act)
    if as_json:
        print_json(_shown_as_json(shown))
        return
    for name, value in (
        ("address", shown.address),
        ("fingerprint", shown.fingerprint),
        ("made", time_of(shown.created)),
        ("cipher", "X-Wing (ML-KEM-768 with X25519), AES-256-GCM"),
        ("generation", f"root {shown.root_gen}, read {shown.read_gen}, epoch {shown.epoch}"),
    ):
        click.echo(f"{name:12} {value}")
    click.echo()
    print_table(
        ("id", "way in", "scope", "since", "expires", "last used", "state"),
        [
            (
                w.id, kind_name(w.type), _scope(w.scope), _day(w.created), _day(w.not_after),
                _day(w.last_used), w.state,
            )
            for w in shown.ways_in
        ],
        "Nothing opens this account.",
    )  # fmt: skip


def _shown_as_json(shown: ShownKeys) -> dict[str, object]:
    return {
        "address": shown.address,
        "account": shown.account,
        "fingerprint": shown.fingerprint,
        "created": time_of(shown.created),
        "epoch": shown.epoch,
        "root_generation": shown.root_gen,
        "read_generation": shown.read_gen,
        "ways_in": [
            {
                "id": w.id, "type": kind_name(w.type), "scope": _scope(w.scope),
                "created": time_of(w.created), "expires": _time(w.not_after),
                "last_used": _day(w.last_used) or None, "state": w.state,
            }
            for w in shown.ways_in
        ],
    }  # fmt: skip


@command.command("revoke")
@click.argument("address")
@click.argument("way")
@proof
@click.pass_obj
def revoke(
    config: str | None, address: str, way: str, password_file: str | None, words_file: str | None
) -> None:
    """Take a WAY in away, by its name or by the id that `key show` gives; its sessions end."""
    _revoke(config, address, way, password_file, words_file, apps_only=False)


def _revoke(
    config: str | None, address: str, way: str, password_file: str | None, words_file: str | None,
    *, apps_only: bool,
) -> None:  # fmt: skip
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def act(office: Office, settings: Settings) -> WayIn:
        canonical = address_of(address, settings)
        try:
            return await apppasswords.revoke(office, canonical, credential, way, apps_only=apps_only)
        except Refused as refused:
            if not apps_only or refused.reason is not Reason.NO_SUCH_WAY_IN:
                raise
            raise Trouble(f'"{way}" was not revoked', why="no app password has this name or id",
                          fix=f"mailstead key app list {canonical}") from refused  # fmt: skip

    gone = with_office(config, f'"{way}" was not revoked', act)
    click.echo(f'"{gone.name}" opens nothing any more.')
    if Scope.READ in gone.scope:
        click.echo("All sessions of the account end within 5 s; its other ways in are as they were.")


@app.command("add")
@click.argument("address")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(list(SCOPES)), default="full", show_default=True,
    help="What it is for: reading, changing and sending mail; only reading; only sending.",
)  # fmt: skip
@click.option("--expires", metavar="DATE|Nd", help="The last day on which it is good (UTC), or in N days.")
@proof
@json_option
@click.pass_obj
def add(
    config: str | None,
    address: str,
    name: str,
    scope: str,
    expires: str | None,
    password_file: str | None,
    words_file: str | None,
    as_json: bool,
) -> None:
    """Make an app password called NAME, and show it, once."""
    not_after = 0 if expires is None else _end_of(expires)
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def act(office: Office, settings: Settings) -> tuple[str, NewAppPassword, bool]:
        canonical = address_of(address, settings)
        first = settings.file.auth.scram and not await office.database.read(any_app_password)
        try:
            made = await apppasswords.add_app_password(
                office, canonical, credential, name, SCOPES[scope], not_after
            )
            return canonical, made, first
        except ValueError as error:
            raise Trouble("that cannot be a name", why=str(error), fix="choose another",
                          exit_code=Exit.USAGE) from error  # fmt: skip

    user, made, first = with_office(config, f'the app password "{name}" was not made', act)
    if as_json:
        print_json(
            {
                "address": user, "name": made.name, "id": made.locator, "scope": scope,
                "expires": _time(not_after), "password": made.octets.decode(),
            }
        )  # fmt: skip
        return
    click.echo(f"{made.octets.decode()}\n")
    until = f" until {_day(not_after - 1)}" if not_after else ""
    click.echo(f'"{made.name}" logs in as {user} with this password{until}: {_MAY[scope]}. It is shown once.')
    click.echo(f"Undo: mailstead key app remove {user} {made.locator}")
    if first:
        click.echo(
            "It is the first one here: mail programs are offered SCRAM from now on. One that chooses it by\n"
            "itself needs an app password, or to be told PLAIN (docs/interop.md)."
        )


_MAY = {
    "full": "it reads, changes and sends mail, and changes no keys",
    "read-only": "it reads mail, and the server lets it change nothing",
    "submit-only": "it sends mail, and cannot open any",
}


@app.command("list")
@click.argument("address")
@proof
@json_option
@click.pass_obj
def list_(
    config: str | None, address: str, password_file: str | None, words_file: str | None, as_json: bool
) -> None:
    """The app passwords of an account with their names, which only their owner can read."""
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def act(office: Office, settings: Settings) -> list[WayIn]:
        ways = await apppasswords.ways_in(office, address_of(address, settings), credential)
        return [w for w in ways if w.type is SlotType.APP_PASSWORD]

    found = with_office(config, f"the app passwords of {address} cannot be listed", act)
    if as_json:
        print_json([_app_as_json(way) for way in found])
        return
    print_table(
        ("name", "id", "scope", "since", "expires", "last used"),
        [
            (w.name, w.id, _scope(w.scope), _day(_created(w)), _day(w.not_after), _day(_last_used(w)))
            for w in found
        ],
        f"There are none yet: mailstead key app add {address} NAME",
    )


def _app_as_json(way: WayIn) -> dict[str, object]:
    return {
        "name": way.name,
        "id": way.id,
        "scope": _scope(way.scope),
        "created": _time(_created(way)),
        "expires": _time(way.not_after),
        "last_used": _day(_last_used(way)) or None,
    }


@app.command("remove")
@click.argument("address")
@click.argument("name")
@proof
@click.pass_obj
def remove(
    config: str | None, address: str, name: str, password_file: str | None, words_file: str | None
) -> None:
    """Revoke the app password called NAME, or with that id."""
    _revoke(config, address, name, password_file, words_file, apps_only=True)


def _created(way: WayIn) -> int:
    return 0 if way.row is None else way.row.created


def _last_used(way: WayIn) -> int:
    return 0 if way.row is None else way.row.last_used


def _scope(scope: Scope) -> str:
    return "all, and keys" if Scope.KEYS in scope else _SCOPE_NAMES.get(scope, "unknown")


def _time(seconds: int) -> str | None:
    return time_of(seconds) if seconds else None


def _day(seconds: int) -> str:
    return time_of(seconds)[:10] if seconds else ""


def _end_of(text: str) -> int:
    """When what is good on a last day, or for some days, is so no more.

    Raises:
        Trouble: it is neither, or that is past.
    """
    now = datetime.now(UTC)
    days = _DAYS.fullmatch(text)
    try:
        if days is not None:
            end = now + timedelta(days=int(days[1]))
        else:
            end = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError) as error:
        raise Trouble(f'"{text}" is no date', why=str(error), fix="--expires 2027-01-31, or --expires 90d",
                      exit_code=Exit.USAGE) from error  # fmt: skip
    if end <= now:
        raise Trouble(f"{text} is past", why="it would open nothing", fix="choose a later day",
                      exit_code=Exit.USAGE)  # fmt: skip
    return int(end.timestamp())
