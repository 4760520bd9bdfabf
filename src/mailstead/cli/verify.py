"""`mailstead verify`: whether everything is as it was left."""

import sys

import click

from mailstead.accounts.login import unlock
from mailstead.accounts.provision import Office
from mailstead.accounts.verifying import Difference
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json
from mailstead.cli.secrets import credential_from, proof
from mailstead.config import Settings
from mailstead.crypto.slots import SlotType
from mailstead.errors import Exit, Reason, Refused, Trouble, UnsealError
from mailstead.log import Log


@click.command("verify")
@click.option("--user", required=True, metavar="ADDRESS", help="Whose mail.")
@proof
@click.option("--accept", is_flag=True, help="Take what differs as it is, and go on.")
@json_option
@click.pass_obj
def command(
    config: str | None, user: str, password_file: str | None, words_file: str | None, accept: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare an account with what was written: what is older, missing or changed is said.

    Exit 0: everything is as it was left, or was accepted. Exit 4: it is not. Whoever can write the
    database can set it back; who accepts says that he knows why it is so, after a restore for example.
    """
    credential = credential_from(password_file, words_file, f"Password for {user}")

    async def act(office: Office, settings: Settings) -> tuple[int, list[Difference]]:
        if accept and credential.type is SlotType.APP_PASSWORD:
            raise Refused(Reason.OUT_OF_SCOPE)
        account = await unlock(office, address_of(user, settings), credential)
        try:
            mailboxes, said = await account.verifying.verify(_progress)
            if accept and said:
                await account.verifying.accept(said)
                for difference in said:
                    Log().warning("verify.accepted", account=account.account_id, what=str(difference))
                office.ring((account.account_id,))
            return mailboxes, said
        except UnsealError as error:
            raise Trouble(
                "this account is not what was stored", why=str(error),
                fix="restore a backup; nothing was changed or deleted", exit_code=Exit.WRONG_KEY,
            ) from error  # fmt: skip
        finally:
            account.close()

    mailboxes, said = with_office(config, f"the mail of {user} cannot be verified", act)
    if as_json:
        listed = [{"mailbox": d.mailbox, "what": d.words} for d in said]
        print_json(
            {"ok": not said, "accepted": accept and bool(said), "mailboxes": mailboxes, "differences": listed}
        )
    else:
        _say(user, mailboxes, said, accept)
    if said and not accept:
        sys.exit(int(Exit.PROBLEMS_FOUND))


def _say(user: str, mailboxes: int, said: list[Difference], accept: bool) -> None:
    for difference in said:
        click.echo(str(difference))
    if not said:
        click.echo(f"{mailboxes} mailboxes, all as they were left")
    elif accept:
        click.echo(f"{len(said)} differences accepted: from now on this is what is compared with")
    else:
        of_account = any(not d.mailbox_id for d in said)
        where = "the account" if of_account else f"{len({d.mailbox for d in said})} mailboxes"
        click.echo(
            f"{len(said)} differences in {where}, which can only be read."
            f" If you know why: mailstead verify --user {user} --accept",
            err=True,
        )


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {total} mailboxes" + ("\n" if done == total else ""), nl=False, err=True)
