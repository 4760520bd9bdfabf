"""`mailstead key escrow`: a key that an organisation keeps offline, to let people back in."""

from pathlib import Path

import click

from mailstead.accounts.escrow import EscrowSeed, grant, let_back_in
from mailstead.accounts.newways import Invitation
from mailstead.accounts.provision import Office
from mailstead.cli.join import show_invitation
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, time_of, when_login_fails
from mailstead.cli.secrets import credential_from, proof, read_secret
from mailstead.cli.shares import escrow_options, seed_from, shares_of, write_key
from mailstead.config import Settings
from mailstead.crypto.escrow import EscrowKey, new_seed, public_half, seed_text, split
from mailstead.errors import Exit, Trouble


@click.group("escrow")
def escrow() -> None:
    """A key that an organisation keeps offline: make it, grant it a way in, let somebody back in."""


@escrow.command("make")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--shares", metavar="K/N", help="Write N shares, any K of which are the key, and no key.")
@json_option
def make(file: Path, shares: str | None, as_json: bool) -> None:
    """Make a key: its public half goes to FILE.pub, its private half to FILE, or shares to FILE.1 to FILE.N.

    No server is needed for it, and none should ever keep the private half.
    """
    if file.name in ("", ".."):
        raise Trouble(f'"{file}" is no name for a file', why="the key's files are named after it",
                      fix="mailstead key escrow make FILE", exit_code=Exit.USAGE)  # fmt: skip
    seed = new_seed()
    key = public_half(seed)
    texts = {file: seed_text(seed)}
    if shares is not None:
        try:
            made = split(seed, *shares_of(shares))
        except ValueError as error:
            raise Trouble(f'"{shares}" cannot be', why=str(error), fix="--shares 2/3",
                          exit_code=Exit.USAGE) from error  # fmt: skip
        texts = {file.with_name(f"{file.name}.{n}"): share for n, share in enumerate(made, 1)}
    public = file.with_name(f"{file.name}.pub")
    write_key(texts, public, str(key))
    if as_json:
        print_json(
            {"fingerprint": key.fingerprint, "public": str(public), "private": [str(p) for p in texts]}
        )
        return
    click.echo(f"Escrow key {key.fingerprint}: hand out {public}, and keep these apart from any server:")
    for path in texts:
        click.echo(f"  {path}")
    click.echo(f"An owner grants it a way in: mailstead key escrow grant ADDRESS --to {public}")


@escrow.command("grant")
@click.argument("address")
@click.option("--to", "public", required=True, metavar="F.pub", help="The public half of the key.")
@click.option("--name", default="escrow", show_default=True, help="What you call it.")
@proof
@json_option
@click.pass_obj
def grant_(
    config: str | None,
    address: str,
    public: str,
    name: str,
    password_file: str | None,
    words_file: str | None,
    as_json: bool,
) -> None:
    """Let an organisation let you back in. Whoever has its private half can then open all your mail."""
    try:
        key = EscrowKey.parse(read_secret(public).decode("utf-8", "replace"))
    except ValueError as error:
        raise Trouble(f"{public} is no escrow key", why=str(error), fix="mailstead key escrow make FILE",
                      exit_code=Exit.USAGE) from error  # fmt: skip
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def act(office: Office, settings: Settings) -> str:
        canonical = address_of(address, settings)
        try:
            await grant(office, canonical, credential, key, name)
        except ValueError as error:
            raise Trouble("that cannot be a name", why=str(error), fix="choose another",
                          exit_code=Exit.USAGE) from error  # fmt: skip
        return canonical

    user = with_office(config, f"{address} granted nothing", act)
    if as_json:
        print_json({"address": user, "name": name, "fingerprint": key.fingerprint})
        return
    click.echo(f'"{name}" ({key.fingerprint}) can let {user} back in from now on.')
    click.echo(f'Undo: mailstead key revoke {user} "{name}", then mailstead key rotate {user}')


@escrow.command("open")
@click.argument("address")
@escrow_options
@json_option
@click.pass_obj
def open_(
    config: str | None, address: str, escrow_key: str | None, share: tuple[str, ...], as_json: bool
) -> None:
    """Let somebody back in who granted this key a way in: prints an invitation, once; no mail is read."""
    seed = EscrowSeed(seed_from(escrow_key, share))

    async def act(office: Office, settings: Settings) -> tuple[str, Invitation]:
        canonical = address_of(address, settings)
        with when_login_fails(_not_granted(canonical)):
            return canonical, await let_back_in(office, canonical, seed)

    canonical, made = with_office(config, f"{address} was not opened", act)
    if as_json:
        print_json(
            {"address": canonical, "invitation": made.code.decode(), "expires": time_of(made.not_after)}
        )
        return
    show_invitation(canonical, made.code)


def _not_granted(address: str) -> Trouble:
    return Trouble(
        f"this key does not open {address}",
        why="its owner never granted it a way in, or took it away",
        fix=f"mailstead key show {address}, for what opens it",
        exit_code=Exit.WRONG_KEY,
    )
