"""`mailstead demo`: watch the main job happen."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Generator
from pathlib import Path

import click
import uvloop

from mailstead.cli import init
from mailstead.cli.output import print_json
from mailstead.demo import HIGHEST_BASE, OWNER, PORT, SENDER, Demo, message, place, settings_in
from mailstead.errors import Exit, Trouble
from mailstead.mail.text import safe
from mailstead.secretmem import harden_process
from mailstead.version import __version__

OTHERS = (
    ("carol@example.net", "Lunch at 12:30?"),
    ("dave@example.org", "Minutes of Monday"),
    ("erin@example.com", "Your parcel is on its way"),
)


@click.command("demo")
@click.option("--once", is_flag=True, help="Run the proof and end: exit 0 if it holds, 1 if not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.option("--keep", metavar="DIR", help="Keep everything in DIR, which must be new or empty.")
@click.option(
    "--port-base", default=PORT, show_default=True, metavar="N", type=click.IntRange(0, HIGHEST_BASE),
    help="SMTP on N, LMTP on N+1, submission on N-60, IMAP with TLS on N+468.",
)  # fmt: skip
@click.option("--send", "file", metavar="FILE.eml", help="Send this message instead of the demo's.")
def command(once: bool, as_json: bool, keep: str | None, port_base: int, file: str | None) -> None:
    """Watch a mail arrive, be sealed, be stored and be read by its owner.

    Needs no network and leaves nothing behind.
    """
    began = time.monotonic()
    harden_process()
    for sign in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: the folder is removed on every way out
        signal.signal(sign, signal.default_int_handler)
    eml = _read(file) if file else None
    talk = not as_json
    if talk:
        where = f"kept in {keep}" if keep else "in a temporary folder, removed when you quit"
        click.echo(f"mailstead {__version__} demo. Everything is {where}.\n")
    with place(keep) as folder:
        made = init.make(folder, "localhost", ("demo.test",))
        demo = Demo(folder, settings_in(folder), click.echo if talk else _silent)
        demo.proof.fingerprint = made["fingerprint"]

        async def then(running: Demo) -> None:
            stop = _on_signals()
            if as_json:
                print_json(_as_json(running))
            else:
                _print_proof(running, time.monotonic() - began, once=once)
            if not once:
                await _stay(running, stop)

        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(demo.run(port_base, eml, then))
        if demo.trouble is not None:
            raise demo.trouble
    if talk and not once:
        left = f"Everything is in {keep}." if keep else "Nothing is left."
        gone = "" if keep else f" Removed {demo.messages} messages and the temporary folder."
        click.echo(f"Stopped.{gone} {left}")
        if not keep:
            click.echo("\nKeep one next time:   mailstead demo --keep ./mymail")
    if not demo.proof.ok:
        sys.exit(int(Exit.FAILED))


def _silent(_: str) -> None:
    """JSON says it all."""


def _read(file: str) -> bytes:
    try:
        octets = Path(file).read_bytes()
    except OSError as error:
        raise Trouble(
            f"{file} cannot be read", why=error.strerror or str(error), fix="name another file",
            exit_code=Exit.USAGE,
        ) from error  # fmt: skip
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"  # as DATA ends


def _as_json(demo: Demo) -> dict[str, object]:
    proof = demo.proof
    return {
        "ok": proof.ok,
        "ports": proof.ports,
        "user": OWNER,
        "password": proof.password,
        "fingerprint": proof.fingerprint,
        "sha256_sent": proof.sha256_sent,
        "sha256_read": proof.sha256_read,
        "files_searched": proof.files,
        "hits": proof.hits,
    }


def _print_proof(demo: Demo, seconds: float, *, once: bool) -> None:
    proof = demo.proof
    sealed = " ".join(f"{octet:02x}" for octet in proof.first_octets)
    same = proof.sha256_sent == proof.sha256_read
    ports = "  ".join(f"{service} {port}" for service, port in proof.ports.items())
    digest = proof.sha256_read
    short = f"{proof.fingerprint[:8]}:…:{proof.fingerprint[-2:]}"
    code = " ".join(proof.reply.split()[:2])
    word = safe(proof.subject)
    verdict = "same bytes as sent" if same else "NOT what was sent"
    for good, name, text in (
        (True, "key", f"made for {OWNER}      fingerprint {proof.key}"),
        (True, "tls", f"self-signed for localhost     sha-256 {short}"),
        (True, "listening", ports),
        (code.startswith("250"), "sent", f'"{safe(proof.subject)}"     {SENDER} -> {OWNER}'),
        (None, "", f"SMTP with STARTTLS ({proof.tls}), answered {code}"),
        (None, "", proof.shown),
        (proof.hits == 0, "stored", f"{proof.stored_octets:,} bytes, AES-256-GCM, sealed to alice's key"),
        (None, "", f"on disk it begins {sealed} …"),
        (None, "", f'searched {proof.files} files for "{word}" and "{SENDER}": {proof.hits} found'),
        (None, "", "readable without the key: owner, rounded size, number of messages"),
        (same, "read back", f"IMAP, {verdict}  sha-256 {digest[:4]}…{digest[-2:]}"),
        (None, "", f"with alice's password, over TLS ({proof.imap_tls})"),
    ):  # fmt: skip
        if text is proof.shown:
            click.echo(text.rstrip())
        else:
            click.echo(f"  {_mark(good)}  {name:10} {text}".rstrip())
    click.echo(f"\n  Login  {OWNER}   password  {proof.password}")
    click.echo(f"  Send to it, no login:   smtp://localhost:{proof.ports['smtp']}")
    click.echo(f"  Read it with a client:  imaps://localhost:{proof.ports['imaps']}   (same login)\n")
    keys = "" if once else "  [s] send another  [t] trace  [l] log  [q] quit"
    click.echo(f"Ready in {seconds:.1f} s.{keys}")


def _mark(good: bool | None) -> str:
    return "  " if good is None else "ok" if good else "--"


def _on_signals() -> asyncio.Event:
    """An event that is set when somebody wants the demo to end."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


