"""`mailstead status`: whether the server runs, whose keys it holds now, and in what kind of memory."""

import sys
from dataclasses import dataclass

import click

from mailstead.accounts.provision import Office
from mailstead.cli.office import with_office
from mailstead.cli.output import json_option, print_json, print_table, time_of
from mailstead.config import Settings
from mailstead.errors import Exit, Trouble
from mailstead.services.state import State, ask
from mailstead.store.accounts import addresses
from mailstead.store.database import Tx

_KINDS = {
    "memfd_secret": "secret memory (memfd_secret): no other process can read it, not even root's",
    "mlock": "locked memory: it is not swapped and in no core file; root can read it",
    "ordinary": "ordinary memory: it may be swapped",
}


@dataclass(frozen=True, slots=True)
class _Found:
    data: str
    workers: list[State]
    silent: list[int]
    names: dict[int, str]


@click.command("status")
@json_option
@click.pass_obj
def command(config: str | None, as_json: bool) -> None:
    """Whose mail is open now in the running server, by way in and protocol, worker by worker.

    Who only sends opens nothing and is not listed. Exit 4: a worker did not answer.
    """

    async def act(office: Office, settings: Settings) -> _Found:
        workers, silent = await ask(settings.data / "run")
        if not workers and not silent:
            raise Trouble(
                "no server runs here", why=f"nothing answers in {settings.data / 'run'}",
                fix="mailstead serve",
            )  # fmt: skip
        numbers = {one["account"] for worker in workers for one in worker["unlocked"]}
        names = await office.database.read(lambda tx: _names(tx, numbers))
        return _Found(str(settings.data), workers, silent, names)

    found = with_office(config, "the server cannot be asked", act)
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
    for pid in found.silent:
        click.echo(f"worker {pid} does not answer: see its log, or stop the server and start it", err=True)
    if found.silent:
        sys.exit(int(Exit.PROBLEMS_FOUND))


def _names(tx: Tx, numbers: set[int]) -> dict[int, str]:
    listed = {number: addresses(tx, number) for number in numbers}
    return {number: rows[0].address for number, rows in listed.items() if rows}


def _print(found: _Found) -> None:
    for worker in found.workers:
        keys, rows = worker["memory"]["keys"], worker["memory"]["rows"]
        click.echo(
            f"worker {worker['pid']} since {time_of(worker['since'])}, connections: {worker['connections']}"
        )
        click.echo(f"  keys are in {_KINDS.get(keys, keys)}")
        if rows != keys:
            click.echo(f"  keys of bodies: {_KINDS.get(rows, 'none are kept')}")
    click.echo()
    print_table(
        ("account", "way in", "by", "sessions", "since", "worker"),
        [
            (
                _name(found, one), one["way_in"], one["protocol"], str(one["sessions"]),
                time_of(one["since"]), str(worker["pid"]),
            )
            for worker in found.workers
            for one in worker["unlocked"]
        ],
        "Nobody's mail is open.",
    )  # fmt: skip


def _as_json(found: _Found) -> dict[str, object]:
    return {
        "data": found.data,
        "workers": [
            {
                "pid": worker["pid"],
                "since": time_of(worker["since"]),
                "connections": worker["connections"],
                "memory": worker["memory"],
                "unlocked": [
                    {
                        "address": _name(found, one), "way_in": one["way_in"], "protocol": one["protocol"],
                        "sessions": one["sessions"], "since": time_of(one["since"]),
                    }
                    for one in worker["unlocked"]
                ],
            }
            for worker in found.workers
        ],
        "silent": found.silent,
    }  # fmt: skip


def _name(found: _Found, one: State) -> str:
    return found.names.get(one["account"], f"account {one['account']}")
