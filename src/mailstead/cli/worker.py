"""`mailstead worker`: what `serve` starts; not for people."""

import asyncio
import ctypes
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

import click
import uvloop

from mailstead.bus.bell import open_bell
from mailstead.cli.office import open_office
from mailstead.cli.serve import load_tls
from mailstead.config import Settings, read
from mailstead.errors import Trouble
from mailstead.log import Log
from mailstead.metrics.catalogue import Metrics
from mailstead.metrics.sheet import Sheet
from mailstead.net.listen import bind
from mailstead.secretmem import harden_process
from mailstead.services.show import shower
from mailstead.services.worker import Bound, Worker

_PR_SET_PDEATHSIG = 1
ARENA_SLOTS = 4096  # 1 MiB of secret memory; an account that is online takes about ten


@click.command("worker", hidden=True)
@click.argument("order")
def command(order: str) -> None:
    """Serve as ORDER says."""
    from pathlib import Path  # noqa: PLC0415  # imported late

    told: dict[str, Any] = json.loads(order)
    _die_with(told["parent"])
    harden_process()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand stalled peers are not all we serve
    pipe = os.fdopen(told["ready"], "wb", buffering=0)

    def ready() -> None:
        pipe.write(b"ready")
        pipe.close()

    try:
        settings = read(Path(told["config"]))
        uvloop.run(_serve(settings, told, ready))
    except Trouble as trouble:
        if not pipe.closed:
            pipe.write(f"{trouble.what}: {trouble.why}".encode())
        sys.exit(int(trouble.exit_code))


def _die_with(parent: int) -> None:
    """No worker outlives its parent, however that one ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _metrics(told: dict[str, Any]) -> Metrics:
    """Where this worker counts: in its region of what all share, if anybody reads it."""
    if told["metrics"] is None:
        return Metrics()
    sheet = Sheet(told["metrics"])
    os.close(told["metrics"])
    return Metrics(sheet.region(told["number"]), sheet.total)


async def _serve(settings: Settings, told: dict[str, Any], ready: Callable[[], None]) -> None:
    log = Log(addresses=settings.file.log.addresses, level=settings.file.log.level)
    tls = load_tls(settings)
    office = await open_office(settings, ARENA_SLOTS, log)
    store = settings.store()
    bell = open_bell(store.data, store.database)
    sockets = [Bound(kind, bind(host, port)) for kind, host, port in told["listeners"]]
    show = shower(click.echo) if told["show_mail"] else None
    metrics = _metrics(told)
    metrics.begin()
    worker = Worker(settings.worker(), office, bell, tls, sockets, log, shower=show, metrics=metrics)

    def reload() -> None:
        if tls is not None:
            try:
                tls.reload()
            except Trouble as trouble:
                log.error("tls.reload.failed", what=trouble.what, why=trouble.why)
            else:
                log.info("tls.reloaded")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stop)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the parent decides
    loop.add_signal_handler(signal.SIGHUP, reload)
    gc.collect()
    gc.freeze()  # what is here now stays: to look through it all again took 20 ms of a session's time
    try:
        await worker.run(ready)
    finally:
        await bell.close()
        await office.database.close()