async def _stay(demo: Demo, stop: asyncio.Event) -> None:
    """Run until q, Ctrl-C or SIGTERM; on a terminal, do what the keys say."""
    loop = asyncio.get_running_loop()
    if not sys.stdin.isatty():
        await stop.wait()
        return
    keys: asyncio.Queue[str] = asyncio.Queue()
    with _one_key_at_a_time():
        fd = sys.stdin.fileno()
        loop.add_reader(fd, lambda: keys.put_nowait(os.read(fd, 1).decode("latin-1")))
        try:
            async with asyncio.TaskGroup() as tasks:
                pressed = tasks.create_task(_obey(demo, keys, stop))
                await stop.wait()
                pressed.cancel()
        finally:
            loop.remove_reader(fd)


async def _obey(demo: Demo, keys: "asyncio.Queue[str]", stop: asyncio.Event) -> None:
    while True:
        match (await keys.get()).lower():
            case "s":
                sender, subject = OTHERS[demo.messages % len(OTHERS)]
                began = time.monotonic()
                await demo.send(sender, message(sender, subject, "Yours,\n\n" + sender + "\n"))
                took = (time.monotonic() - began) * 1000
                click.echo(demo.proof.shown.rstrip())
                click.echo(f'  ok  sent       "{subject}"  {sender} -> {OWNER}   {took:.0f} ms')
            case "t":
                click.echo("\n".join(demo.dialogue))
            case "l":
                click.echo(demo.log.getvalue() or "  the log is empty")
            case "q" | "\x03" | "\x04" | "":
                stop.set()
                return
            case _:
                pass


@contextlib.contextmanager
def _one_key_at_a_time() -> Generator[None]:
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
