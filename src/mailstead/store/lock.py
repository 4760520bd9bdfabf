"""A fair lock between the writer threads of all processes on one SQLite file.

SQLite's own busy handler sleeps and tries again, so under load a writer can starve. The kernel
queues those who wait for `flock` and wakes them in order.
"""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType


class WriteLock:
    """Held around BEGIN IMMEDIATE to COMMIT; blocks, so only the writer thread takes it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                raise
            return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)
