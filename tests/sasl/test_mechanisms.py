"""PLAIN and LOGIN: the RFC's examples, and what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.sasl.login import Login
from mailstead.sasl.mechanism import Challenge, Credentials, Failed
from mailstead.sasl.mechanisms import MECHANISMS
from mailstead.sasl.plain import Plain


def test_plain() -> None:
    assert Plain().step(None) == Challenge(b"")
    assert Plain().step(b"\0tim\0tanstaaftanstaaf") == Credentials(b"tim", b"tanstaaftanstaaf")
    assert Plain().step(b"tim\0tim\0x") == Credentials(b"tim", b"x")
    assert Plain().step(b"Ursel\0Kurt\0xipj3plmq") == Failed(malformed=False)
    assert Plain().step("\0ä\0ö".encode()) == Credentials("ä".encode(), "ö".encode())


@pytest.mark.parametrize("response", [b"", b"tim", b"tim\0x", b"\0\0x", b"\0a\0b\0c", b"\0a\0" + b"x" * 5000])
def test_what_is_not_plain(response: bytes) -> None:
    assert Plain().step(response) == Failed(malformed=True)


def test_login() -> None:
    machine = Login()
    assert machine.step(None) == Challenge(b"Username:")
    assert machine.step(b"bob") == Challenge(b"Password:")
    assert machine.step(b"secret") == Credentials(b"bob", b"secret")
    machine = Login()
    assert machine.step(b"bob") == Challenge(b"Password:")
    assert Login().step(b"") == Failed(malformed=True)
    assert Login().step(b"a\0b") == Failed(malformed=True)


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(Plain().step(b"\0bob\0secret"))


@given(
    st.sampled_from(sorted(MECHANISMS)), st.lists(st.one_of(st.none(), st.binary(max_size=20)), max_size=5)
)
def test_any_responses_come_to_an_end(name: str, responses: list[bytes | None]) -> None:
    machine = MECHANISMS[name]()
    for response in responses:
        step = machine.step(response)
        if not isinstance(step, Challenge):
            assert isinstance(step, Credentials | Failed)
            return
