"""Base subjects: the steps of RFC 5256 section 2.1, and any text at all."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailstead.mail.basesubject import BaseSubject, base_subject
from mailstead.mail.sortkeys import subject_key
from tests.support.pace import seconds

PLAIN = [
    ("", ""), (" ", ""), ("foo", "foo"), ("foo  \t bar\r\n\tbaz ", "foo bar baz"), ("Resource: x", "Resource: x"),
    ("foo [bar]", "foo [bar]"), ("[foo]", "[foo]"), ("[foo] bar", "bar"), ("[a] [b]", "[b]"), ("[a][b] [c] x", "x"),
    ("[foo bar", "[foo bar"), ("[a [b] c", "[a [b] c"), ("[grüße] Köln", "Köln"), ("foo (fwd) bar", "foo (fwd) bar"),
    ("fwd", "fwd"), ("re", "re"), ("re [x] y", "re [x] y"), ("fwdd: x", "fwdd: x"), ("foo]", "foo]"), ("a\u00a0 b", "a\u00a0 b"),
]  # fmt: skip
REPLIES = [
    ("Re: foo", "foo"), ("RE:foo", "foo"), ("re : foo", "foo"), ("Fw: foo", "foo"), ("FWD: foo", "foo"),
    ("Re: Fwd: re: foo", "foo"), ("[list] Re: foo", "foo"), ("[a] [b] Re: foo", "foo"), ("Re[2]: foo", "foo"),
    ("re [a] : foo", "foo"), ("Re: [list] Re: foo", "foo"), ("Re: [foo]", "[foo]"), ("Re:", ""), ("[a] re:", ""),
    ("foo (fwd)", "foo"), ("foo (FWD) (fwd) ", "foo"), ("(fwd)", ""), ("[fwd: foo]", "foo"), ("[Fwd: Re: foo (fwd)]", "foo"),
    ("[fwd: [fwd: foo]]", "foo"), ("[fwd:]", ""), ("[a] [fwd: foo]", "foo"), ("Re: [fwd: [list] foo] (fwd)", "foo"),
    ("[fwd: [foo]]", "[foo]"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "base"), PLAIN)
def test_what_is_no_reply(subject: str, base: str) -> None:
    assert base_subject(subject) == BaseSubject(base, reply=False)


@pytest.mark.parametrize(("subject", "base"), REPLIES)
def test_replies_and_forwards(subject: str, base: str) -> None:
    assert base_subject(subject) == BaseSubject(base, reply=True)


def test_encoded_words_are_decoded_and_keys_are_cut() -> None:
    assert subject_key(b"=?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?=").text == "GRU\u0308ßE"
    assert subject_key(b"Re: " + b"x" * 100_000) == BaseSubject("X" * 256, reply=True)
    assert len(subject_key("\ufdfa".encode() * 5000).text) == 256
    assert subject_key(None) == subject_key(b"") == BaseSubject("", reply=False)


def literal(text: str) -> BaseSubject:
    """The RFC's steps, word for word."""
    text = re.sub(r"[ \t\r\n]+", " ", text)
    reply = False
    blob = r"\[[^\[\]]*\] *"
    while True:
        while found := re.search(r"(\(fwd\)| )\Z", text, re.I | re.A):
            reply |= found[0] != " "
            text = text[: found.start()]
        while True:
            if found := re.match(rf"(?:{blob})*(?:re|fwd?) *(?:{blob})?:| ", text, re.I | re.A):
                reply |= found[0] != " "
            elif (found := re.match(blob, text)) and not text[found.end() :]:
                found = None
            if not found:
                break
            text = text[found.end() :]
        if not re.fullmatch(r"\[fwd:.*\]", text, re.I | re.A | re.S):
            return BaseSubject(text, reply)
        text, reply = text[5:-1], True


PIECES = st.lists(
    st.sampled_from(["[", "]", "re", "Fwd", ":", " ", "(fwd)", "[fwd:", "\t", "x", "ß", "\n", "(", ")"])
)


@given(PIECES.map("".join) | st.text())
@example("[fwd: \x85[x]]")
def test_any_text_gives_what_the_steps_give_and_has_no_more_marks(text: str) -> None:
    base = base_subject(text)
    assert base == literal(text)
    assert base_subject(base.text) == BaseSubject(base.text, reply=False)


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "]",
        "[a]",
        "[a] ",
        "re",
        "re:",
        "re [",
        "re [a]",
        "[fwd:",
        "[fwd: ",
        "[fwd:[",
        "(fwd)",
        " (fwd",
        "[a]re ",
        "[fwd:]",
    ],
)
@pytest.mark.parametrize("tail", ["", "]" * 100_000, "x", ":]"])
def test_long_texts_are_linear(piece: str, tail: str) -> None:
    began = time.process_time()
    base_subject(piece * 100_000 + tail)
    assert time.process_time() - began < seconds(2)  # squares would be hours
