"""`mailstead key rotate`: new keys, and everything sealed again under them."""

import asyncio
from dataclasses import dataclass

import click

from mailstead.accounts import rotation
from mailstead.accounts.accesslog import take_in
from mailstead.accounts.provision import Office
from mailstead.accounts.resealing import left_to_reseal, reseal_once
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import Progress, json_option, print_json
from mailstead.cli.secrets import credential_from, proof
from mailstead.config import Settings
from mailstead.store.records import LostRace


@dataclass(frozen=True, slots=True)
class _Done:
    address: str
    root_gen: int
    epoch: int
    carried_over: int
    sealed_again: int


@click.command("rotate")
@click.argument("address")
@proof
@json_option
@click.pass_obj
def rotate(
    config: str | None, address: str, password_file: str | None, words_file: str | None, as_json: bool
) -> None:
    """Give an account new keys: an old copy of the old ones opens nothing that comes from now on.

    All ways in stay as they are. Mail flows meanwhile. What this command does not finish, the owner's next
    session does.
    """
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def act(office: Office, settings: Settings) -> _Done:
        canonical = address_of(address, settings)
        rotated = await rotation.rotate(office, canonical, credential)
        if not as_json:
            click.echo(f"{canonical} has new keys: root {rotated.root_gen}, epoch {rotated.epoch}.")
            click.echo(f"{rotated.carried_over} ways in open them as before; all sessions end within 5 s.")
        try:
            total = await _reseal(office, rotated)
        finally:
            rotated.keys.close()
        return _Done(canonical, rotated.root_gen, rotated.epoch, rotated.carried_over, total)

    done = with_office(config, f"the keys of {address} were not rotated", act)
    if as_json:
        print_json({"address": done.address, "root_generation": done.root_gen, "epoch": done.epoch,
                    "carried_over": done.carried_over, "sealed_again": done.sealed_again})  # fmt: skip
        return
    click.echo(f"{done.sealed_again:,} rows and records are sealed again under them.")


async def _reseal(office: Office, rotated: rotation.Rotated) -> int:
    """Seal everything again; how many rows and records there were."""
    total = await left_to_reseal(office.database, rotated.keys)
    progress = Progress("Sealed again", total)
    going = bool(total)
    while going:
        try:
            going = await reseal_once(office.database, rotated.keys)
        except LostRace:  # the owner's session is at it, too
            await asyncio.sleep(0.05)
        progress.reach(total - await left_to_reseal(office.database, rotated.keys))
    progress.end()
    await take_in(office.database, rotated.keys)  # what was noted under the old key needs it no more
    return total
