"""A person at a terminal: what a command asks there, what is typed, what is shown."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Self

from tests.support.server import ENVIRONMENT

PATIENCE = 60  # seconds without a sign, then the test has failed
AGAIN = 15  # and after which ^C was not heard


class Terminal:
    """One command on a terminal of its own.

    Args:
        stdout: Where what it prints goes, if not to the terminal.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, stdout: BinaryIO | None = None
    ) -> None:
        self._leader, follower = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=follower, stdout=stdout or follower, stderr=follower, start_new_session=True,
            env=ENVIRONMENT | {"LC_ALL": "C.UTF-8"} | dict(env or {}),
            preexec_fn=_own_terminal,  # noqa: PLW1509  # no other thread is here
        )  # fmt: skip
        os.close(follower)
        self._shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._leader)

    @property
    def shown(self) -> str:
        return self._shown.decode()

    def until(self, end: str) -> str:
        """Wait until *end* is the last of what is shown, once more than before.

        Returns:
            All that is shown.
        """
        before = len(self._shown)
        while len(self._shown) == before or not self._shown.endswith(end.encode()):
            assert self._see(), self._shown
        return self.shown

    def type(self, text: str | bytes) -> None:
        os.write(self._leader, text if isinstance(text, bytes) else text.encode())

    def interrupt(self) -> None:
        """Type ^C until it is heard: one that comes between a question and the wait for its answer may be lost."""
        before, heard, there = self._shown, b"", True
        while there and not heard.replace(b"^C", b"").strip():  # a terminal shows what is typed
            self.type(b"\x03")
            while self._something(AGAIN):
                there = self._see()
                heard = self._shown.removeprefix(before)
                if not there or heard.replace(b"^C", b"").strip():
                    break

    def ends(self) -> int:
        """Its exit status, when all is shown."""
        while self._see():
            pass
        return self._process.wait(PATIENCE)

    def _something(self, seconds: float) -> bool:
        """Whether there is something to see within so many seconds."""
        waiting = select.poll()  # select would take no file above the thousandth
        waiting.register(self._leader, select.POLLIN)
        return bool(waiting.poll(1000 * seconds))

    def _see(self) -> bool:
        assert self._something(PATIENCE), (self._process.args, self._shown)
        try:
            came = os.read(self._leader, 65536)
        except OSError:  # the terminal is closed
            return False
        self._shown += came
        return bool(came)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that what is typed can interrupt
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which whoever runs the tests behind a shell ignores
