"""Time, asked for and never taken: the only import of `time` in what runs.

Pure packages are handed times as numbers. The services hold a `Clock`, so that a simulation
can run them on virtual time.
"""

import time
from typing import Protocol

ticks = time.perf_counter  # seconds since some moment, for what is measured and decides nothing


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since the epoch; may jump, so never used to measure."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never jumps, so used for every deadline."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()
