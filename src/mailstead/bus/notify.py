"""PostgreSQL as the bell between hosts: NOTIFY in a transaction of its own, after the group's.

Inside the group's transaction it would make all commits that notify queue for one lock.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

import psycopg
from psycopg import AsyncConnection

CHANNEL = "mailstead"
CONNECT_SECONDS = 5
PAUSE_SECONDS = 1.0


class NotifyBell:
    """The bell of one process, with one connection to ring and one to listen."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: set[int] = set()
        self._heard: Callable[[int], None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._out: AsyncConnection[tuple[object, ...]] | None = None

    def ring(self, accounts: Iterable[int]) -> None:
        """Tell this process at once and all others soon; rings of one account meanwhile are one."""
        for account in accounts:
            if self._heard is not None:
                self._heard(account)
            self._waiting.add(account)
        if self._waiting and (self._sender is None or self._sender.done()):
            # It lives as long as there is something to send, and `close` waits for it.
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            accounts = [str(account) for account in self._waiting]
            self._waiting.clear()
            try:
                if self._out is None or self._out.closed:
                    self._out = await _connect(self._url)
                await self._out.execute(
                    "SELECT pg_notify(%s, account) FROM unnest(%s::text[]) AS account", (CHANNEL, accounts)
                )
            except psycopg.Error:
                return  # lost: who waits looks for himself

    async def run(self, heard: Callable[[int], None]) -> None:
        """Listen, and begin again after a lost connection."""
        self._heard = heard
        try:
            while True:
                with contextlib.suppress(psycopg.Error):
                    async with await _connect(self._url) as connection:
                        await connection.execute(f"LISTEN {CHANNEL}")
                        async for notice in connection.notifies():
                            if notice.payload.isdecimal():
                                heard(int(notice.payload))
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._heard = None

    async def close(self) -> None:
        """Let what was rung go out."""
        if self._sender is not None:
            await self._sender
        if self._out is not None:
            await self._out.close()


async def _connect(url: str) -> "AsyncConnection[tuple[object, ...]]":
    return await AsyncConnection.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS)
