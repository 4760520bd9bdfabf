"""Threads of messages: THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 section 3).

No recursion, and time that is linear but for sorting, whatever the references say: who writes messages
chooses them. It is done in steps, so that others can have their turn in between.

Rule: a parent that a message names itself, its last reference, is linked before what others say about it.
The RFC goes through the messages once, and cuts a link again when the child's own message comes by; this
way no link is ever cut, so that "is this a loop" is a question to a union-find. The outcome is the same
unless references contradict each other.
"""

from collections.abc import Generator, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from mailstead.mail.sorting import ordered

REFERENCES_CAP = 100  # of one message, the last ones
STEP = 2000  # messages between two turns for others

NO_PARENT = -1


class Algorithm(Enum):
    """How messages are put into threads, by its name."""

    ORDEREDSUBJECT = b"ORDEREDSUBJECT"
    REFERENCES = b"REFERENCES"


class Posts(NamedTuple):
    """What threads need of messages, a column each, in the order of sequence numbers.

    Args:
        sent: Seconds since the epoch.
        subjects: What stands for the base subject: a number or a string, 0 or empty for an empty one.
        replies: Whether the subject has a mark of a reply or a forward.
        ids: A number that stands for the Message-ID; 0 without one.
        references: The numbers of what it refers to, the parent last.
    """

    sent: Sequence[int]
    subjects: Sequence[int | str]
    replies: Sequence[int]
    ids: Sequence[int]
    references: Sequence[Sequence[int]]


class Forest(NamedTuple):
    """Threads in order, as places in the list of posts; what lies beyond its end is a dummy.

    Args:
        children: In order; a message without children is not in it.
    """

    tops: list[int]
    children: dict[int, list[int]]


Threading = Generator[None, None, Forest]  # yields now and then


def threaded(posts: Posts, algorithm: Algorithm) -> Threading:
    """The threads of *posts*."""
    return by_references(posts) if algorithm is Algorithm.REFERENCES else by_subject(posts)


def by_subject(posts: Posts) -> Threading:
    """The first message of each base subject, and all others below it."""
    order = yield from ordered(range(len(posts.sent)), posts.sent.__getitem__)
    threads: dict[int | str, list[int]] = {}
    for done, at in enumerate(order):
        threads.setdefault(posts.subjects[at], []).append(at)
        if done % STEP == 0:
            yield
    found = list(threads.values())
    return Forest([t[0] for t in found], {t[0]: t[1:] for t in found if len(t) > 1})


def by_references(posts: Posts) -> Threading:
    """Who answers whom, by their references and then by their subjects."""
    links = _Links(posts)
    yield from links.own()
    yield from links.others()
    order = yield from ordered(range(len(posts.sent)), posts.sent.__getitem__)
    tree = _Tree(posts, order)
    yield from tree.grow(links.parents)
    yield from tree.gather()
    yield from tree.sort()
    return Forest(tree.tops, tree.children)


class _Links:
    """Step 1: who is whose parent; nodes are posts, and behind those what is only referred to."""

    def __init__(self, posts: Posts) -> None:
        self._posts = posts
        self._count = len(posts.ids)
        self._nodes: dict[int, int] = {}
        self.parents = [NO_PARENT] * self._count
        self._sets = list(range(self._count))  # union-find: each tree is one set

    def own(self) -> Generator[None]:
        """Link each message to the last of its references."""
        for at, own in enumerate(self._posts.ids):
            if own:
                self._nodes.setdefault(own, at)  # the first has it, the others have none
            if at % STEP == 0:
                yield
        for at, references in enumerate(self._posts.references):
            if references:
                self._link(self._node(references[-1]), at)
            if at % STEP == 0:
                yield

    def others(self) -> Generator[None]:
        """Link what each message refers to, one to the next, where there is no link yet."""
        parents, count, seen = self.parents, self._count, 0
        for at, references in enumerate(self._posts.references):
            if len(references) > 1:
                for parent, child in pairwise([self._node(r) for r in references]):
                    # What comes behind this one will have cut the link when it came by.
                    if parents[child] == NO_PARENT and (child >= count or child < at):
                        self._link(parent, child)
            seen += 1 + len(references)
            if seen >= STEP:
                seen = 0
                yield

    def _node(self, reference: int) -> int:
        node = self._nodes.get(reference)
        if node is None:
            node = self._nodes[reference] = len(self.parents)
            self.parents.append(NO_PARENT)
            self._sets.append(node)
        return node

    def _link(self, parent: int, child: int) -> None:
        """Make *child*, which has no parent, one of *parent*; unless it is above it."""
        above, below = self._set(parent), self._set(child)
        if above != below:
            self.parents[child] = parent
            self._sets[below] = above

    def _set(self, node: int) -> int:
        sets = self._sets
        while (up := sets[node]) != node:
            sets[node] = node = sets[up]
        return node


