"""Where a large body waits for its end, sealed under a key that only this session holds.

A spool file has no name (or loses it the moment it is opened), its pieces are records of kind
SPOOL, and its key dies with the session: after a crash there is nothing to clean up or to read.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mailstead.crypto.sealed import Kind
from mailstead.crypto.serverbox import ServerBox
from mailstead.errors import Reason, Unavailable


class Spool:
    """Sealed pieces in order, written once and read back any number of times."""

    def __init__(self, folder: Path) -> None:
        try:
            self._fd = _open_unnamed(folder)
        except OSError as error:
            raise _unavailable(error) from error
        self._box = ServerBox(Kind.SPOOL)
        self._lengths: list[int] = []

    def append(self, octets: bytes) -> None:
        """Seal and write one piece.

        Raises:
            Unavailable: the disk is full or failing.
        """
        sealed = self._box.seal(len(self._lengths), octets)
        view = memoryview(sealed)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise _unavailable(error) from error
        self._lengths.append(len(sealed))

    def pieces(self) -> Iterator[bytes]:
        """The pieces, opened one at a time.

        Raises:
            Unavailable: the disk is failing.
            UnsealError: what came back is not what was written.
        """
        at = 0
        for index, length in enumerate(self._lengths):
            try:
                sealed = os.pread(self._fd, length, at)
            except OSError as error:
                raise _unavailable(error) from error
            yield self._box.open(index, sealed)
            at += length

    def close(self) -> None:
        """Give the file back to the disk and forget the key."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._box.close()


def _open_unnamed(folder: Path) -> int:
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (OSError, AttributeError):  # a file system or a system without nameless files
        fd, name = tempfile.mkstemp(dir=folder)
        os.unlink(name)
        return fd


def _unavailable(error: OSError) -> Unavailable:
    full = error.errno in _FULL
    return Unavailable(
        Reason.STORAGE_FULL if full else Reason.STORAGE_UNAVAILABLE, os.strerror(error.errno or 0)
    )


_FULL = frozenset({28, 27, 122})  # ENOSPC, EFBIG, EDQUOT
