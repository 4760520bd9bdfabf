"""What `mail search` understands: words that a message must all have, as keys of IMAP's SEARCH.

from:ann to:bob subject:lunch body:"half past" before:2026-11-01 after:2026-10-01 has:attachment
in:Archive is:unread is:flagged lunch "half past twelve" -tomato
"""

import re
from datetime import date
from typing import NamedTuple

from mailstead.errors import Exit, Trouble
from mailstead.imap.searchkeys import (
    BodyHas,
    Dated,
    HasAttachment,
    HasFlag,
    HeaderHas,
    Key,
    Not,
    TextHas,
    When,
)
from mailstead.mail.mailbox import SystemFlag

# ["-"] [name ":"] ( DQUOTE anything DQUOTE / anything without space )
_TERM = re.compile(r'(-?)(?:([a-z]+):(?!//))?(?:"([^"]*)"|([^\s"]+))(?=\s|\Z)')
_FIELDS = ("from", "to", "subject")
_DAYS = {"before": When.BEFORE, "after": When.SINCE}
_STATES = {
    "unread": HasFlag(SystemFlag.SEEN, present=False),
    "read": HasFlag(SystemFlag.SEEN),
    "flagged": HasFlag(SystemFlag.FLAGGED),
}
_NAMES = frozenset(f"{name}:" for name in (*_FIELDS, "body", *_DAYS, "is", "has", "in"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EXAMPLE = "mailstead mail search 'from:ann subject:\"two words\" after:2026-01-31 is:unread -spam'"


class Query(NamedTuple):
    """What a message must all be, and the mailbox it is looked for in, if that is said."""

    keys: list[Key]
    mailbox: str | None


def parse(query: str) -> Query:
    """Read a query.

    Raises:
        Trouble: it makes no sense.
    """
    keys: list[Key] = []
    mailbox: str | None = None
    at = 0
    while at < len(query):
        if query[at].isspace():
            at += 1
            continue
        found = _TERM.match(query, at)
        if found is None:
            raise _trouble(f"it cannot be read from here on: {query[at:]}")
        at = found.end()
        negated, name, quoted, bare = found.groups()
        if bare in _NAMES:
            raise _trouble(f"there is nothing behind {bare}")
        value = bare if quoted is None else quoted
        if name == "in":
            if negated or mailbox is not None or not value:
                raise _trouble("in: names one mailbox")
            mailbox = value
            continue
        key = _key(name, value)
        keys.append(Not(key) if negated else key)
    if not keys and mailbox is None:
        raise _trouble("it asks for nothing")
    return Query(keys, mailbox)


def _key(name: str | None, value: str) -> Key:
    if not value:
        raise _trouble("there is nothing between the quotes")
    if name is None:
        return TextHas(value)
    if name in _FIELDS:
        return HeaderHas(name.encode(), value)
    if name == "body":
        return BodyHas(value)
    if name in _DAYS:
        return Dated(_DAYS[name], _day(value))
    if name == "is":
        if value not in _STATES:
            raise _trouble(f"is:{value} is not one of " + ", ".join(f"is:{state}" for state in _STATES))
        return _STATES[value]
    if name == "has":
        if value != "attachment":
            raise _trouble(f"has:{value} is not has:attachment")
        return HasAttachment()
    raise _trouble(
        f'"{name}:" is not one of from: to: subject: body: before: after: is: has: in:, quote it to find it'
    )


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise _trouble(f"{value} is not a day as in 2026-01-31") from error


def _trouble(why: str) -> Trouble:
    return Trouble("that is not a search", why=why, fix=_EXAMPLE, exit_code=Exit.USAGE)


def spelled(key: Key) -> tuple[str, str]:
    """A key that `parse` made as IMAP spells it, and the string that belongs behind it, or ""."""
    match key:
        case Not():
            words, text = spelled(key.key)
            return f"NOT {words}", text
        case HeaderHas():
            return key.name.decode().upper(), key.text
        case BodyHas():
            return "BODY", key.text
        case TextHas():
            return "TEXT", key.text
        case Dated():
            day = key.day
            return f"{key.when.name} {day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}", ""
        case HasAttachment():
            return 'HEADER Content-Type "multipart/mixed"', ""  # the nearest that IMAP has
        case _:
            assert isinstance(key, HasFlag), "parse makes no other"
            return f"{'' if key.present else 'UN'}{key.flag.name}", ""
