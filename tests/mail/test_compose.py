"""What we write ourselves: read back by another parser, it says what was meant."""

import base64
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.mail.address import Address
from mailstead.mail.compose import Attachment, compose
from mailstead.mail.encodedwords import text
from mailstead.mail.structure import Scanner

ANN, BEN = Address("ann", "a.test"), Address("b b", "b.test")
CLEAN = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=120)


def made(subject: str = "s", body: str = "b", attachments: tuple[Attachment, ...] = ()) -> bytes:
    return compose(
        ANN, [BEN, ANN], subject, body, attachments,
        date="Fri, 21 Nov 1997 09:55:06 -0600", message_id="1@a.test", boundary="=_b",
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(CLEAN, st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=2000))
def test_subject_and_text_are_read_back(subject: str, body: str) -> None:
    octets = made(subject, body)
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert b"\n" not in octets.replace(b"\r\n", b"")
    scanner = Scanner()
    scanner.push(octets)
    found = scanner.finish().root
    assert text(found.headers[b"subject"][0]).strip() == subject.strip()
    message = message_from_bytes(octets, policy=policy.SMTP)
    assert message["To"] == '"b b"@b.test, ann@a.test'
    content = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert content == body + "\r\n"


def test_line_ends_are_those_of_mail_and_no_others() -> None:
    body = made(body="a\nb\r\nc\rd\u2028e\x0cf\n\n").partition(b"\r\n\r\n")[2]
    assert base64.b64decode(body).decode() == "a\r\nb\r\nc\r\nd\u2028e\x0cf\r\n\r\n"
    assert made(body="a\n\nb").endswith(b"\r\n\r\na\r\n\r\nb\r\n")


@settings(max_examples=50, deadline=None)
@given(CLEAN.filter(lambda n: n.strip() == n and n), st.binary(max_size=5000))
def test_attachments_are_read_back(name: str, octets: bytes) -> None:
    message = message_from_bytes(made(attachments=(Attachment(name, octets),)), policy=policy.SMTP)
    assert message.get_content_type() == "multipart/mixed"
    (part,) = message.iter_attachments()  # type: ignore[attr-defined]
    assert part.get_payload(decode=True) == octets
    assert part.get_filename() == name


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@y", "a\nb", "a\0", "\x7f"])
def test_no_field_can_be_smuggled_in(bad: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        made(subject=bad)
    with pytest.raises(ValueError, match="control character"):
        made(attachments=(Attachment(bad, b""),))
