"""A measured database answers as the database does, and says what it cannot."""

from pathlib import Path

import pytest

from mailstead.errors import MailError, Reason, Refused, Unavailable
from mailstead.metrics.catalogue import Metrics
from mailstead.metrics.text import exposition
from mailstead.store.database import Database
from mailstead.store.measured import Measured
from mailstead.store.migrate import get_meta, put_meta
from tests.support.scraped import Numbers


def shown(metrics: Metrics) -> Numbers:
    return Numbers(exposition(metrics.families, metrics.total()))


async def test_what_is_done_is_timed_and_what_fails_is_counted(database: Database, tmp_path: Path) -> None:
    metrics = Metrics()
    measured = Measured(database, metrics)
    await measured.write(lambda tx: put_meta(tx, "a", b"1"))
    await measured.write_group(lambda: lambda tx: put_meta(tx, "b", b"2"))
    assert await measured.read(lambda tx: get_meta(tx, "a")) == b"1"
    assert await measured.read(lambda tx: get_meta(tx, "b")) == b"2"
    await measured.truncate_log()

    def failing(error: MailError):
        def work(_: object) -> None:
            raise error

        return work

    for error in (
        Unavailable(Reason.STORAGE_FULL), Unavailable(Reason.STORAGE_UNAVAILABLE), Unavailable(Reason.OVER_QUOTA),
        Refused(Reason.NO_SUCH_MAILBOX),
    ):  # fmt: skip
        for run in (measured.read, measured.write):
            with pytest.raises(type(error)) as caught:
                await run(failing(error))
            assert caught.value.reason is error.reason
    numbers = shown(metrics)
    for op in ("read", "write"):
        assert numbers("store_operation_seconds_count", op=op) == 6
        assert numbers("store_failures_total", op=op) == 2, (
            "what the work says of itself is not the database's"
        )
