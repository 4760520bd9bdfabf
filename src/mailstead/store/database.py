"""The seam to a database: a transaction is a plain function.

Work is a function of a `Tx` that holds literal SQL and no `await`, so that SQLite and PostgreSQL
run the same functions, and a transaction can be stepped through and tested alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, LiteralString, Protocol, TypeVar

SqlValue = int | float | str | bytes | None
# A row is what the SELECT beside it names; its types are the columns', which no checker sees.
Row = tuple[Any, ...]
T = TypeVar("T")


class Tx(Protocol):
    """One transaction. All SQL is literal, in the subset that both engines speak."""

    def execute(self, sql: LiteralString, parameters: Sequence[SqlValue] = ()) -> list[Row]:
        """Run one statement with ``?`` parameters; its rows, if it has any."""
        ...

    def execute_many(self, sql: LiteralString, rows: Sequence[Sequence[SqlValue]]) -> list[Row]:
        """Run one statement once for each row of parameters; all rows of all of them."""
        ...

    def now(self) -> int:
        """The database's clock, in seconds since the epoch: leases and due times use no other."""
        ...


Work = Callable[[Tx], T]


class Conflict(Exception):
    """A row was not as its table demands: what *work* wanted cannot be, whoever tries it."""


class Database(Protocol):
    """Where transactions run."""

    async def read(self, work: Work[T]) -> T:
        """Run *work* on one snapshot; it may not write. No longer than a second."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run *work* in a transaction; return once its effects are durable.

        What *work* raises undoes what it did, harms no neighbour of its commit group, and is
        raised here.

        Raises:
            Unavailable: The disk is full or failing, or the database is away.
        """
        ...

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        """As `write`, with the work asked for at the very moment its commit group is closed.

        *prepare* is called on the event loop and may not wait; whatever it leaves open after
        that moment belongs to a later group.
        """
        ...

    async def truncate_log(self) -> None:
        """See to it that what was erased is in no live file any more."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
        ...
