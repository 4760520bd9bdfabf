"""The day a Date field names (RFC 5322 sections 3.3 and 4.3); any octets give a day, or None."""

import re
from datetime import date

_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
# date = day month year, behind the name of a day or not; comments may stand in between
_DAY = re.compile(
    rb"(?<![0-9])([0-9]{1,2})[ \t-]{1,9}([A-Za-z]{3})[A-Za-z]{0,6}[ \t-]{1,9}([0-9]{2,4})(?![0-9])"
)
VALUE_CAP = 200


def day_of(value: bytes) -> date | None:
    """The day that is written there, whatever the time and the zone."""
    found = _DAY.search(value[:VALUE_CAP])
    if found is None or found[2].lower() not in _MONTHS:
        return None
    year = int(found[3])
    if len(found[3]) == 2:  # obs-year
        year += 2000 if year < 50 else 1900
    elif len(found[3]) == 3:
        year += 1900
    try:
        return date(year, _MONTHS.index(found[2].lower()) + 1, int(found[1]))
    except ValueError:
        return None
