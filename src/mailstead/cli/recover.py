"""`mailstead key recover` and `key words`: back in by recovery words, and new words."""

import click

from mailstead.accounts.archives import Recovered, open_archives, opens_account
from mailstead.accounts.escrow import EscrowSeed
from mailstead.accounts.login import unlock_root
from mailstead.accounts.newways import change_password, set_words
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, when_login_fails
from mailstead.cli.secrets import credential_from, new_password_from, proof, words_from
from mailstead.cli.shares import escrow_options, seed_from
from mailstead.cli.words import show_words
from mailstead.config import Settings
from mailstead.crypto.passwords import new_words
from mailstead.errors import Exit, Trouble


@click.command("recover")
@click.argument("address")
@click.option("--words-file", metavar="F|-", help="Read the recovery words from a file.")
@escrow_options
@click.option("--new-password-file", metavar="F|-", help="Read the new password from a file.")
@click.option("--password-file", metavar="F|-", help="For mail of before a reset: the present password.")
@json_option
@click.pass_obj
def recover(
    config: str | None,
    address: str,
    words_file: str | None,
    escrow_key: str | None,
    share: tuple[str, ...],
    new_password_file: str | None,
    password_file: str | None,
    as_json: bool,
) -> None:
    """Get back in by the twelve recovery words: they open the account, and a new password is set.

    Words of the time before a reset open the mail that it locked away instead: with the present
    password, that mail comes back below a mailbox of its own.
    """
    new = None if new_password_file is None else new_password_from(new_password_file, "")
    if escrow_key or share:
        if words_file is not None:
            raise Trouble("it is not clear what to recover by", why="words and an escrow key are both given",
                          fix="give one of them", exit_code=Exit.USAGE)  # fmt: skip
        seed = EscrowSeed(seed_from(escrow_key, share))
        _open_archives(config, address, seed, password_file, as_json=as_json)
        return
    words = words_from(words_file)
    if _opens_account(config, address, words):
        _set_password(config, address, words, new or new_password_from(None, "New password"), as_json=as_json)
        return
    click.echo("What is given is not of today: it may open the mail of before a reset.", err=True)
    _open_archives(config, address, words, password_file, as_json=as_json)


def _opens_account(config: str | None, address: str, words: Credential) -> bool:
    """Whether words open the account as it is; when not, they may be of before a reset."""

    async def act(office: Office, settings: Settings) -> bool:
        canonical = address_of(address, settings)
        with when_login_fails(_wrong_words(canonical)):
            return await opens_account(office, canonical, words)

    return with_office(config, f"{address} was not recovered", act)


def _set_password(config: str | None, address: str, words: Credential, new: bytes, *, as_json: bool) -> None:
    async def act(office: Office, settings: Settings) -> tuple[str, bool]:
        canonical = address_of(address, settings)
        return canonical, await change_password(office, canonical, words, new)

    user, rotated = with_office(config, f"{address} was not recovered", act)
    if as_json:
        print_json({"address": user, "password": "changed", "rotated": rotated, "recovered_messages": 0})
        return
    click.echo(f"{user} has a new password; all its mail is there.")


def _open_archives(
    config: str | None, address: str, earlier: Credential | EscrowSeed, password_file: str | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    present = credential_from(password_file, None, f"Present password for {address}")

    async def act(office: Office, settings: Settings) -> tuple[str, Recovered]:
        canonical = address_of(address, settings)
        (await unlock_root(office, canonical, present)).root.release()  # whose fault it is if it fails
        wrong = _wrong_key if isinstance(earlier, EscrowSeed) else _wrong_words
        with when_login_fails(wrong(canonical)):
            return canonical, await open_archives(office, canonical, present, earlier)

    user, done = with_office(config, f"nothing of {address} was recovered", act)
    if as_json:
        print_json(
            {
                "address": user, "password": "unchanged", "rotated": False,
                "recovered_messages": done.messages, "mailboxes": done.mailboxes, "below": list(done.tops),
            }
        )  # fmt: skip
        return
    below = " and ".join(f'"{top}"' for top in done.tops)
    click.echo(f"{done.messages:,} messages in {done.mailboxes} mailboxes are back, below {below}.")


def _wrong_words(address: str) -> Trouble:
    return Trouble(
        f"that does not open {address}, nor anything locked away from it",
        why="the words are another account's, or were replaced by newer ones",
        fix="look for another list; nothing was changed, and what is locked away stays",
        exit_code=Exit.WRONG_KEY,
    )


def _wrong_key(address: str) -> Trouble:
    return Trouble(
        f"this key opens nothing that was locked away from {address}",
        why="no reset locked away a way in that it was granted",
        fix=f"mailstead key escrow open {address}, if it was granted since",
        safe="nothing was changed",
        exit_code=Exit.WRONG_KEY,
    )


@click.command("words")
@click.argument("address")
@proof
@json_option
@click.pass_obj
def words(
    config: str | None, address: str, password_file: str | None, words_file: str | None, as_json: bool
) -> None:
    """Make new recovery words, and show them, once; those of before open only what a reset locked away.

    They take the place of the old ones when you have them: on a terminal, two are asked back before.
    """
    credential = credential_from(password_file, words_file, f"Password for {address}")

    async def check(office: Office, settings: Settings) -> None:
        (await unlock_root(office, address_of(address, settings), credential)).root.release()

    async def act(office: Office, settings: Settings) -> str:
        canonical = address_of(address, settings)
        await set_words(office, canonical, credential, made)
        return canonical

    failed = f"{address} has the recovery words of before"
    made = new_words()
    if not as_json:
        with_office(config, failed, check)  # nobody writes down words that will not be good
        show_words(made)
    user = with_office(config, failed, act)
    if as_json:
        print_json({"address": user, "recovery_words": list(made)})
        return
    click.echo("They are good from now on; those of before are not.")
