"""`mailstead mail send`: one message to a server, with the dialogue if you like."""

import os
import sys
import time
from base64 import b32encode
from collections.abc import Callable
from pathlib import Path

import click

from mailstead.cli.output import json_option, print_json
from mailstead.delivery.trace import date_time
from mailstead.errors import Exit, Trouble
from mailstead.mail.address import Address, AddressError, parse_mailbox
from mailstead.mail.compose import Attachment, compose
from mailstead.net.dial import Dialled, SendError, SmtpClient, TlsMode


@click.command("send")
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
@click.option(
    "--eml", metavar="FILE", help="Send the octets of this file instead; a text file's line ends become CRLF."
)
@click.option(
    "--tls",
    type=click.Choice(["none", "starttls", "implicit"]),
    default="starttls",
    show_default=True,
)
@click.option("--ca", metavar="FILE", help="Trust these certificates.")
@click.option("--insecure", is_flag=True, help="Encrypt, and ask nobody who is there.")
@click.option("-v", "verbose", is_flag=True, help="Show the dialogue.")
@json_option
def send(
    server: str, sender: str, recipients: tuple[str, ...], subject: str, body: str | None,
    files: tuple[str, ...], eml: str | None, tls: TlsMode, ca: str | None, insecure: bool,
    verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Send one message to a server."""
    origin = _address(sender) if sender not in ("", "<>") else None
    targets = [_address(r) for r in recipients]
    octets = _wire_lines(_read(eml)) if eml else _composed(origin, targets, subject, body, files)
    say: Callable[[str], None] = (lambda line: click.echo(line, err=True)) if verbose else _silent
    try:
        client = SmtpClient(dialled(server, tls, ca, insecure), say)
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


def dialled(server: str, tls: TlsMode, ca: str | None, insecure: bool) -> Dialled:
    """The server that the options name.

    Raises:
        Trouble: it is not HOST:PORT.
    """
    host, _, port = server.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
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


def _wire_lines(octets: bytes) -> bytes:
    """A message with the line ends of the wire; one that has a CR anywhere is sent as it is."""
    return octets if b"\r" in octets else octets.replace(b"\n", b"\r\n")


def _address(text: str) -> Address:
    try:
        return parse_mailbox(text.encode())
    except AddressError as error:
        raise Trouble(
            f'"{text}" is not an address', why=str(error), fix="name@domain", exit_code=Exit.USAGE
        ) from error
