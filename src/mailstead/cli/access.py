"""Whose mail, and where it is: the options of every command that opens mail, and the opening."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from mailstead.accounts.login import unlock
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office
from mailstead.cli.office import address_of, with_office
from mailstead.cli.opened import Opened, OpenedHere, OpenedThere
from mailstead.cli.output import from_mail_error
from mailstead.cli.secrets import password_from
from mailstead.cli.send import dialled
from mailstead.cli.sessions import credential_for, unlocking
from mailstead.config import Settings
from mailstead.errors import Exit, MailError, Trouble, UnsealError
from mailstead.mail.mailbox import mailbox_name
from mailstead.net.dial import TlsMode
from mailstead.net.imapclient import ImapClient, ReadError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """What the options say."""

    config: str | None
    data: bool
    server: str | None
    tls: TlsMode
    ca: str | None
    insecure: bool
    user: str
    password_file: str | None
    mailbox: str


_OPTIONS = (
    click.option("--mailbox", default="INBOX", show_default=True, help="Which mailbox."),
    click.option("--password-file", metavar="F|-", help="Read the password from a file."),
    click.option("--user", required=True, metavar="ADDRESS", help="Whose mail."),
    click.option("--insecure", is_flag=True, help="Encrypt, and ask nobody who is there."),
    click.option("--ca", metavar="FILE", help="Trust these certificates."),
    click.option(
        "--tls", type=click.Choice(["none", "starttls", "implicit"]), default="implicit", show_default=True
    ),
    click.option("--server", metavar="HOST:PORT", help="Read there, over IMAP."),
    click.option("--data", is_flag=True, help="The settings' own data, server running or not."),
)


def owner_options(function: Callable[..., None]) -> Callable[..., None]:
    """What every command has that opens mail; they come as one `Access`, the first argument."""
    names = [name for name in Access.__dataclass_fields__ if name != "config"]

    @functools.wraps(function)
    def collected(config: str | None, /, **given: Any) -> None:
        return function(Access(config, **{name: given.pop(name) for name in names}), **given)

    command = click.pass_obj(collected)
    for option in _OPTIONS:
        command = option(command)
    return command


def open_mail(access: Access, act: Callable[[Opened], Awaitable[T]]) -> T:
    """Log in, open the mailbox, and run *act* on it.

    Raises:
        Trouble: it cannot be opened, or *act* could not go on.
    """
    if access.data == (access.server is not None):
        both = "--data and --server are both given" if access.data else "neither --data nor --server is given"
        raise Trouble("it is not clear where the mail is", why=both, exit_code=Exit.USAGE,
                      fix="--data: this machine's own data; --server HOST:PORT: a server")  # fmt: skip
    if access.ca and access.insecure:
        raise Trouble("--ca and --insecure exclude each other", why="one asks who is there, one does not",
                      fix="leave one out", exit_code=Exit.USAGE)  # fmt: skip
    what = f"the mail of {access.user} cannot be opened"
    try:
        name = mailbox_name(access.mailbox)
        if access.server is None:
            credential = credential_for(access.config, access.user, access.password_file)
            return _open_here(access, name, credential, what, act)
        password = password_from(access.password_file, f"Password for {access.user}")
        Credential.password(password)
    except ValueError as error:
        raise Trouble("that cannot be", why=str(error), fix="try again", exit_code=Exit.USAGE) from error
    return _open_there(access, access.server, name, password, what, act)


def _open_here(
    access: Access, name: str, credential: Credential, what: str, act: Callable[[Opened], Awaitable[T]]
) -> T:
    async def run(office: Office, settings: Settings) -> T:
        canonical = address_of(access.user, settings)
        with unlocking(settings, canonical, credential):
            account = await unlock(office, canonical, credential)
        try:
            return await act(OpenedHere(account, await account.mailbox(name)))
        except UnsealError as error:
            raise Trouble(
                "this mail is not what was stored", why=str(error),
                fix="restore a backup; nothing was changed or deleted", exit_code=Exit.WRONG_KEY,
            ) from error  # fmt: skip
        finally:
            account.close()

    return with_office(access.config, what, run)


def _open_there(
    access: Access, server: str, name: str, password: bytes, what: str,
    act: Callable[[Opened], Awaitable[T]],
) -> T:  # fmt: skip
    to = dialled(server, access.tls, access.ca, access.insecure)

    async def run() -> T:
        client = ImapClient(to, access.user, password)
        try:
            return await act(OpenedThere(client, name))
        finally:
            client.close()

    try:
        return asyncio.run(run())
    except MailError as error:
        raise from_mail_error(error, what) from error
    except ReadError as error:
        if error.temporary:
            raise Trouble(what, why=str(error), exit_code=Exit.TRY_LATER,
                          fix="see that it runs, and that host and port are right") from error  # fmt: skip
        fix = "--tls none, starttls or implicit; --ca FILE to trust its certificate"
        raise Trouble(what, why=str(error), fix=fix) from error
