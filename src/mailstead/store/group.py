"""Commit groups: works that share one transaction and one fsync, and what became of each."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailstead.errors import MailError
from mailstead.store.database import Tx, Work


class Savepoint(Protocol):
    """How an engine undoes one work of a transaction."""

    def begin(self) -> None:
        """Mark the place to come back to."""
        ...

    def keep(self) -> None:
        """Forget the place."""
        ...

    def undo(self) -> None:
        """Go back to the place."""
        ...

    def fatal(self, error: Exception) -> bool:
        """Whether *error* spoils the transaction as a whole."""
        ...

    def named(self, error: Exception) -> Exception:
        """*error* in the words of `mailstead.store.database`, where it has some."""
        ...


class Engine(Protocol):
    """What a writer drives; all but `close` is called in its thread only."""

    def run(self, group: "Group") -> None:
        """Make a group durable and fill in what became of each job; or raise, with nothing done.

        Must call `Group.begin` when its transaction has begun, and do nothing if that says no.
        """
        ...

    def rest(self) -> None:
        """Do what could wait until the group was answered; must not raise."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


@dataclass(slots=True)
class Job:
    """One work that waits, and what became of it."""

    future: "asyncio.Future[Any]"
    prepare: Callable[[], Work[Any]]
    work: Work[Any] | None = None
    result: Any = None
    error: BaseException | None = None

    def run(self, tx: Tx) -> None:
        """Run the work, which must have been prepared."""
        assert self.work is not None
        try:
            self.result = self.work(tx)
        except StopIteration as error:  # a future cannot carry it
            raise RuntimeError("work raised StopIteration") from error


@dataclass(slots=True)
class Group:
    """Works that share one transaction and one fsync."""

    jobs: list[Job] = field(default_factory=list[Job])
    # Empty until its transaction has begun or nobody waits any more: whoever is first decides.
    _fate: list[str] = field(default_factory=list[str])
    _deciding: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """The transaction has begun: from now on the outcome is the disk's. False: too late."""
        return self._decide("begun")

    def give_up(self) -> bool:
        """Nobody waits for it any more. False: it has begun, and will have an outcome."""
        return self._decide("given up")

    def _decide(self, fate: str) -> bool:
        with self._deciding:
            if not self._fate:
                self._fate.append(fate)
            return self._fate[0] == fate

    def run_each(self, tx: Tx, savepoint: Savepoint) -> bool:
        """Run the works in order; one that raises is undone and harms no other.

        Returns:
            Whether there is anything to commit.
        """
        alone = len(self.jobs) == 1  # the transaction itself undoes it
        for job in self.jobs:
            job.result = job.error = None
            if not alone:
                savepoint.begin()
            try:
                job.run(tx)
            except Exception as error:
                if savepoint.fatal(error):
                    raise
                job.error = savepoint.named(error)
                if not alone:
                    savepoint.undo()
            else:
                if not alone:
                    savepoint.keep()
        return any(job.error is None for job in self.jobs)

    def settle(self, failure: BaseException | None) -> None:
        """Answer everybody; called on the loop once the commit is durable, or has failed."""
        for job in self.jobs:
            if job.future.done():
                continue
            error = job.error if failure is None else _own(failure)
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(job.result)


def _own(failure: BaseException) -> BaseException:
    """A failure for each to raise: one that many raise gathers the tracebacks of all."""
    if not isinstance(failure, MailError):
        return failure
    copy = type(failure)(failure.reason, str(failure))
    copy.__cause__ = failure
    return copy
