"""`serve --show-mail`: each message on the terminal as it arrives, as the first mailstead did.

Everything a sender wrote is untrusted: control characters are shown, never sent to the terminal.
"""

import contextlib
from collections.abc import Callable

from mailstead.delivery.reception import Transaction
from mailstead.mail.text import display

RULE = "-" * 72


def shower(write: Callable[[str], None]) -> Callable[[Transaction], None]:
    """A function that shows a transaction by way of *write*."""

    def show(transaction: Transaction) -> None:
        envelope = transaction.envelope
        body = transaction.body
        octets = bytes(body.shown)
        lines = [
            RULE,
            f"mail {transaction.name}, {body.size} octets",
            f"  from  <{'' if envelope.reverse_path is None else envelope.reverse_path}>",
            *(f"  to    <{r.path}>" for r in transaction.recipients),
            "",
            display(octets),
        ]
        if body.size > len(octets):
            lines.append(f"[... {body.size - len(octets)} octets more]")
        # Nobody there to read it, or no such letters there: the mail is stored all the same.
        with contextlib.suppress(OSError, ValueError):
            write("\n".join([*lines, RULE, ""]))

    return show
