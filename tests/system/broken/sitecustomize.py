"""A broken mailstead for the controls of tests/system: it answers before it has committed.

MAILSTEAD_BROKEN chooses what is broken: nothing said, deliveries and changes; "changes", only those;
"hashing", passwords are hashed where everybody waits for them; "halves", a REPLACE is two transactions;
"keys", a copy of each store key stays on the heap; "statements", each statement is a transaction;
"unsealed BODY PAGE", records of these kinds are stored as they are; "spool", what is spooled is not
sealed; "trace", what comes over the wire is written to a temporary file.

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
        whole, _, kinds = BROKEN.partition(" ")
        where = {"statements": "mailstead.store.opening", "unsealed": "mailstead.crypto"}
        if name != where.get(whole, "mailstead.services.worker"):
            return
        sys.meta_path.remove(self)
        if kinds:
            _unseal(kinds.split())
            return
        if BROKEN == "spool":
            from mailstead.crypto.serverbox import ServerBox

            ServerBox.seal = ServerBox.open = lambda self, index, octets: octets
            return
        if BROKEN == "trace":
            import tempfile

            from mailstead.net.wire import Wire

            received = Wire.data_received

            def traced(self, data):
                with open(os.path.join(tempfile.gettempdir(), "trace"), "ab") as file:
                    file.write(data)
                received(self, data)

            Wire.data_received = traced
            return
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


def _unseal(kinds):
    """Store records of these kinds as they are: of the layout of sealed ones, and openable as they are."""
    from mailstead.crypto import primitives as p
    from mailstead.crypto.sealed import Kind

    kinds = {Kind[kind] for kind in kinds}
    real, seal, open_sealed, access = p.Encryptor, p.seal, p.open_sealed, p.RandomAccess

    def bare(context):
        return context[:12] in (b"EMS1 record\0", b"EMS1 stored\0") and context[17] in kinds

    def laid_out(frame):
        pieces = [bytes(frame[at : at + p.CHUNK]) for at in range(0, len(frame) + 1, p.CHUNK)]
        return os.urandom(p.HEAD) + b"".join(piece + bytes(16) for piece in pieces)

    class Encryptor:
        def __init__(self, key, context):
            self.inner = None if bare(context) else real(key, context)
            self.whole = bytearray()

        def update(self, octets):
            if self.inner is not None:
                return self.inner.update(octets)
            self.whole += octets
            return b""

        def finalize(self):
            return laid_out(self.whole) if self.inner is None else self.inner.finalize()

    class RandomAccess(access):
        def __init__(self, key, context, head, total):
            self.bare = bare(context)
            if not self.bare:
                super().__init__(key, context, head, total)
            self.chunks, self._last = (
                (total - p.HEAD) // p.SEALED_CHUNK + 1,
                (total - p.HEAD) % p.SEALED_CHUNK,
            )

        def open(self, index, sealed):
            return bytes(sealed[:-16]) if self.bare else super().open(index, sealed)

    def opened(key, context, payload):
        return p.open_kept(key, context, payload) if bare(context) else open_sealed(key, context, payload)

    p.Encryptor, p.RandomAccess, p.open_sealed = Encryptor, RandomAccess, opened
    p.seal = lambda key, context, frame: laid_out(frame) if bare(context) else seal(key, context, frame)


if BROKEN is not None:
    sys.meta_path.insert(0, _Breaker())
