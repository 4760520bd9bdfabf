"""`mailstead serve`: the server, in the foreground."""

import asyncio
import os

import click

from mailstead.cli.office import fit
from mailstead.config import Settings, load
from mailstead.crypto.selftest import selftest
from mailstead.errors import Exit, Trouble, UnsealError
from mailstead.net.listen import is_loopback
from mailstead.net.tls import ServerTls
from mailstead.store.opening import open_database
from mailstead.supervisor import Supervisor

_LOUD = """\
*** --show-mail: every message is printed in clear as it arrives, for all to see who see this
*** terminal or what it is written to. The mail on disk stays sealed. Not for anybody's real mail."""

_PLAIN = """\
*** [auth] insecure_plaintext_login: passwords are taken without TLS on {where}.
*** Whoever can listen on this machine's loopback can read passwords and mail there."""
_LOGINS = ("imap", "pop3", "submission")  # where TLS comes by STARTTLS, and a password before it


@click.command("serve")
@click.option(
    "--show-mail", is_flag=False, flag_value="yes", metavar="[=insecure]",
    help="Print each message as it arrives; into the journal only with =insecure.",
)  # fmt: skip
@click.pass_obj
def command(config: str | None, show_mail: str | None) -> None:
    """Run the server in the foreground, until SIGTERM or Ctrl-C.

    Prints one line for each listener, then `ready`. SIGHUP reloads the certificate.
    """
    settings = load(config)
    if show_mail is not None:
        _allow_showing(show_mail)
    check(settings)
    if settings.file.auth.insecure_plaintext_login:
        warn_of_plaintext(settings.listeners())
    Supervisor(settings, click.echo, show_mail=show_mail is not None).run()


def check(settings: Settings) -> None:
    """Everything that would keep a worker from serving, before any is started.

    Raises:
        Trouble: something would.
    """
    try:
        selftest()
    except UnsealError as error:
        raise Trouble(
            "the cryptography of this machine is not what the format needs",
            why=str(error),
            fix="pip install --upgrade cryptography",
        ) from error
    if all(service == "metrics" for service, _, _ in settings.listeners()):
        raise Trouble(
            f"{settings.path}: [listen] names nothing to serve",
            why="without a listener no mail can arrive",
            fix='smtp = "127.0.0.1:2525"',
            exit_code=Exit.BAD_CONFIG,
        )
    settings.metrics_token()
    tls = load_tls(settings)
    if tls is not None:
        tls.check_date()

    async def look() -> None:
        database = open_database(settings.store())
        await fit(database, settings)
        await database.close()

    asyncio.run(look())


def load_tls(settings: Settings) -> ServerTls | None:
    """The certificate of the settings, if there is one."""
    tls = settings.file.tls
    return None if tls is None else ServerTls(settings.at(tls.certificate), settings.at(tls.key))


def warn_of_plaintext(listeners: list[tuple[str, str, int]]) -> None:
    """Say where passwords may come without TLS: on loopback only, and nowhere else whatever is set."""
    open_ones: list[str] = []
    for service, host, port in listeners:
        if service in _LOGINS and is_loopback(host):
            open_ones.append(f"{service} {f'[{host}]' if ':' in host else host}:{port}")
    where = ", ".join(open_ones) or "no listener: none that it is for is on loopback"
    click.echo(_PLAIN.format(where=where), err=True)


def _allow_showing(how: str) -> None:
    if how not in ("yes", "insecure"):
        raise click.UsageError("--show-mail takes nothing, or =insecure")
    if os.environ.get("JOURNAL_STREAM") and how != "insecure":
        raise Trouble(
            "--show-mail would write mail in clear into the journal",
            why="standard output is the journal, which is a file on disk",
            fix="run it on a terminal, or say --show-mail=insecure",
            exit_code=Exit.USAGE,
        )
    click.echo(_LOUD, err=True)
