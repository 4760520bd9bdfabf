"""Events with fields, one physical line each. Never octets of mail, subjects, passwords or keys.

A thin seam over structlog. Addresses are written only when the settings ask for it, and
otherwise as a hash under a key that changes daily and exists only in memory.
"""

import contextlib
import hashlib
import hmac
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog

LINE_OCTETS = 4096
DAY = 86400


class Log:
    """Where events go.

    Args:
        stream: Standard error, if not said otherwise.
        addresses: Whether addresses are written as they are.
        level: The least severe events that are written: debug, info, warning, error.
    """

    def __init__(self, stream: TextIO | None = None, *, addresses: bool = False, level: str = "info") -> None:
        self._addresses = addresses
        self._key = os.urandom(32)
        self._logger: Any = structlog.wrap_logger(
            structlog.PrintLogger(stream or sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _cut,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(level),
        )

    def address(self, address: str) -> str:
        """An address as it may be written."""
        if self._addresses:
            return address
        return hmac.new(self._key, address.encode(), hashlib.sha256).hexdigest()[:12]

    def debug(self, event: str, **fields: object) -> None:
        """The dialogue, for who looks for a fault."""
        self._write(self._logger.debug, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Mail moved."""
        self._write(self._logger.info, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Someone should look."""
        self._write(self._logger.warning, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """An operator must act."""
        self._write(self._logger.error, event, fields)

    def unforeseen(self, event: str, error: Exception) -> None:
        """A mistake of ours: what it was and where, but not its text, which may quote what was sent."""
        step, where = error.__traceback__, ""
        while step is not None:
            where = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
            step = step.tb_next
        self.error(event, error=type(error).__name__, where=where)

    def _write(self, write: Callable[..., object], event: str, fields: dict[str, object]) -> None:
        # A log on a full disk must not end the session that it is about.
        with contextlib.suppress(OSError, ValueError):
            write(event, **fields)


def _cut(_: object, __: str, fields: Any) -> Any:
    """No line grows beyond what one write of the kernel keeps whole."""
    room = LINE_OCTETS // max(1, len(fields)) // 4
    return {k: v[:room] if isinstance(v, str) else v for k, v in fields.items()}
