"""Dates there and back."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.dates import date_time, read_date, read_date_time


@given(st.integers(-62135596800, 253402300799))
def test_moments_there_and_back(seconds: int) -> None:
    assert read_date_time(date_time(seconds).strip(b'"')) == seconds


def test_examples() -> None:
    assert read_date_time(b"17-Jul-1996 02:44:25 -0700") == 837596665
    assert date_time(837596665) == b'"17-Jul-1996 09:44:25 +0000"'
    assert date_time(0) == b'" 1-Jan-1970 00:00:00 +0000"'
    assert date_time(1 << 62) == b'"31-Dec-9999 23:59:59 +0000"'
    assert date_time(-(1 << 62)) == b'" 1-Jan-0001 00:00:00 +0000"'
    assert read_date(b"1-feb-1994") == date(1994, 2, 1)


@given(
    st.one_of(
        st.binary(max_size=30),
        st.from_regex(
            rb"[ 0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}", fullmatch=True
        ),
    )
)
def test_any_octets_are_a_moment_or_an_error(octets: bytes) -> None:
    for read in (read_date, read_date_time):
        try:
            read(octets)
        except ValueError:
            continue


@pytest.mark.parametrize(
    "octets", [b"", b"1-Jan-20", b"32-Jan-2020", b"29-Feb-2023", b"1-Jan-0000", b"1/1/2020"]
)
def test_what_is_no_day(octets: bytes) -> None:
    with pytest.raises(ValueError):
        read_date(octets)
