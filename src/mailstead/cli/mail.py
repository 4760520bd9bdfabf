"""`mailstead mail`: send a message, and read your own."""

import re
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import click

from mailstead.cli.access import Access, open_mail, owner_options
from mailstead.cli.opened import Opened, Row
from mailstead.cli.output import fancy, json_option, page, print_json, print_table
from mailstead.cli.query import parse
from mailstead.cli.send import send
from mailstead.mail.mailbox import Uid
from mailstead.mail.text import safe

_FIELD = re.compile(r"[!-9;-~]+:")  # field-name ":" (RFC 5322 section 3.6.8)


@click.group("mail")
def command() -> None:
    """Send mail, and read your own."""


command.add_command(send)


@command.command("list")
@owner_options
@json_option
def list_(access: Access, as_json: bool) -> None:
    """The messages of a mailbox, oldest first."""

    async def act(box: Opened) -> list[Row]:
        found = [row async for row in box.listed()]
        for text in await box.quarantined():
            click.echo(text, err=True)
        return found

    _print(open_mail(access, act), as_json, f"No messages in {access.mailbox}.")


@command.command("search")
@owner_options
@click.argument("query")
@json_option
def search(access: Access, query: str, as_json: bool) -> None:
    """The messages of a mailbox that have all the words of QUERY.

    from: to: subject: body: before:DAY after:DAY is:unread is:flagged has:attachment in:MAILBOX, or
    plain words; "a phrase"; -not. A QUERY that begins with a minus stands behind --.
    """
    asked = parse(query)
    if asked.mailbox is not None:
        access = replace(access, mailbox=asked.mailbox)

    async def act(box: Opened) -> list[Row]:
        return [row async for row in box.found(asked.keys)]

    _print(open_mail(access, act), as_json, f"Nothing like that in {access.mailbox}.")


def _print(found: list[Row], as_json: bool, empty: str) -> None:
    if as_json:
        print_json(found)
        return
    columns = ("uid", "date", "size", "from", "subject")
    print_table(columns, [[str(m[k])[:60] for k in columns] for m in found], empty)


@command.command("read")
@owner_options
@click.argument("uid", type=click.IntRange(min=1))
def read(access: Access, uid: int) -> None:
    """The octets of one message, exactly as they are kept: trace fields, then what was sent.

    On a terminal control characters are made visible: a sender could write with them what he likes.
    """
    terminal = sys.stdout.isatty()
    whole = bytearray()

    async def act(box: Opened) -> None:
        await _copy(box.read(Uid(uid)), whole.extend if terminal else sys.stdout.buffer.write)
        sys.stdout.buffer.flush()

    open_mail(access, act)
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
@owner_options
@click.argument("folder", metavar="DIR")
@json_option
def export(access: Access, folder: str, as_json: bool) -> None:
    """Write every message of a mailbox to DIR/MAILBOX/UID.eml, in clear."""
    names = [name.replace("..", "_") for name in access.mailbox.split("/") if name]
    target = Path(folder, *names)

    def make_folder() -> None:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def act(box: Opened) -> int:
        make_folder()
        count = 0
        async for uid, pieces in box.whole():
            path = target / f"{uid}.eml"
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                await _copy(pieces, file.write)
            part.replace(path)  # a message is whole or not there; a second run goes over it again
            count += 1
            if sys.stderr.isatty() and count % 100 == 0:
                click.echo(f"\r{count} of {box.messages}", nl=False, err=True)
        return count

    count = open_mail(access, act)
    if as_json:
        print_json({"folder": str(target), "messages": count})
    else:
        click.echo(f"{count} messages in {target}")


async def _copy(pieces: AsyncIterator[bytes], write: Callable[[bytes], object]) -> None:
    async for piece in pieces:
        write(piece)
