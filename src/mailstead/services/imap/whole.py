"""A message read and scanned again, for the few whose summary had no room for what is asked for."""

import asyncio
from dataclasses import dataclass

from mailstead.accounts.reading import Located
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.mail import render
from mailstead.mail.part import Part
from mailstead.mail.section import PartNode
from mailstead.mail.structure import Scanner
from mailstead.mail.text import preview


@dataclass(frozen=True, slots=True)
class Whole:
    """What the scan of a whole message gives."""

    envelope: bytes
    bodystructure: bytes
    root: PartNode
    preview: str

    @classmethod
    async def read(cls, account: UnlockedAccount, message: Located) -> "Whole":
        """Read *message* from the store, in pieces, and scan it."""
        scanner = Scanner()
        async for piece in account.read(message.body):
            scanner.push(piece)
        found = scanner.finish()
        root = found.root
        await asyncio.sleep(0)  # of ten thousand parts each of these takes long enough
        structure = render.bodystructure(root)
        await asyncio.sleep(0)
        return cls(render.envelope(root), structure, _node(root), preview(found))


def _node(root: Part) -> PartNode:
    """The offsets of a part and of all below it; without recursion."""
    top = PartNode(root.header_start, root.body_start, root.body_end)
    waiting = [(root, top)]
    while waiting:
        part, node = waiting.pop()
        for child in part.children:
            below = PartNode(child.header_start, child.body_start, child.body_end)
            node.children.append(below)
            waiting.append((child, below))
    return top
