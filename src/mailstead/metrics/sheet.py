"""Memory that all processes of a server share: a region of cells for each worker.

It has no name in any file system: the parent makes it and hands it down by its number, and it
is gone with the last process that has it.
"""

import mmap
import os

from mailstead.metrics.catalogue import CELLS
from mailstead.metrics.families import Cells

REGION = CELLS * 8


def new_sheet(workers: int) -> int:
    """A file descriptor of memory for so many workers, all zeros.

    Raises:
        OSError: the kernel gives none.
    """
    fd = os.memfd_create("mailstead-metrics")
    os.ftruncate(fd, workers * REGION)
    return fd


class Sheet:
    """The shared memory, as one process has it.

    Args:
        fd: As `new_sheet` made it; it may be closed afterwards.

    Raises:
        OSError: it is none.
    """

    def __init__(self, fd: int) -> None:
        self._workers = os.fstat(fd).st_size // REGION
        self._cells: Cells = memoryview(mmap.mmap(fd, self._workers * REGION)).cast("d")

    def region(self, number: int) -> Cells:
        """The cells of worker *number*."""
        return self._cells[number * CELLS : (number + 1) * CELLS]

    def total(self) -> list[float]:
        """All regions added up, cell by cell."""
        regions = [self.region(number).tolist() for number in range(self._workers)]
        return [sum(cells) for cells in zip(*regions, strict=True)]
