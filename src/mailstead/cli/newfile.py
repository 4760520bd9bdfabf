"""Files with secrets in them: made, and never written over."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from mailstead.store.ledger import sync_folder

PRIVATE, PUBLIC = 0o600, 0o644


def write_new(path: Path, octets: bytes, mode: int = PRIVATE) -> None:
    """Make a file, all of it on the disk, or none.

    Raises:
        FileExistsError: it is there already.
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(descriptor)
        sync_folder(path.parent)
    except BaseException:
        path.unlink()
        raise


def write_all(files: Mapping[Path, tuple[bytes, int]]) -> None:
    """Make files of octets and a mode, in this order, or none of them.

    Raises:
        OSError: as `write_new`.
    """
    with contextlib.ExitStack() as made:
        for path, (octets, mode) in files.items():
            write_new(path, octets, mode)
            made.callback(path.unlink)
        made.pop_all()