class _Tree:
    """Steps 2 to 6: threads without what is only referred to, gathered by subject, and sorted."""

    def __init__(self, posts: Posts, order: list[int]) -> None:
        self._subjects = posts.subjects
        self._replies = posts.replies
        self._count = len(order)
        self._rank = [0] * self._count  # by sent date, then by sequence number
        self._order = order
        self._next_dummy = 0
        self.tops: list[int] = []
        self.children: dict[int, list[int]] = {}

    def grow(self, parents: list[int]) -> Generator[None]:
        """Prune dummies; one that holds several threads together stays (steps 2 to 4).

        By going through the messages in the order of their dates, all siblings come to be in it.
        """
        count, children = self._count, self.children
        self._next_dummy = len(parents)
        for done, at in enumerate(self._order):
            self._rank[at] = done
            up = parents[at]
            if up >= count:
                up = _above(parents, up, count)
            if up == NO_PARENT:
                self.tops.append(at)
            elif up in children:
                children[up].append(at)
            else:
                children[up] = [at]
                if up >= count:
                    self.tops.append(up)
            if done % STEP == 0:
                yield
        for place, top in enumerate(self.tops):
            if top >= count and len(children[top]) == 1:
                (self.tops[place],) = children.pop(top)

    def gather(self) -> Generator[None]:
        """Put threads of one base subject together (step 5)."""
        table: dict[int | str, int] = {}
        for done, top in enumerate(self.tops):
            if done % STEP == 0:
                yield
            if (subject := self._subject(top)) and self._leads(top, table.get(subject)):
                table[subject] = top
        joined: set[int] = set()
        for done, top in enumerate(self.tops[:]):
            if done % STEP == 0:
                yield
            if top in joined or (there := table.get(subject := self._subject(top), top)) == top:
                continue
            joined.add(top)
            if self._is_dummy(there):
                self.children[there] += self.children.pop(top) if self._is_dummy(top) else [top]
            elif self._replies[top] and not self._replies[there]:
                self.children.setdefault(there, []).append(top)
            else:  # neither answers the other
                joined.add(there)
                table[subject] = self._dummy_above([there, top])
        self.tops = [top for top in self.tops if top not in joined]

    def sort(self) -> Generator[None]:
        """Siblings by sent date, and threads by their first message (step 6)."""
        for done, siblings in enumerate(self.children.values()):
            siblings.sort(key=self._rank.__getitem__)
            if done % STEP == 0:
                yield
        self.tops = yield from ordered(self.tops, lambda top: self._rank[self._first(top)])

    def _leads(self, top: int, there: int | None) -> bool:
        """Whether *top* stands for its subject instead of the one that is *there*."""
        if there is None or self._is_dummy(there):
            return there is None
        return self._is_dummy(top) or bool(self._replies[there] and not self._replies[top])

    def _dummy_above(self, tops: list[int]) -> int:
        dummy = self._next_dummy
        self._next_dummy += 1
        self.children[dummy] = tops
        self.tops.append(dummy)
        return dummy

    def _is_dummy(self, node: int) -> bool:
        return node >= self._count

    def _subject(self, top: int) -> int | str:
        return self._subjects[self._first(top)]

    def _first(self, top: int) -> int:
        return self.children[top][0] if self._is_dummy(top) else top


def _above(parents: list[int], dummy: int, count: int) -> int:
    """The next message above a dummy, or the dummy above which there is nothing."""
    passed: list[int] = []
    while (up := parents[dummy]) != NO_PARENT:
        if up < count:
            dummy = up
            break
        passed.append(dummy)
        dummy = up
    for node in passed:  # the next one that asks is there at once
        parents[node] = dummy
    return dummy
