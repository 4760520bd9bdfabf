"""`mailstead user`: who lives here."""

import click

from mailstead.accounts import provision
from mailstead.accounts.listing import Listed, ListedArchive, list_accounts
from mailstead.accounts.newways import change_password
from mailstead.accounts.provision import Office
from mailstead.cli import join
from mailstead.cli.asking import need_terminal
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, print_table, time_of
from mailstead.cli.secrets import credential_from, new_password_from
from mailstead.cli.words import show_words_of
from mailstead.config import Settings
from mailstead.errors import Reason, Refused
from mailstead.store.accounts import ACTIVE, DISABLED


@click.group("user")
def command() -> None:
    """Who lives here: add, invite, join, list, show, disable, enable, remove, reset; change a password."""


command.add_command(join.invite)
command.add_command(join.join)
command.add_command(join.reset)


_password_file = click.option(
    "--password-file", metavar="F|-", help="Read the password from a file, or from standard input."
)


@command.command("add")
@click.argument("address")
@_password_file
@click.option(
    "--quota",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Octets of sealed mail; 0: the settings' quota.",
)
@json_option
@click.pass_obj
def add(config: str | None, address: str, password_file: str | None, quota: int, as_json: bool) -> None:
    """Let somebody move in.

    Prints the twelve recovery words, once: they open the mail when the password is lost.
    """
    password = new_password_from(password_file, f"Password for {address}", "--password-file")

    async def act(office: Office, settings: Settings) -> provision.NewAccount:
        canonical = address_of(address, settings)
        octets = quota or settings.file.limits.quota_octets
        return await provision.create_account(office, canonical, password, octets)

    made = with_office(config, f"{address} was not added", act)
    if as_json:
        words = list(made.words)
        print_json({"address": made.address, "account": made.uuid.hex(), "recovery_words": words})
        return
    click.echo(f"{made.address} lives here now.\n")
    show_words_of(made.address, made.words)


@command.command("list")
@json_option
@click.pass_obj
def list_(config: str | None, as_json: bool) -> None:
    """Everybody who lives here."""
    found = with_office(config, "the accounts cannot be listed", _everybody)
    if as_json:
        print_json([_as_json(account) for account in found])
        return
    print_table(
        ("address", "messages", "octets", "state"),
        [(a.address, str(a.messages), str(a.used_octets), _state(a)) for a in found],
        "Nobody lives here yet: mailstead user add ADDRESS",
    )


async def _everybody(office: Office, _: Settings) -> list[Listed]:
    return await list_accounts(office.database)


@command.command("show")
@click.argument("address")
@json_option
@click.pass_obj
def show(config: str | None, address: str, as_json: bool) -> None:
    """One account: its addresses, how full it is, the ways in."""

    async def act(office: Office, settings: Settings) -> Listed:
        canonical = address_of(address, settings)
        for account in await list_accounts(office.database):
            if canonical in (account.address, *account.aliases):
                return account
        raise Refused(Reason.NO_SUCH_ACCOUNT)

    account = with_office(config, f"{address} cannot be shown", act)
    if as_json:
        print_json(_as_json(account))
        return
    for name, value in (
        ("address", account.address),
        ("aliases", ", ".join(account.aliases)),
        ("state", _state(account)),
        ("since", time_of(account.created)),
        ("messages", str(account.messages)),
        ("octets", f"{account.used_octets} of {account.quota_octets or 'any number'}"),
        ("ways in", ", ".join(account.ways_in)),
        *(("archive", _archive(archive)) for archive in account.archives),
    ):
        click.echo(f"{name:9} {value}")


def _archive(archive: ListedArchive) -> str:
    opened = " or ".join(archive.opened_by) or "nothing"
    return f"{archive.messages} messages, locked since {time_of(archive.created)}, opened by {opened}"


def _state(account: Listed) -> str:
    return "disabled" if account.disabled else "active"


def _as_json(account: Listed) -> dict[str, object]:
    return {
        "address": account.address,
        "aliases": list(account.aliases),
        "account": account.account,
        "state": _state(account),
        "created": time_of(account.created),
        "messages": account.messages,
        "used_octets": account.used_octets,
        "quota_octets": account.quota_octets,
        "ways_in": list(account.ways_in),
        "archives": [
            {"created": time_of(a.created), "messages": a.messages, "opened_by": list(a.opened_by)}
            for a in account.archives
        ],
    }


@command.command("disable")
@click.argument("address")
@click.pass_obj
def disable(config: str | None, address: str) -> None:
    """Nobody gets in, and no mail is accepted; nothing is deleted."""
    _set_status(config, address, DISABLED)
    click.echo(f"{address} is disabled. Undo: mailstead user enable {address}")


@command.command("enable")
@click.argument("address")
@click.pass_obj
def enable(config: str | None, address: str) -> None:
    """Undo `disable`."""
    _set_status(config, address, ACTIVE)
    click.echo(f"{address} is active.")


def _set_status(config: str | None, address: str, status: int) -> None:
    async def act(office: Office, settings: Settings) -> None:
        await provision.set_status(office, address_of(address, settings), status)

    with_office(config, f"{address} was not changed", act)


@command.command("remove")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(config: str | None, address: str, yes: bool) -> None:
    """Delete an account, its keys and all its mail, for good."""
    if not yes:
        question = f"Delete {address} and all its mail? Nothing brings it back"
        need_terminal(question, "--yes, not to be asked")
        click.confirm(question, abort=True, err=True)

    async def act(office: Office, settings: Settings) -> None:
        await provision.remove_account(office, address_of(address, settings))

    with_office(config, f"{address} was not removed", act)
    click.echo(f"{address} is gone.")


@command.command("password")
@click.argument("address")
@_password_file
@click.option("--words-file", metavar="F|-", help="Prove who you are with the recovery words instead.")
@click.option("--new-password-file", metavar="F|-", help="Read the new password from a file.")
@click.option("--compromised", is_flag=True, help="Somebody else may know the old one: rotate all keys, too.")
@click.pass_obj
def password(
    config: str | None,
    address: str,
    password_file: str | None,
    words_file: str | None,
    new_password_file: str | None,
    compromised: bool,
) -> None:
    """Change a password, with the old one or the recovery words; no mail is lost.

    The first change rotates the keys, too, since whoever let you in knew the password before.
    """
    credential = credential_from(password_file, words_file, "Present password")
    new = new_password_from(new_password_file, "New password")

    async def act(office: Office, settings: Settings) -> bool:
        canonical = address_of(address, settings)
        return await change_password(office, canonical, credential, new, compromised=compromised)

    rotated = with_office(config, f"the password of {address} was not changed", act)
    click.echo(f"The password of {address} is changed.")
    if rotated:
        click.echo(
            "Its keys are, too: the old password opens nothing that comes from now on, in no old copy."
        )
