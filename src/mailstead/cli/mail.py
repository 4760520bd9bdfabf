"""`mailstead mail`: send a message, and read your own."""

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from mailstead.accounts.login import Credential, unlock
from mailstead.accounts.provision import Office
from mailstead.accounts.reading import Located
from mailstead.accounts.unlocked import Mailbox, UnlockedAccount
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import fancy, page, print_json, print_table, time_of
from mailstead.cli.secrets import password_from
from mailstead.cli.send import send
from mailstead.config import Settings
from mailstead.errors import Exit, Trouble, UnsealError
from mailstead.mail import header
from mailstead.mail.encodedwords import text as readable
from mailstead.mail.mailbox import SystemFlag, Uid, mailbox_name
from mailstead.mail.text import safe

T = TypeVar("T")
_FIELD = re.compile(r"[!-9;-~]+:")  # field-name ":" (RFC 5322 section 3.6.8)


@click.group("mail")
def command() -> None:
    """Send mail, and read your own."""


command.add_command(send)


def _owner_options(function: Callable[..., None]) -> Callable[..., None]:
    """What every command has that opens mail."""
    for option in (
        click.option("--mailbox", default="INBOX", show_default=True, help="Which mailbox."),
        click.option("--password-file", metavar="F|-", help="Read the password from a file."),
        click.option("--user", required=True, metavar="ADDRESS", help="Whose mail."),
        click.option(
            "--data",
            is_flag=True,
            help="The settings' own data, server running or not.",
        ),
    ):
        function = option(function)
    return function


def _open(
    config: str | None,
    user: str,
    password_file: str | None,
    act: Callable[[UnlockedAccount, Mailbox], Awaitable[T]],
    mailbox: str,
) -> T:
    password = password_from(password_file, f"Password for {user}")

    async def run(office: Office, settings: Settings) -> T:
        try:
            name = mailbox_name(mailbox)
            credential = Credential.password(password)
        except ValueError as error:
            raise Trouble("that cannot be", why=str(error), fix="try again", exit_code=Exit.USAGE) from error
        account = await unlock(office, address_of(user, settings), credential)
        try:
            return await act(account, await account.mailbox(name))
        except UnsealError as error:
            raise Trouble(
                "this mail is not what was stored", why=str(error),
                fix="restore a backup; nothing was changed or deleted", exit_code=Exit.WRONG_KEY,
            ) from error  # fmt: skip
        finally:
            account.close()

    return with_office(config, f"the mail of {user} cannot be opened", run)


@command.command("list")
@_owner_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(
    config: str | None,
    data: bool,
    user: str,
    password_file: str | None,
    mailbox: str,
    as_json: bool,
) -> None:
    """The messages of a mailbox, oldest first."""

    async def act(account: UnlockedAccount, box: Mailbox) -> list[dict[str, object]]:
        await account.absorb(box.id)
        found = [_listed(m) async for m in account.messages(box.id)]
        for _, uid, reason in await account.quarantined():
            click.echo(f"message {uid} is in quarantine: {reason}", err=True)
        return found

    found = _open(config, user, password_file, act, mailbox)
    if as_json:
        print_json(found)
        return
    print_table(
        ("uid", "date", "size", "from", "subject"),
        [[str(m[k])[:60] for k in ("uid", "date", "size", "from", "subject")] for m in found],
        f"No messages in {mailbox}.",
    )


def _listed(message: Located) -> dict[str, object]:
    fields = dict(reversed(list(header.fields(message.b.header))))
    return {
        "uid": message.uid,
        "date": time_of(message.a.internal_date),
        "size": message.a.size,
        "flags": _flag_names(message),
        "from": safe(readable(fields.get(b"from", b""))),
        "to": safe(readable(fields.get(b"to", b""))),
        "subject": safe(readable(fields.get(b"subject", b""))),
        "preview": message.b.preview.decode(),
    }


def _flag_names(message: Located) -> list[str]:
    system = [f"\\{(flag.name or '').title()}" for flag in SystemFlag if flag in message.state.flags]
    return [*system, *sorted(message.state.keywords)]


@command.command("read")
@_owner_options
@click.argument("uid", type=click.IntRange(min=1))
@click.pass_obj
def read(
    config: str | None, data: bool, user: str, password_file: str | None, mailbox: str, uid: int
) -> None:
    """The octets of one message, exactly as they are kept: trace fields, then what was sent.

    On a terminal control characters are made visible: a sender could write with them what he likes.
    """
    terminal = sys.stdout.isatty()
    whole = bytearray()

    async def act(account: UnlockedAccount, box: Mailbox) -> None:
        message = await account.locate(box.id, Uid(uid))
        await _copy(account.read(message), whole.extend if terminal else sys.stdout.buffer.write)
        sys.stdout.buffer.flush()

    _open(config, user, password_file, act, mailbox)
    if terminal:
        _show(whole.decode("utf-8", "replace"))


def _show(message: str) -> None:
    shown = safe(message)
    if fancy():
        head, gap, body = shown.partition("\n\n")
        lines = [_FIELD.sub(lambda m: click.style(m[0], bold=True), line) for line in head.split("\n")]
        shown = "\n".join(lines) + gap + body
    page(shown if shown.endswith("\n") else shown + "\n")


@command.command("export")
@_owner_options
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def export(
    config: str | None, data: bool, user: str, password_file: str | None, mailbox: str, folder: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Write every message of a mailbox to DIR/MAILBOX/UID.eml, in clear."""
    names = [name.replace("..", "_") for name in mailbox.split("/") if name]
    target = Path(folder, *names)

    def make_folder() -> None:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def act(account: UnlockedAccount, box: Mailbox) -> int:
        make_folder()
        await account.absorb(box.id)
        count = 0
        async for message in account.messages(box.id):
            path = target / f"{message.uid}.eml"
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                await _copy(account.read(message), file.write)
            part.replace(path)  # a message is whole or not there; a second run goes over it again
            count += 1
            if sys.stderr.isatty() and count % 100 == 0:
                click.echo(f"\r{count} of {box.messages}", nl=False, err=True)
        return count

    count = _open(config, user, password_file, act, mailbox)
    if as_json:
        print_json({"folder": str(target), "messages": count})
    else:
        click.echo(f"{count} messages in {target}")


async def _copy(pieces: AsyncIterator[bytes], write: Callable[[bytes], object]) -> None:
    async for piece in pieces:
        write(piece)
