"""`mailstead user invite`, `join`, `reset`: moving in, and in again, and nobody else has the key."""

import click

from mailstead.accounts import provision, resetting
from mailstead.accounts.newways import INVITATION_SECONDS, Joined
from mailstead.accounts.newways import join as join_by
from mailstead.accounts.provision import Invited, Office
from mailstead.cli.asking import need_terminal
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import json_option, print_json, time_of, when_login_fails
from mailstead.cli.secrets import invitation_from, new_password_from
from mailstead.cli.words import show_words_of
from mailstead.config import Settings
from mailstead.errors import Exit, Trouble

_TYPE_IT = "Type the address to go on"


@click.command("invite")
@click.argument("address")
@click.option(
    "--quota", type=click.IntRange(min=0), default=0, metavar="N",
    help="Octets of sealed mail; 0: the settings' quota.",
)  # fmt: skip
@json_option
@click.pass_obj
def invite(config: str | None, address: str, quota: int, as_json: bool) -> None:
    """Let somebody move in who chooses the password alone: prints an invitation, once.

    Mail is received from now on, and sealed.
    """

    async def act(office: Office, settings: Settings) -> Invited:
        octets = quota or settings.file.limits.quota_octets
        return await provision.invite(office, address_of(address, settings), octets)

    made = with_office(config, f"{address} was not invited", act)
    if as_json:
        print_json(
            {
                "address": made.address, "account": made.uuid.hex(), "invitation": made.code.decode(),
                "expires": time_of(made.not_after),
            }
        )  # fmt: skip
        return
    show_invitation(made.address, made.code)
    name = made.address.partition("@")[0]
    click.echo(f"Recovery: only by {name[:1].upper()}{name[1:]}'s words.")


def show_invitation(address: str, code: bytes) -> None:
    """Print an invitation, and what to do with it."""
    days = INVITATION_SECONDS // 86400
    click.echo(f"Invitation for {address} (valid {days} days, single use):\n\n  {code.decode()}\n")
    click.echo(
        f"Whoever has it chooses the password, so nobody else ever has the key: mailstead user join {address}"
    )


@click.command("join")
@click.argument("address")
@click.option("--invitation-file", metavar="F|-", help="Read the invitation from a file.")
@click.option("--password-file", metavar="F|-", help="Read the new password from a file.")
@json_option
@click.pass_obj
def join(
    config: str | None, address: str, invitation_file: str | None, password_file: str | None, as_json: bool
) -> None:
    """Move in by an invitation, with a password of your own; it is good once.

    Prints the twelve recovery words, once, unless those you have stay good.
    """
    credential = invitation_from(invitation_file, f"Invitation for {address}")
    password = new_password_from(password_file, "New password", "--password-file")

    async def act(office: Office, settings: Settings) -> tuple[str, Joined]:
        canonical = address_of(address, settings)
        with when_login_fails(_no_invitation(canonical)):
            return canonical, await join_by(office, canonical, credential, password)

    canonical, joined = with_office(config, f"{address} was not joined", act)
    if as_json:
        print_json({"address": canonical, "recovery_words": list(joined.words)})
        return
    click.echo(f"{canonical} is yours: nobody else has its key.\n")
    if joined.words:
        show_words_of(canonical, joined.words)
    else:
        click.echo("The recovery words that you have stay good.")


def _no_invitation(address: str) -> Trouble:
    return Trouble(
        f"that invitation does not open {address}",
        why="it is another's, was used already, or has expired",
        fix="ask whoever sent it for a new one",
        exit_code=Exit.WRONG_KEY,
    )


@click.command("reset")
@click.argument("address")
@click.option("--password-file", metavar="F|-", help="Set this password instead of printing an invitation.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def reset(config: str | None, address: str, password_file: str | None, yes: bool, as_json: bool) -> None:
    """Give an account new keys when nothing opens it any more; its mail is locked away, not deleted.

    New mail works at once. The old mail opens again with the recovery words of before:
    mailstead key recover.
    """
    password = None if password_file is None else new_password_from(password_file, "")
    if not yes:
        need_terminal(_TYPE_IT, "--yes, not to be asked")

        async def look(office: Office, settings: Settings) -> resetting.AtStake:
            return await resetting.at_stake(office, address_of(address, settings))

        stake = with_office(config, f"{address} was not reset", look)
        click.echo(_warning(stake), err=True)
        if click.prompt(_TYPE_IT, err=True) != stake.address:
            raise Trouble(
                "nothing was changed", why="the address was not typed", fix="--yes, not to be asked"
            )

    async def act(office: Office, settings: Settings) -> resetting.Reset:
        return await resetting.reset(office, address_of(address, settings), password)

    done = with_office(config, f"{address} was not reset", act)
    if as_json:
        print_json(_as_json(done))
        return
    click.echo(_locked(done.stake) + "\n")
    if done.code:
        show_invitation(done.stake.address, done.code)
    else:
        show_words_of(done.stake.address, done.words)


def _warning(stake: resetting.AtStake) -> str:
    opens = (
        f"only with the {' or the '.join(stake.keys)} of today" if stake.keys else "with nothing, by nobody"
    )
    return (
        f"{stake.address} has {stake.messages:,} messages. After a reset they stay sealed and open {opens}.\n"
        "App passwords and sessions end. With the recovery words at hand, do this instead: "
        f"mailstead key recover {stake.address}"
    )


def _locked(stake: resetting.AtStake) -> str:
    later = "Nothing opens them any more."
    if stake.keys:
        opened_by = " or the ".join(stake.keys)
        later = f"They open again with the {opened_by} of before: mailstead key recover {stake.address}"
    return f"{stake.address} has new keys; {stake.messages:,} messages are locked away. {later}"


def _as_json(done: resetting.Reset) -> dict[str, object]:
    return {
        "address": done.stake.address,
        "locked_messages": done.stake.messages,
        "opened_by": list(done.stake.keys),
        "invitation": done.code.decode() or None,
        "expires": time_of(done.not_after) if done.not_after else None,
        "recovery_words": list(done.words),
    }
