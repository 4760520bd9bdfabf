"""Entries of the access log: what is one, what is kept, and what is refused to be read."""

import ipaddress

import pytest

from mailstead.accounts.accessentries import (
    MOST_FAILED,
    MOST_LOGINS,
    NOWHERE,
    SEVERAL,
    Door,
    Entries,
    Entry,
    Outcome,
    packed_peer,
    peer_text,
)
from mailstead.crypto.records import CAPS
from mailstead.crypto.sealed import Kind
from mailstead.errors import UnsealError


def login(
    at: int, peer: str = "192.0.2.1", door: Door = Door.IMAP, outcome: Outcome = Outcome.ENTERED
) -> Entry:
    return Entry(at, at, 1, door, outcome, 7, b"s" * 16, packed_peer(peer), "ab2c")


def test_what_is_written_is_read() -> None:
    log = Entries((login(1), login(2, "2001:db8::7", Door.POP3), login(3, outcome=Outcome.FAILED)), 5)
    assert Entries.decode(log.encode()) == log
    assert len({len(Entries((e,)).encode()) for e in log.entries}) == 1


def test_what_else_there_is_is_refused() -> None:
    whole = Entries((login(1),)).encode()
    for octets in (b"", whole[:-1], whole + b"x", b"\2" + whole[1:], whole[:27] + b"\xff" + whole[28:]):
        with pytest.raises(UnsealError):
            Entries.decode(octets)
    for place in range(27, 31):  # door, outcome, (type of the way in may be any), zero
        changed = bytearray(whole)
        changed[place] = 99
        if place == 29:
            Entries.decode(bytes(changed))
            continue
        with pytest.raises(UnsealError):
            Entries.decode(bytes(changed))


def test_the_same_within_an_hour_is_one_with_a_count() -> None:
    log = Entries(()).with_more([login(0), login(10, "192.0.2.2"), login(3600)], 0)
    assert [(e.first, e.last, e.count) for e in log.entries] == [(10, 10, 1), (0, 3600, 2)]
    log = log.with_more([login(3601)], 0)
    assert [(e.first, e.last, e.count) for e in log.entries] == [(10, 10, 1), (0, 3600, 2), (3601, 3601, 1)]
    log = log.with_more([login(3602, door=Door.POP3), login(3603, outcome=Outcome.REFUSED)], 2)
    assert [e.count for e in log.entries] == [1, 2, 1, 1, 1]
    assert log.missed == 2


def test_who_floods_with_wrong_passwords_pushes_no_login_out() -> None:
    tries = [login(n * 4000, outcome=Outcome.FAILED) for n in range(3, 3000)]
    log = Entries((login(1),)).with_more(tries, 0)
    assert log.entries[0] == login(1)
    assert len(log.entries) == 1 + MOST_FAILED
    assert log.entries[-1].last == 2999 * 4000, "the newest are kept"
    full = Entries(()).with_more([*tries, *(login(n * 4000) for n in range(3000))], 0)
    assert len(full.entries) == MOST_LOGINS + MOST_FAILED
    assert len(full.encode()) < CAPS[Kind.ACCESSLOG]


def test_addresses_are_sixteen_octets_whatever_they_are() -> None:
    for text in ("192.0.2.1", "2001:db8::1", "::1", "127.0.0.1"):
        assert len(packed_peer(text)) == 16
        assert ipaddress.ip_address(peer_text(packed_peer(text))) == ipaddress.ip_address(text)
    assert packed_peer("fe80::1%eth0") == packed_peer("fe80::1")
    assert packed_peer("") == packed_peer("no address") == NOWHERE
    assert (peer_text(NOWHERE), peer_text(SEVERAL)) == ("", "several addresses")
