"""Closing connections that are past their deadline."""

import asyncio
from collections.abc import Collection

from mailstead.net.wire import Wire

STRESS = 500  # connections of one worker, above which the idle ones are given less time


async def sweep(wires: Collection[Wire], stress: int = STRESS, every: float = 1.0) -> None:
    """Close what is past its deadline, once a second, for as long as the worker runs.

    With more than *stress* connections those go early that are between two commands, by what their
    protocol allows. One comparison per connection and second costs less than a timer per read.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every)
        now = loop.time()
        crowded = len(wires) > stress
        for wire in [w for w in wires if w.deadline < (now + w.hurry if crowded and w.idle else now)]:
            wire.expire()
