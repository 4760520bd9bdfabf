"""A broken mailstead for the controls of tests/system: it answers before it has committed.

MAILSTEAD_BROKEN chooses what is broken: nothing said, deliveries and changes; "changes", only those;
"hashing", passwords are hashed where everybody waits for them; "halves", a REPLACE is two transactions;
"keys", a copy of each store key stays on the heap; "statements", each statement is a transaction.

Python imports this module at start when its folder is on the path; the server's own code is as it is.
"""

import os
import sys
import time

BROKEN = os.environ.get("MAILSTEAD_BROKEN")
# STORE and EXPUNGE; COPY and MOVE
CHANGES = ("write_rows.<locals>.work", "Copying._write.<locals>.work")


class _Breaker:
    def find_spec(self, name, path=None, target=None):
        if name != ("mailstead.store.opening" if BROKEN == "statements" else "mailstead.services.worker"):
            return
        sys.meta_path.remove(self)
        if BROKEN == "statements":
            from mailstead.store.sqlite import Savepoints, SqliteEngine, SqliteTx

            class None_(Savepoints):
                begin = keep = undo = lambda self: None

            class Slow(SqliteTx):
                def execute(self, sql, parameters=()):
                    rows = super().execute(sql, parameters)
                    if not sql.startswith("SELECT"):
                        time.sleep(0.02)  # a kill comes between two of them, and not always before
                    return rows

            def run_without(self, group):
                connection = self._ready()
                with self._lock:
                    if group.begin():
                        group.run_each(Slow(connection), None_(connection))

            SqliteEngine.run = run_without
            return
        if BROKEN == "hashing":
            from mailstead.accounts.hashing import Hashing

            async def run(self, whose, work, *args, **kwargs):
                return work(*args, **kwargs)

            Hashing.run = run
            return
        if BROKEN == "halves":
            from asyncio import sleep

            from mailstead.accounts.replacing import Replacing

            turn = Replacing._turn

            async def halves(self, number, place, lost):
                await turn(self, number, lambda tx: None, lost)
                await sleep(0.2)
                return await self._online.database.write(place)

            Replacing._turn = halves
            return
        if BROKEN == "keys":
            from mailstead.crypto.keys import StoreKeys

            made, kept = StoreKeys.__init__, []

            def keeping(self, arena, account, epoch, store_key):
                kept.append(bytearray(store_key))
                made(self, arena, account, epoch, store_key)

            StoreKeys.__init__ = keeping
            return
        from mailstead.store import writer

        original = writer.Writer._hand_over

        def hand_over(self, loop):
            before = list(self._waiting)
            original(self, loop)
            for job in before:
                if job.work is not None and not job.future.done():
                    # Whatever a delivery waits for: as if it were stored, before anything is.
                    from mailstead.store.arrivals import Placed

                    names = job.work.__code__.co_freevars
                    if "letters" in names and BROKEN != "changes":
                        letters = job.work.__closure__[names.index("letters")].cell_contents
                        job.future.set_result([[Placed(1, 1) for _ in lt.arrivals] for lt in letters])
                    elif job.work.__qualname__ in CHANGES:
                        job.future.set_result(None)

        writer.Writer._hand_over = hand_over
        from mailstead.store import sqlite

        run = sqlite.SqliteEngine.run

        def slow(self, group):
            time.sleep(0.05)  # a disk that takes its time: what it has not done yet is what a kill undoes
            run(self, group)

        sqlite.SqliteEngine.run = slow
        return


sys.meta_path.insert(0, _Breaker())
