"""What a Date field names, a day or a moment (RFC 5322 sections 3.3 and 4.3); any octets give it, or None."""

import re
from datetime import date
from functools import lru_cache

from mailstead.mail.header import without_comments

_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_MONTH = {name: n for n, name in enumerate(_MONTHS, 1)}
# date = day month year, behind the name of a day or not; comments may stand in between
_DAY = re.compile(
    rb"(?<![0-9])([0-9]{1,2})[ \t-]{1,9}([A-Za-z]{3})[A-Za-z]{0,6}[ \t-]{1,9}([0-9]{2,4})(?![0-9])"
)
# time = hour ":" minute [":" second] zone, and what comes instead of a zone
_TIME = re.compile(
    rb"[ \t,]{1,9}([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?![0-9:])"
    rb"(?:\.[0-9]{1,9})?[ \t]{0,9}(?:([+-])([0-9]{2})([0-5][0-9])(?![0-9])|([A-Za-z]{1,5})(?![A-Za-z]))?"
)
# obs-zone; letters of the military, and whatever else, are UTC
_HOURS = {b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7}
_EPOCH = date(1970, 1, 1).toordinal()
VALUE_CAP = 200


def day_of(value: bytes) -> date | None:
    """The day that is written there, whatever the time and the zone."""
    found = _DAY.search(value[:VALUE_CAP])
    return None if found is None else _date(*found.groups())


def moment_of(value: bytes) -> int | None:
    """The moment in seconds since the epoch (RFC 5256 section 2.2).

    A zone that is none is UTC, and a time that is none is midnight there; without a day there is no moment.
    """
    value = value[:VALUE_CAP]
    found = _DAY.search(value)
    day = None if found is None else _date(*found.groups())
    if found is None or day is None:
        return None
    midnight = (day.toordinal() - _EPOCH) * 86400
    time = _TIME.match(value, found.end())
    if time is None and b"(" in value:
        time = _TIME.match(without_comments(value[found.end() :]))
    if time is None:
        return midnight
    hour, minute, second, sign, hours, minutes, name = time.groups()
    seconds = int(second or 0)
    if int(hour) > 23 or int(minute) > 59 or seconds > 60:
        return midnight
    offset = 0
    if sign is not None:
        offset = int(hours) * 3600 + int(minutes) * 60
        offset = -offset if sign == b"-" else offset
    elif name is not None:
        offset = _HOURS.get(name.upper(), 0) * 3600
    return midnight + int(hour) * 3600 + int(minute) * 60 + min(seconds, 59) - offset


@lru_cache(maxsize=1024)  # most messages of a mailbox were sent on few days
def _date(day: bytes, month: bytes, year: bytes) -> date | None:
    number = _MONTH.get(month.lower())
    if number is None:
        return None
    full = int(year)
    if len(year) == 2:  # obs-year
        full += 2000 if full < 50 else 1900
    elif len(year) == 3:
        full += 1900
    try:
        return date(full, number, int(day))
    except ValueError:
        return None
