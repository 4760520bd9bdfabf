"""`mailstead key recover` and `key words`: back in by recovery words, and new words."""

import click

from mailstead.accounts.archives import Recovered, open_archives, opens_account
from mailstead.accounts.escrow import EscrowSeed
from mailstead.accounts.login import unlock_root
from mailstead.accounts.newways import change_password, set_words
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import print_json
from mailstead.cli.secrets import credential_from, new_password_from, proof, words_from
from mailstead.cli.shares import escrow_options, seed_from
from mailstead.cli.words import show_words
from mailstead.config import Settings
from mailstead.crypto.passwords import new_words
from mailstead.errors import Exit, MailError, Reason, Trouble

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("recover")
@click.argument("address")
@click.option("--words-file", metavar="F|-", help="Read the recovery words from a file.")
@escrow_options
@click.option("--new-password-file", metavar="F|-", help="Read the new password from a file.")
@click.option("--password-file", metavar="F|-", help="For mail of before a reset: the present password.")
@_json
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
        earlier: Credential | EscrowSeed = EscrowSeed(seed_from(escrow_key, share))
    else:
        words = words_from(words_file)
        if _opens_account(config, address, words):
            new = new or new_password_from(None, "New password")
            _set_password(config, address, words, new, as_json=as_json)
            return
        earlier = words
    _open_archives(config, address, earlier, password_file, as_json=as_json)


def _opens_account(config: str | None, address: str, words: Credential) -> bool:
    """Whether words open the account as it is; when not, they may be of before a reset."""

    async def act(office: Office, settings: Settings) -> bool:
        try:
            return await opens_account(office, address_of(address, settings), words)
        except MailError as error:
            raise _wrong(error, address) from error

    return with_office(config, f"{address} was not recovered", act)


def _set_password(config: str | None, address: str, words: Credential, new: bytes, *, as_json: bool) -> None:
    async def act(office: Office, settings: Settings) -> bool:
        return await change_password(office, address_of(address, settings), words, new)

    rotated = with_office(config, f"{address} was not recovered", act)
    if as_json:
        print_json({"address": address, "password": "changed", "rotated": rotated, "recovered_messages": 0})
        return
    click.echo(f"{address} has a new password; all its mail is there.")


def _open_archives(
    config: str | None, address: str, earlier: Credential | EscrowSeed, password_file: str | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    click.echo("What is given is not of today: it may open the mail of before a reset.", err=True)
    present = credential_from(password_file, None, f"Present password for {address}")

    async def act(office: Office, settings: Settings) -> Recovered:
        canonical = address_of(address, settings)
        (await unlock_root(office, canonical, present)).root.release()  # whose fault it is if it fails
        try:
            return await open_archives(office, canonical, present, earlier)
        except MailError as error:
            raise _wrong(error, address) from error

    done = with_office(config, f"nothing of {address} was recovered", act)
    if as_json:
        print_json(
            {
                "address": address, "password": "unchanged", "rotated": False,
                "recovered_messages": done.messages, "mailboxes": done.mailboxes, "below": list(done.tops),
            }
        )  # fmt: skip
        return
    below = " and ".join(f'"{top}"' for top in done.tops)
    click.echo(f"{done.messages:,} messages in {done.mailboxes} mailboxes are back, below {below}.")


def _wrong(error: MailError, address: str) -> Exception:
    if error.reason is not Reason.LOGIN_FAILED:
        return error
    return Trouble(
        f"that does not open {address}, nor anything locked away from it",
        why="the words or the key are another account's, or were replaced by newer ones",
        fix="look for another list; nothing was changed, and what is locked away stays",
        exit_code=Exit.WRONG_KEY,
    )


@click.command("words")
@click.argument("address")
@proof
@_json
@click.pass_obj
def words(
    config: str | None, address: str, password_file: str | None, words_file: str | None, as_json: bool
) -> None:
    """Make new recovery words, and show them, once; those of before open only what a reset locked away.

    They take the place of the old ones when you have them: on a terminal, two are asked back before.
    """
    credential = credential_from(password_file, words_file, f"Password for {address}")

    made = new_words()
    if not as_json:
        show_words(made)

    async def act(office: Office, settings: Settings) -> None:
        await set_words(office, address_of(address, settings), credential, made)

    with_office(config, f"{address} has the recovery words of before", act)
    if as_json:
        print_json({"address": address, "recovery_words": list(made)})
        return
    click.echo("They are good from now on; those of before are not.")
