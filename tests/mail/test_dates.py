"""Moments of Date fields (RFC 5256 section 2.2)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail.dates import day_of, moment_of

NEW_YEAR = int(datetime(2001, 1, 1, 0, 1, 33, tzinfo=UTC).timestamp())
MIDNIGHT = NEW_YEAR - 93


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"31 Dec 2000 16:01:33 -0800", NEW_YEAR),  # the RFC's example
        (b"Mon, 1 Jan 2001 00:01:33 +0000", NEW_YEAR),
        (b"Mon, 01 Jan 2001 01:01:33 +0100 (CET)", NEW_YEAR),
        (b"Mon, 1 Jan 2001 00:01:33 GMT", NEW_YEAR),
        (b"Sun, 31 Dec 00 19:01:33 EST", NEW_YEAR),
        (b"31 Dec 2000 17:01:33 pdt", NEW_YEAR),
        (b"1 Jan 2001 00:01:33", NEW_YEAR),
        (b"1 Jan 2001 00:01:33.25 +0000", NEW_YEAR),
        (b"1 Jan 2001 (new) 00:01:33 (UTC) +0000", NEW_YEAR),
        (b"1 Jan 2001 00:01:33 +9999", NEW_YEAR),  # a zone that is none
        (b"1 Jan 2001 00:01:33 Z", NEW_YEAR),
        (b"1-Jan-2001 0:01:33 +0000", NEW_YEAR),
        (b"1 Jan 2001 00:01", NEW_YEAR - 33),
        (b"1 Jan 2001 00:00:60 +0000", MIDNIGHT + 59),
        (b"1 Jan 2001 24:01:33 +0100", MIDNIGHT),  # a time that is none
        (b"1 Jan 2001 noon", MIDNIGHT),
        (b"1 Jan 2001", MIDNIGHT),
        (b"1 Jan 0001 00:00:00 +0000", -62135596800),
        (b"31 Dec 9999 23:59:59 +0000", 253402300799),
        (b"31 Feb 2001 00:00:00 +0000", None),
        (b"1 Foo 2001", None),
        (b"", None),
    ],
)
def test_moments(value: bytes, moment: int | None) -> None:
    assert moment_of(value) == moment


@given(
    st.binary()
    | st.lists(st.sampled_from([b"1", b" ", b"Jan", b"2001", b":", b"+", b"-", b"(", b")", b"EST"])).map(
        b"".join
    )
)
def test_any_octets_give_a_moment_where_they_give_a_day(value: bytes) -> None:
    assert (moment_of(value) is None) == (day_of(value) is None)
