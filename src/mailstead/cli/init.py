"""`mailstead init`: a folder with everything a server needs, and no network."""

import time
from pathlib import Path

import click

from mailstead.cli.newfile import write_new
from mailstead.cli.output import json_option, print_json
from mailstead.errors import Exit, Trouble

SETTINGS = """\
# mailstead.toml: docs/config.md explains every key
hostname = "{hostname}"
domains  = [{domains}]
data     = "data"

[listen]                          # "host:port", or a list of them
smtp = "127.0.0.1:2525"           # for the world: ["0.0.0.0:25", "[::]:25"]
imaps = "127.0.0.1:2993"          # for the world: ["0.0.0.0:993", "[::]:993"]
submissions = "127.0.0.1:2465"    # for the world: ["0.0.0.0:465", "[::]:465"]
# pop3s = "127.0.0.1:2995"        # for the world: port 995
# imap = "127.0.0.1:2143"         # TLS by STARTTLS; for the world: port 143
# submission = "127.0.0.1:2587"   # TLS by STARTTLS; for the world: port 587
# lmtp = "127.0.0.1:2424"         # behind another mail server
# metrics = "127.0.0.1:9188"      # for Prometheus; /livez and /readyz

[tls]
certificate = "certificate.pem"   # self-signed; replace it by a real one
key         = "certificate.key"

[auth]
argon2_kib    = {argon2_kib}            # measured here: a login by password takes about {login_ms} ms
argon2_passes = {argon2_passes}
"""


@click.command("init")
@click.argument("folder", metavar="DIR")
@click.option("--hostname", required=True, help="What this server calls itself: its name in the DNS.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    required=True,
    help="A domain to receive mail for; may be repeated.",
)
@json_option
def command(folder: str, hostname: str, domains: tuple[str, ...], as_json: bool) -> None:
    """Make DIR with settings, server key and certificate.

    The certificate is self-signed, for the hostname and loopback. DIR must be new or empty.
    """
    place = Path(folder)
    made = make(place, hostname, domains)
    if as_json:
        print_json(made)
        return
    click.echo(f"settings     {made['config']}")
    click.echo(f"data         {made['data']}")
    click.echo(f"certificate  {made['certificate']}  (self-signed)")
    click.echo(f"fingerprint  sha-256 {made['fingerprint']}")
    click.echo(f"server key   {place / 'server.key'}  (keep a copy of it, apart from your backups)")
    click.echo(f"\nNext   mailstead --config {made['config']} user add you@{domains[0]}")


def make(place: Path, hostname: str, domains: tuple[str, ...]) -> dict[str, str]:
    """Write everything; a file that is there already is never touched.

    Raises:
        Trouble: the folder is not empty, a name is wrong, or the disk refuses.
    """
    from mailstead.cli.calibration import PASSES, calibrated, measured  # noqa: PLC0415  # late
    from mailstead.crypto.certificate import fingerprint, self_signed  # noqa: PLC0415  # late
    from mailstead.crypto.serverkey import new_server_key  # noqa: PLC0415  # late
    from mailstead.mail.address import AddressError, canonical_domain, parse_mailbox  # noqa: PLC0415

    try:
        names = [canonical_domain(d) for d in (hostname, *domains)]
        for name in names:
            parse_mailbox(f"x@{name}".encode())
    except AddressError as error:
        raise Trouble(
            "that is not a domain name", why=str(error), fix="--hostname mail.example.com",
            exit_code=Exit.USAGE,
        ) from error  # fmt: skip
    try:
        if place.exists() and any(place.iterdir()):
            raise Trouble(
                f"{place} is not empty",
                why="init never changes what is there",
                fix="name another folder, or empty it first",
            )
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
        (place / "data").mkdir(mode=0o700)
        certificate, key = self_signed(names[0], time.time())
        kib, seconds = calibrated(measured())
        text = SETTINGS.format(
            hostname=names[0], domains=", ".join(f'"{d}"' for d in names[1:]), argon2_kib=kib,
            argon2_passes=PASSES, login_ms=round(seconds * 1000),
        )  # fmt: skip
        write_new(place / "server.key", new_server_key())
        write_new(place / "certificate.key", key)
        write_new(place / "certificate.pem", certificate)
        write_new(place / "mailstead.toml", text.encode())
    except OSError as error:
        raise Trouble(
            f"{place} cannot be written",
            why=error.strerror or str(error),
            fix="name another folder",
        ) from error
    place = place.resolve()
    return {
        "config": str(place / "mailstead.toml"),
        "data": str(place / "data"),
        "certificate": str(place / "certificate.pem"),
        "fingerprint": fingerprint(certificate),
    }
