"""How far a command has come, as a response (RFC 9585 sections 4 and 5)."""

import re

import pytest

from mailstead.imap.commands import tag_of
from mailstead.imap.inprogress import in_progress

# inprogress-tag SP inprogress-state; a goal is a positive number.
_GRAMMAR = re.compile(
    rb'\* OK \[INPROGRESS \((NIL|"(?:[^"\\\r\n\]]|\\["\\])*") (?:(\d+) ([1-9]\d*)|\d+ NIL|NIL NIL)\)\] [ -~]+\r\n'
)


@pytest.mark.parametrize(
    ("done", "goal", "state"),
    [
        (175, 1000, b"175 1000"), (175, None, b"175 NIL"),  # RFC 9585 section 4
        (0, 5, b"0 5"), (0, None, b"0 NIL"), (5, 5, b"4 5"), (9, 5, b"4 5"), (0, 1, b"0 1"), (1, 1, b"0 1"), (0, 0, b"0 NIL"),
    ],
)  # fmt: skip
def test_a_goal_is_never_reached_before_the_end(done: int, goal: int | None, state: bytes) -> None:
    line = in_progress(b"A001", done, goal)
    assert line == b'* OK [INPROGRESS ("A001" %b)] Still at it\r\n' % state
    assert _GRAMMAR.fullmatch(line)


def test_every_tag_there_is_can_be_said() -> None:
    """ "]" would end the code: NIL stands for a tag with one (section 4); here no command has it."""
    tags = [bytes((octet,)) for octet in range(256)]
    legal = [tag for tag in tags if tag_of(tag + b" NOOP") == tag]
    assert len(legal) > 80
    for tag in [*legal, b"".join(legal)]:
        assert in_progress(tag, 1).startswith(b'* OK [INPROGRESS ("%b" 1 NIL)]' % tag)
        assert _GRAMMAR.fullmatch(in_progress(tag, 1))


@pytest.mark.parametrize("tag", [b"]", b"a]b", b"\r\n", b"\xff"])
def test_what_cannot_be_said_is_left_out(tag: bytes) -> None:
    assert in_progress(tag, 1, 2) == b"* OK [INPROGRESS (NIL 1 2)] Still at it\r\n"


def test_specials_are_quoted() -> None:
    assert in_progress(b'a"\\b', 1) == b'* OK [INPROGRESS ("a\\"\\\\b" 1 NIL)] Still at it\r\n'
