"""`mailstead mail`: send a message, and read your own."""

import os
import sys
import time
from base64 import b32encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from mailstead.accounts.login import Credential, unlock
from mailstead.accounts.provision import Office
from mailstead.accounts.reading import Located
from mailstead.accounts.unlocked import Mailbox, UnlockedAccount
from mailstead.cli.office import address_of, with_office
from mailstead.cli.output import print_json, print_table, time_of
from mailstead.cli.secrets import password_from
from mailstead.config import Settings
from mailstead.delivery.trace import date_time
from mailstead.errors import Exit, Trouble, UnsealError
from mailstead.mail import header
from mailstead.mail.address import Address, AddressError, parse_mailbox
from mailstead.mail.compose import Attachment, compose
from mailstead.mail.encodedwords import text as readable
from mailstead.mail.mailbox import SystemFlag, Uid, mailbox_name
from mailstead.mail.text import safe
from mailstead.net.dial import Dialled, SendError, SmtpClient, TlsMode

T = TypeVar("T")


@click.group("mail")
def command() -> None:
    """Send mail, and read your own."""


@command.command("send")
@click.option("--server", required=True, metavar="HOST:PORT", help="Where to.")
@click.option("--from", "sender", required=True, metavar="ADDRESS", help="The sender.")
@click.option(
    "--to",
    "recipients",
    required=True,
    multiple=True,
    metavar="ADDRESS",
    help="A recipient; may be repeated.",
)
@click.option("--subject", default="", help="The subject.")
@click.option("--body", metavar="TEXT|-", help="The text, or - for standard input.")
@click.option(
    "--attach",
    "files",
    multiple=True,
    metavar="FILE",
    help="A file to send along; may be repeated.",
)
@click.option("--eml", metavar="FILE", help="Send the octets of this file instead, as they are.")
@click.option(
    "--tls",
    type=click.Choice(["none", "starttls", "implicit"]),
    default="starttls",
    show_default=True,
)
@click.option("--ca", metavar="FILE", help="Trust these certificates.")
@click.option("--insecure", is_flag=True, help="Encrypt, and ask nobody who is there.")
@click.option("-v", "verbose", is_flag=True, help="Show the dialogue.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def send(
    server: str, sender: str, recipients: tuple[str, ...], subject: str, body: str | None,
    files: tuple[str, ...], eml: str | None, tls: TlsMode, ca: str | None, insecure: bool,
    verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Send one message to a server."""
    origin = _address(sender) if sender not in ("", "<>") else None
    targets = [_address(r) for r in recipients]
    octets = _read(eml) if eml else _composed(origin, targets, subject, body, files)
    say: Callable[[str], None] = (lambda line: click.echo(line, err=True)) if verbose else _silent
    try:
        client = SmtpClient(_dialled(server, tls, ca, insecure), say)
        try:
            reply, refused = client.send(origin, targets, octets)
        finally:
            client.close()
    except SendError as error:
        raise Trouble("the message was not sent", why=str(error), fix="see the dialogue with -v") from error
    if as_json:
        print_json(
            {
                "reply": str(reply),
                "octets": len(octets),
                "tls": tls,
                "refused": {who: str(why) for who, why in refused.items()},
            }
        )
    else:
        click.echo(f"sent {len(octets)} octets: {reply}")
        for who, why in refused.items():
            click.echo(f"not to {who}: {why}", err=True)
    if refused:
        sys.exit(int(Exit.FAILED))


def _silent(_: str) -> None:
    """Nobody asked for the dialogue."""


def _dialled(server: str, tls: TlsMode, ca: str | None, insecure: bool) -> Dialled:
    host, _, port = server.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit():
        raise Trouble(f'"{server}" is not a server', why="", fix="--server HOST:PORT", exit_code=Exit.USAGE)
    return Dialled(host, int(port), tls, Path(ca) if ca else None, insecure)


def _composed(
    sender: Address | None,
    to: list[Address],
    subject: str,
    body: str | None,
    files: tuple[str, ...],
) -> bytes:
    text = sys.stdin.read() if body == "-" else body or ""
    token = b32encode(os.urandom(15)).decode().lower()
    origin = sender or Address("postmaster", "localhost")
    try:
        return compose(
            origin, to, subject, text, [Attachment(Path(f).name, _read(f)) for f in files],
            date=date_time(time.time()), message_id=f"{token}@{origin.domain}", boundary=token,
        )  # fmt: skip
    except ValueError as error:
        raise Trouble(
            "the message cannot be written", why=str(error), fix="change it",
            exit_code=Exit.USAGE,
        ) from error  # fmt: skip


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Trouble(
            f"{file} cannot be read", why=error.strerror or str(error), fix="name another file",
            exit_code=Exit.USAGE,
        ) from error  # fmt: skip


def _address(text: str) -> Address:
    try:
        return parse_mailbox(text.encode())
    except AddressError as error:
        raise Trouble(
            f'"{text}" is not an address', why=str(error), fix="name@domain", exit_code=Exit.USAGE
        ) from error


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
    """The octets of one message, exactly as they are kept: trace fields, then what was sent."""

    async def act(account: UnlockedAccount, box: Mailbox) -> None:
        message = await account.locate(box.id, Uid(uid))
        await _copy(account.read(message), sys.stdout.buffer.write)
        sys.stdout.buffer.flush()

    _open(config, user, password_file, act, mailbox)


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
    target = Path(folder) / mailbox.replace("..", "_")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def act(account: UnlockedAccount, box: Mailbox) -> int:
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
