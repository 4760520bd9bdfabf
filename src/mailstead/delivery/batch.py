"""Letters on their way into one commit group, and the lanes that live exactly as long.

A message is sealed and put into the open group in one step, without an await between. When the
database takes the group, its lanes are closed and their seeds wiped; what arrives meanwhile
opens the next group. So there is no lane that outlives its transaction.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from mailstead.accounts.directory import Resident
from mailstead.crypto.lanes import LaneWriter
from mailstead.errors import MailError, Reason, Unavailable
from mailstead.store.arrivals import Letter, Outcome, Placed, add_arrivals
from mailstead.store.database import Database, Tx, Work
from mailstead.store.ledger import Ledger

GATHER_SECONDS = 0.001

Outcomes = list[Outcome]


@dataclass(slots=True)
class _Group:
    letters: list[Letter] = field(default_factory=list[Letter])
    waiting: list[asyncio.Future[Outcomes]] = field(default_factory=list["asyncio.Future[Outcomes]"])
    lanes: dict[tuple[int, int], LaneWriter] = field(default_factory=dict[tuple[int, int], LaneWriter])

    def close(self) -> None:
        for lane in self.lanes.values():
            lane.close()
        self.lanes.clear()


class Batch:
    """Collects letters while a commit is in flight, and writes them as one group.

    Args:
        lane_messages: How many messages may share a lane; 1 is one encapsulation each.
        rung: Called with the accounts that got mail, once a commit group is durable.
        ledger: Where it is noted then what has arrived.
    """

    def __init__(
        self,
        database: Database,
        lane_messages: int = 256,
        rung: Callable[[set[int]], None] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._rung = rung
        self._lane_messages = lane_messages
        self._open = _Group()
        self._some = asyncio.Event()
        self.arriving = 0  # messages that have begun and are not added yet

    def lane(self, to: Resident) -> LaneWriter:
        """The open group's lane to *to*; the message sealed in it must be added at once."""
        key = (to.account_id, to.epoch)
        lane = self._open.lanes.get(key)
        if lane is None or lane.count >= self._lane_messages:
            if lane is not None:
                lane.close()
            lane = self._open.lanes[key] = LaneWriter(to.uuid, to.epoch, to.key)
        return lane

    def add(self, letter: Letter) -> "asyncio.Future[Outcomes]":
        """Put *letter* into the open group; its outcomes, once they are durable."""
        future: asyncio.Future[Outcomes] = asyncio.get_running_loop().create_future()
        self._open.letters.append(letter)
        self._open.waiting.append(future)
        self._some.set()
        return future

    async def run(self) -> None:
        """Write group after group; runs as long as the worker does."""
        while True:
            await self._some.wait()
            if self.arriving:
                # Others are in the middle of their message: one fsync may do for all of them.
                await asyncio.sleep(GATHER_SECONDS)
            self._some.clear()
            await self._write()

    async def _write(self) -> None:
        taken: list[_Group] = []

        def prepare() -> Work[list[Outcomes]]:
            group, self._open = self._open, _Group()
            self._some.clear()
            group.close()
            taken.append(group)
            letters = group.letters
            return lambda tx: add_arrivals(tx, letters)

        try:
            outcomes = await self._database.write_group(prepare)
        except Exception as error:
            # Whatever it was, every letter taken gets an answer: 451, or a try of its own.
            for group in taken:
                await self._write_singly(group, error)
            if not taken:
                self._fail_open(error)
            return
        (group,) = taken
        self._durable(group.letters, outcomes)
        _settle(group, outcomes)

    async def _write_singly(self, group: _Group, error: Exception) -> None:
        """A group that failed as a whole is tried a letter at a time, so one cannot harm another."""
        hopeless = len(group.letters) == 1 or (
            isinstance(error, MailError) and error.reason in (Reason.STORAGE_FULL, Reason.STORAGE_UNAVAILABLE)
        )
        for letter, future in zip(group.letters, group.waiting, strict=True):
            failure = error
            if not hopeless:
                try:
                    (outcome,) = await self._database.write(_work(letter))
                except Exception as own:
                    failure = own
                else:
                    self._durable([letter], [outcome])
                    _answer(future, outcome)
                    continue
            if not future.done():
                future.set_exception(_as_unavailable(failure))

    def note(self, outcomes: list[Outcomes]) -> None:
        """Note in the ledger what has arrived and is durable, before anybody is answered."""
        if self._ledger is None:
            return
        found = [o.last for row in outcomes for o in row if isinstance(o, Placed) and o.last is not None]
        if found:
            self._ledger.note([self._ledger.arrived(*last) for last in found])

    def _durable(self, letters: list[Letter], outcomes: list[Outcomes]) -> None:
        self.note(outcomes)
        if self._rung is None:
            return
        placed = {
            arrival.account_id
            for letter, row in zip(letters, outcomes, strict=True)
            for arrival, outcome in zip(letter.arrivals, row, strict=True)
            if isinstance(outcome, Placed)
        }
        if placed:
            self._rung(placed)

    def _fail_open(self, error: Exception) -> None:
        group, self._open = self._open, _Group()
        group.close()
        for future in group.waiting:
            if not future.done():
                future.set_exception(_as_unavailable(error))


def _work(letter: Letter) -> Work[list[Outcomes]]:
    def work(tx: Tx) -> list[Outcomes]:
        return add_arrivals(tx, [letter])

    return work


def _settle(group: _Group, outcomes: list[Outcomes]) -> None:
    for future, outcome in zip(group.waiting, outcomes, strict=True):
        _answer(future, outcome)


def _answer(future: "asyncio.Future[Outcomes]", outcome: Outcomes) -> None:
    if not future.done():  # the session may have gone meanwhile; the mail is stored all the same
        future.set_result(outcome)


def _as_unavailable(error: Exception) -> MailError:
    if isinstance(error, MailError):
        return error
    unavailable = Unavailable(Reason.STORAGE_UNAVAILABLE, type(error).__name__)
    unavailable.__cause__ = error
    return unavailable
