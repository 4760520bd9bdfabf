"""`mailstead`: the commands, imported only when they are called."""

import difflib
import errno
import importlib
import os
import sys
from typing import Any

import click

from mailstead.cli.output import fail, wants_json
from mailstead.errors import Exit, Trouble
from mailstead.version import __version__

# What each command is, and where; the module is imported when it is needed.
COMMANDS: dict[str, tuple[str, str]] = {
    "access-log": ("mailstead.cli.accesslog", "Who got into an account, and who tried."),
    "demo": ("mailstead.cli.demo", "Watch a mail arrive, be sealed, be stored and be read."),
    "init": ("mailstead.cli.init", "Make the settings, the server key and a certificate."),
    "inspect": ("mailstead.cli.inspect", "What sealed octets are, without a key."),
    "key": ("mailstead.cli.key", "Keys, and the ways to them: words, app passwords, escrow."),
    "leakcheck": ("mailstead.cli.leakcheck", "Whether anything of mail is written down in clear."),
    "mail": ("mailstead.cli.mail", "Send mail, and read your own."),
    "serve": ("mailstead.cli.serve", "Run the server in the foreground."),
    "status": ("mailstead.cli.status", "Whether the server runs, and whose mail is open in it."),
    "user": ("mailstead.cli.user", "Who lives here."),
    "verify": ("mailstead.cli.verify", "Whether everything is as it was left."),
    "worker": ("mailstead.cli.worker", ""),
}
HIDDEN = frozenset(("worker",))


class LateGroup(click.Group):
    """A group whose commands are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, without importing anything."""
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module: Any = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a wrong name gets the nearest right one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            if not close:
                raise
            text = f"No such command '{args[0]}'. Did you mean '{close[0]}'?"
            raise click.UsageError(text, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailstead")
@click.option(
    "--config",
    metavar="FILE",
    help="The settings; else $MAILSTEAD_CONFIG, ./mailstead.toml, /etc/mailstead.toml.",
)
@click.pass_context
def cli(ctx: click.Context, config: str | None) -> None:
    """The mail server that cannot read your mail.

    \b
    mailstead demo                                    see it work
    mailstead init DIR --hostname H --domain D        set it up
    mailstead user add ann@D                          let somebody move in
    mailstead serve                                   run it
    """
    ctx.obj = config


def run() -> None:
    """The console script: what went wrong is said in three lines, and by the exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # What a terminal has no letter for is shown by its number, and ends nothing.
            reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(Exit.USAGE)
    except click.ClickException as error:
        fail(_usage(error), as_json=wants_json(sys.argv))
    except (click.Abort, KeyboardInterrupt):
        if wants_json(sys.argv):
            fail(Trouble("stopped", why="it was interrupted", fix="run it again"), as_json=True)
        click.echo("stopped", err=True)
        sys.exit(Exit.FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has no reader
        sys.exit(Exit.FAILED)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        name = error.filename or ("the disk" if full else "the system")
        why = error.strerror or str(error)
        fix = "make room, then run it again" if full else "see that it is there, and yours to use"
        fail(Trouble(f"{name} cannot be used", why=why, fix=fix), as_json=wants_json(sys.argv))
    except Trouble as trouble:
        fail(trouble, as_json=wants_json(sys.argv))


def _usage(error: click.ClickException) -> Trouble:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "mailstead"
    why = context.get_usage().removeprefix("Usage: ") if context is not None else ""
    return Trouble(error.format_message(), why=why, fix=f"{path} --help", exit_code=Exit.USAGE)
