"""`mailstead access-log`: who got into an account, and who tried."""

import click

from mailstead.accounts.accessentries import Door, Outcome, peer_text
from mailstead.accounts.accessview import ShownEntry, ShownLog, show_access
from mailstead.accounts.provision import Office
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, print_table, time_of
from mailstead.cli.secrets import proof
from mailstead.cli.sessions import credential_for, unlocking
from mailstead.config import Settings
from mailstead.crypto.slots import kind_name
from mailstead.errors import Exit, Trouble, UnsealError

_DOORS = {Door.COMMAND: "local command", Door.IMAP: "imap", Door.POP3: "pop3", Door.SUBMISSION: "submission"}
_OUTCOMES = {Outcome.ENTERED: "in", Outcome.FAILED: "failed", Outcome.REFUSED: "refused"}


@click.command("access-log")
@click.option("--user", required=True, metavar="ADDRESS", help="Whose.")
@proof
@click.option("-n", "most", type=click.IntRange(min=1), metavar="N", help="The newest N.")
@json_option
@click.pass_obj
def command(
    config: str | None, user: str, password_file: str | None, words_file: str | None, most: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Who got into an account and who tried, newest first; the log is sealed to its owner.

    Logins by one way in, from one address, by one protocol within an hour are one line.
    """
    credential = credential_for(config, user, password_file, words_file)

    async def act(office: Office, settings: Settings) -> ShownLog:
        canonical = address_of(user, settings)
        try:
            with unlocking(settings, canonical, credential):
                return await show_access(office, canonical, credential)
        except UnsealError as error:
            raise Trouble(
                "this log is not what was stored", why=str(error),
                fix="restore a backup; nothing was changed or deleted", exit_code=Exit.WRONG_KEY,
            ) from error  # fmt: skip

    log = with_office(config, f"the access log of {user} cannot be opened", act)
    shown = log.entries[:most]
    if as_json:
        print_json([_as_json(one) for one in shown])
    else:
        print_table(
            ("last", "first", "times", "from", "by", "way in", "name", "result"),
            [_row(one) for one in shown],
            "Nobody has come in since the log began.",
        )
    if log.missed:
        click.echo(f"{log.missed} notes were not made by this server, or could not be opened.", err=True)


def _row(one: ShownEntry) -> tuple[str, ...]:
    entry = one.entry
    kind = kind_name(entry.slot_type) if entry.slot_type else ""
    return (
        time_of(entry.last), time_of(entry.first) if entry.first != entry.last else "", str(entry.count),
        peer_text(entry.peer) or "here", _DOORS[entry.door], f"{kind} {one.id}".strip(), one.name,
        _OUTCOMES[entry.outcome],
    )  # fmt: skip


def _as_json(one: ShownEntry) -> dict[str, object]:
    entry = one.entry
    way = {"id": one.id, "type": kind_name(entry.slot_type), "name": one.name or None}
    return {
        "first": time_of(entry.first),
        "last": time_of(entry.last),
        "count": entry.count,
        "from": peer_text(entry.peer) or None,
        "protocol": _DOORS[entry.door],
        "way_in": way if entry.slot_type else None,
        "result": _OUTCOMES[entry.outcome],
    }
