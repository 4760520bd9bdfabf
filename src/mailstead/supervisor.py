"""The processes of `mailstead serve`: one parent that serves nothing, and workers that serve all.

Workers are started by exec, so that no key is ever forked. They share the ports by SO_REUSEPORT;
the parent holds each port with a socket that does not listen, so that a port already in use is
found before anything starts, and port 0 is the same port in every worker.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mailstead.config import Settings
from mailstead.errors import Exit, Trouble
from mailstead.metrics.catalogue import Metrics
from mailstead.metrics.sheet import Sheet, new_sheet
from mailstead.net.listen import bind

STOP_SECONDS = 30.0
RESTART_SECONDS = 1.0
Listener = tuple[str, str, int]  # service, host, port


class Supervisor:
    """Starts the workers, keeps them running, and stops them.

    Args:
        say: Prints one line.
        show_mail: Workers print the mail they receive.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None], *, show_mail: bool) -> None:
        self._settings = settings
        self._say = say
        self._show_mail = show_mail
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._sheet: int | None = None  # what all workers count in, if anybody asks for it
        self._stopping = 0
        self._reload = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            Trouble: a port or the data is in use, or a worker does not start.
        """
        lock = _lock(self._settings.data)
        held, listeners = reserve(self._settings.listeners())
        try:
            if any(service == "metrics" for service, _, _ in listeners):
                self._sheet = new_sheet(self._settings.workers)
            signal.signal(signal.SIGTERM, self._on_stop)
            signal.signal(signal.SIGINT, self._on_stop)
            signal.signal(signal.SIGHUP, self._on_reload)
            for number in range(self._settings.workers):
                self._start(number, listeners)
            for service, host, port in listeners:
                shown = f"[{host}]" if ":" in host else host
                self._say(f"{service:5} {shown}:{port}")
            self._say("ready")
            notify("READY=1")
            self._watch(listeners)
        finally:
            self._stop()
            for sock in held:
                sock.close()
            if self._sheet is not None:
                os.close(self._sheet)
            os.close(lock)

    def _start(self, number: int, listeners: list[Listener]) -> None:
        reading, writing = os.pipe()
        order = json.dumps(
            {
                "config": str(self._settings.path),
                "listeners": listeners,
                "parent": os.getpid(),
                "show_mail": self._show_mail,
                "ready": writing,
                "metrics": self._sheet,
                "number": number,
            }
        )
        command = [sys.executable, "-m", "mailstead", "worker", order]
        handed = [writing] if self._sheet is None else [writing, self._sheet]
        worker = subprocess.Popen(command, pass_fds=handed, start_new_session=True)  # noqa: S603  # our own interpreter
        os.close(writing)
        self._workers[number] = worker
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        if told != b"ready":
            code = worker.wait()
            if not self._stopping:
                raise Trouble(
                    "a worker did not start",
                    why=told.decode() or f"it ended with {code}",
                    fix="see what it wrote above",
                    exit_code=Exit(code) if code in set(Exit) and code else Exit.FAILED,
                )

    def _watch(self, listeners: list[Listener]) -> None:
        """Start a worker again when it dies, until it is time to stop."""
        while not self._stopping:
            if self._reload:  # only now: a worker that is still starting would die of the signal
                self._reload = False
                self._send(signal.SIGHUP)
            for number, worker in list(self._workers.items()):
                if worker.poll() is not None and not self._stopping:
                    self._say(f"worker {number} ended with {worker.returncode}, starting another")
                    if self._sheet is not None:
                        Metrics(Sheet(self._sheet).region(number)).forget()
                    time.sleep(RESTART_SECONDS)
                    with contextlib.suppress(Trouble):
                        self._start(number, listeners)
            time.sleep(0.2)

    def _stop(self) -> None:
        notify("STOPPING=1")
        self._send(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for worker in self._workers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(max(0.1, end - time.monotonic()))
        self._send(signal.SIGKILL)

    def _send(self, sign: signal.Signals) -> None:
        for worker in self._workers.values():
            if worker.poll() is None:
                worker.send_signal(sign)

    def _on_stop(self, *_: object) -> None:
        self._stopping += 1
        if self._stopping > 1:
            self._send(signal.SIGKILL)

    def _on_reload(self, *_: object) -> None:
        self._reload = True


def _lock(data: Path) -> int:
    """Hold the data folder for this server alone.

    Raises:
        Trouble: another server holds it, or there is no such folder.
    """
    if not data.is_dir():
        raise Trouble(
            f"there is no data folder {data}",
            why="`mailstead init` makes it",
            fix="mailstead init DIR --hostname H --domain D, or set `data` in the settings",
            exit_code=Exit.NO_DATA,
        )
    (data / "run").mkdir(mode=0o700, exist_ok=True)
    fd = os.open(data / "run" / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise Trouble(
            f"another mailstead serves {data}",
            why="two servers on one data folder would share its ports and nothing else",
            fix="stop it first, or raise `workers` to use more cores",
            exit_code=Exit.LOCKED,
        ) from error
    return fd


def reserve(listeners: list[Listener]) -> tuple[list[socket.socket], list[Listener]]:
    """Hold every port with a socket that does not listen; port 0 becomes a real one.

    Raises:
        Trouble: a port is in use, or may not be used.
    """
    held: list[socket.socket] = []
    found: list[Listener] = []
    for service, host, port in listeners:
        try:
            _probe(host, port)
            sock = bind(host, port)
        except OSError as error:
            for other in held:
                other.close()
            raise Trouble(
                f"{service} cannot listen on {host}:{port}",
                why=error.strerror or str(error),
                fix=f"stop what uses it (ss -ltnp 'sport = :{port}'), or change [listen] {service}",
                exit_code=Exit.PORT_IN_USE,
            ) from error
        held.append(sock)
        found.append((service, host, sock.getsockname()[1]))
    return held, found


def _probe(host: str, port: int) -> None:
    """Fail if anybody listens there, even somebody who would share the port with us."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1)


def notify(state: str) -> None:
    """Tell systemd, when it started us (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.send(state.encode())
