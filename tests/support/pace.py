"""The seconds of the cases, on the machine that runs them."""

import os
import time

ROUNDS = 300_000
# What `_work` takes, in seconds of processor time, on the machine that limits are meant for: one of 4 GHz.
REFERENCE = 0.012
# What else runs beside a test takes caches and turns from it, and the suite runs two at a time. Alone, with
# MAILSTEAD_CASES=full, a limit is what the case says.
COMPANY = 1 if os.environ.get("MAILSTEAD_CASES") == "full" else 3


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
    return number * COMPANY * max(1.0, _work() / REFERENCE)
