"""Dates of IMAP (RFC 9051 section 9, date and date-time), read and written.

Time is not asked for here: a date is what was written, a moment is seconds since the epoch.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_NUMBER = {name.lower(): n for n, name in enumerate(_MONTHS, 1)}
# date-day "-" date-month "-" date-year
_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
# date-day-fixed "-" date-month "-" date-year SP time SP zone
_DATE_TIME = re.compile(
    rb"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)


def read_date(octets: bytes) -> date:
    """A date.

    Raises:
        ValueError: there is no such day.
    """
    found = _DATE.fullmatch(octets)
    if found is None:
        raise ValueError("not a date")
    return date(int(found[3]), _month(found[2]), int(found[1]))


def read_date_time(octets: bytes) -> int:
    """A date and time, as seconds since the epoch.

    Raises:
        ValueError: there is no such moment.
    """
    found = _DATE_TIME.fullmatch(octets)
    if found is None:
        raise ValueError("not a date and time")
    hours, minutes = int(found[8]), int(found[9])
    if hours > 23 or minutes > 59:
        raise ValueError("not a time zone")
    offset = timedelta(hours=hours, minutes=minutes)
    second = min(int(found[6]), 59) if int(found[6]) == 60 else int(found[6])  # a leap second
    moment = datetime(
        int(found[3]), _month(found[2]), int(found[1]), int(found[4]), int(found[5]), second,
        tzinfo=timezone(-offset if found[7] == b"-" else offset),
    )  # fmt: skip
    # By difference: what is before the year 1 in UTC has no datetime, but has a number.
    return round((moment - _EPOCH).total_seconds())


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62135596800, 253402300799  # the years 1 and 9999


def date_time(seconds: int) -> bytes:
    """A moment as INTERNALDATE shows it, quoted and in UTC; what no year can show becomes the nearest."""
    days, second = divmod(max(_FIRST, min(_LAST, seconds)), 86400)
    return b'"%b %02d:%02d:%02d +0000"' % (_day_shown(days), second // 3600, second // 60 % 60, second % 60)


@lru_cache(maxsize=1024)  # most messages of a page came on few days
def _day_shown(days: int) -> bytes:
    moment = _moment(days * 86400)
    return b"%2d-%b-%04d" % (moment.day, _MONTHS[moment.month - 1], moment.year)


def day(seconds: int) -> date:
    """The day of a moment in UTC, as `date_time` shows it."""
    return _moment(seconds).date()


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=max(_FIRST, min(_LAST, seconds)))


def _month(octets: bytes) -> int:
    number = _NUMBER.get(octets.lower())
    if number is None:
        raise ValueError("not a month")
    return number
