"""The seconds of the cases, on the machine that runs them."""

import time

ROUNDS = 300_000
# What `_work` takes, in seconds of processor time, on the machine that limits are meant for: one of 4 GHz.
REFERENCE = 0.012


def _work() -> float:
    began = time.process_time()
    number = 0
    for step in range(ROUNDS):
        number += step
    return time.process_time() - began


def seconds(number: float) -> float:
    """As long as *number* seconds of the reference machine take here and now; never less than *number*.

    A limit in seconds says as much of the machine as of what it limits: one that is half as fast, or has much
    else to do, is given twice as many.
    """
    return number * max(1.0, _work() / REFERENCE)
