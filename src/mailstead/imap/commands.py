"""Every command there is: from one command's octets to its tag and its value."""

import re
from collections.abc import Callable, Generator
from functools import partial
from typing import NamedTuple

from mailstead.imap import (
    append,
    fetch,
    listing,
    mailboxes,
    metadata,
    multisearch,
    notify,
    quota,
    replace,
    search,
    session,
    sort,
    store,
    thread,
    updates,
)
from mailstead.imap.dialect import PLAIN, Dialect
from mailstead.imap.tokens import BadSyntax, Parts, Tokens

# In the order of the RFC's states: any, not authenticated, authenticated, selected.
Command = (
    session.Capability | session.Noop | session.Logout | session.Id
    | session.StartTls | session.Login | session.Authenticate
    | session.Unauthenticate | session.Enable | session.Compress | session.Namespace | session.Idle
    | session.Done | append.Append
    | mailboxes.Select | mailboxes.Examine | mailboxes.Create | mailboxes.Delete | mailboxes.Rename
    | mailboxes.Subscribe | mailboxes.Unsubscribe | listing.List | listing.Lsub | mailboxes.Status
    | mailboxes.MyRights | mailboxes.GetAcl | mailboxes.SetAcl | mailboxes.DeleteAcl | mailboxes.ListRights
    | notify.Notify | quota.GetQuota | quota.GetQuotaRoot | metadata.GetMetadata | metadata.SetMetadata
    | mailboxes.Check | mailboxes.Close | mailboxes.Unselect | mailboxes.Expunge
    | multisearch.MultiSearch | search.Search | sort.Sort | thread.Thread | updates.CancelUpdate
    | fetch.Fetch | store.Store | store.Copy | store.Move | replace.Replace
)  # fmt: skip

Read = Callable[[Tokens], Command | append.Course[append.Append] | append.Course[replace.Replace]]
Kind = type[Command]

TAG_OCTETS = 128

# tag = 1*<any ASTRING-CHAR except "+">; "]" is left out, too: it could end a response code.
_HEAD = re.compile(rb"([!#$&',-\[^-z|}~]{1,%d}) ([A-Za-z]+)(?= |\Z)" % TAG_OCTETS)
_TAG = re.compile(rb"([!#$&',-\[^-z|}~]{1,%d})(?= |\Z)" % TAG_OCTETS)
_UID_HEAD = re.compile(rb" ([A-Za-z]+)(?= |\Z)")


def _plain(value: Command) -> tuple[Kind, Read]:
    return type(value), lambda tokens: value


READ: dict[bytes, tuple[Kind, Read]] = {
    b"CAPABILITY": _plain(session.Capability()),
    b"NOOP": _plain(session.Noop()),
    b"LOGOUT": _plain(session.Logout()),
    b"ID": (session.Id, session.read_id),
    b"STARTTLS": _plain(session.StartTls()),
    b"LOGIN": (session.Login, session.read_login),
    b"AUTHENTICATE": (session.Authenticate, session.read_authenticate),
    b"UNAUTHENTICATE": _plain(session.Unauthenticate()),
    b"ENABLE": (session.Enable, session.read_enable),
    b"COMPRESS": (session.Compress, session.read_compress),
    b"NAMESPACE": _plain(session.Namespace()),
    b"SELECT": (mailboxes.Select, mailboxes.read_select),
    b"EXAMINE": (mailboxes.Examine, mailboxes.read_examine),
    b"CREATE": (mailboxes.Create, mailboxes.read_create),
    b"DELETE": (mailboxes.Delete, mailboxes.read_delete),
    b"RENAME": (mailboxes.Rename, mailboxes.read_rename),
    b"SUBSCRIBE": (mailboxes.Subscribe, mailboxes.read_subscribe),
    b"UNSUBSCRIBE": (mailboxes.Unsubscribe, mailboxes.read_unsubscribe),
    b"LIST": (listing.List, listing.read_list),
    b"LSUB": (listing.Lsub, listing.read_lsub),
    b"STATUS": (mailboxes.Status, mailboxes.read_status),
    b"MYRIGHTS": (mailboxes.MyRights, mailboxes.read_my_rights),
    b"GETACL": (mailboxes.GetAcl, mailboxes.read_get_acl),
    b"SETACL": (mailboxes.SetAcl, mailboxes.read_set_acl),
    b"DELETEACL": (mailboxes.DeleteAcl, mailboxes.read_delete_acl),
    b"LISTRIGHTS": (mailboxes.ListRights, mailboxes.read_list_rights),
    b"GETQUOTA": (quota.GetQuota, quota.read_get_quota),
    b"GETQUOTAROOT": (quota.GetQuotaRoot, quota.read_get_quota_root),
    b"NOTIFY": (notify.Notify, notify.read_notify),
    b"GETMETADATA": (metadata.GetMetadata, metadata.read_get_metadata),
    b"SETMETADATA": (metadata.SetMetadata, metadata.read_set_metadata),
    b"ESEARCH": (multisearch.MultiSearch, multisearch.read_multi_search),
    b"APPEND": (append.Append, append.read_append),
    b"IDLE": _plain(session.Idle()),
    b"CHECK": _plain(mailboxes.Check()),
    b"CLOSE": _plain(mailboxes.Close()),
    b"UNSELECT": _plain(mailboxes.Unselect()),
    b"EXPUNGE": _plain(mailboxes.Expunge()),
    b"SEARCH": (search.Search, partial(search.read_search, uid=False)),
    b"SORT": (sort.Sort, partial(sort.read_sort, uid=False)),
    b"THREAD": (thread.Thread, partial(thread.read_thread, uid=False)),
    b"CANCELUPDATE": (updates.CancelUpdate, updates.read_cancel_update),
    b"FETCH": (fetch.Fetch, partial(fetch.read_fetch, uid=False)),
    b"STORE": (store.Store, partial(store.read_store, uid=False)),
    b"COPY": (store.Copy, partial(store.read_copy, uid=False)),
    b"MOVE": (store.Move, partial(store.read_move, uid=False)),
    b"REPLACE": (replace.Replace, partial(replace.read_replace, uid=False)),
}
READ_UID: dict[bytes, tuple[Kind, Read]] = {
    b"EXPUNGE": (mailboxes.Expunge, mailboxes.read_uid_expunge),
    b"SEARCH": (search.Search, partial(search.read_search, uid=True)),
    b"SORT": (sort.Sort, partial(sort.read_sort, uid=True)),
    b"THREAD": (thread.Thread, partial(thread.read_thread, uid=True)),
    b"FETCH": (fetch.Fetch, partial(fetch.read_fetch, uid=True)),
    b"STORE": (store.Store, partial(store.read_store, uid=True)),
    b"COPY": (store.Copy, partial(store.read_copy, uid=True)),
    b"MOVE": (store.Move, partial(store.read_move, uid=True)),
    b"REPLACE": (replace.Replace, partial(replace.read_replace, uid=True)),
}

_NUMBERED = frozenset(
    (
        search.Search,
        sort.Sort,
        thread.Thread,
        fetch.Fetch,
        store.Store,
        store.Copy,
        store.Move,
        replace.Replace,
    )
)  # fmt: skip


def tag_of(text: bytes) -> bytes | None:
    """The tag a command begins with, or None when it has none that may be repeated."""
    found = _TAG.match(text)
    return found[1] if found is not None else None


class Head(NamedTuple):
    """How a command begins.

    Args:
        read: Reads the arguments.
        at: Where they begin.
        by_uid: Its name begins with UID.
    """

    tag: bytes
    kind: Kind
    read: Read
    at: int
    by_uid: bool = False

    @property
    def by_number(self) -> bool:
        """Whether it names or returns messages by sequence number, which UIDONLY forbids (RFC 9586)."""
        return self.kind in _NUMBERED and not self.by_uid


def head_of(text: bytes) -> Head:
    """The head of the command that *text* begins.

    Raises:
        BadSyntax: there is no such command.
    """
    found = _HEAD.match(text)
    if found is None:
        raise BadSyntax("Expected a tag and a command" if tag_of(text) is None else "Expected a command")
    tag, name = found.groups()
    entry = READ.get(name.upper())
    if entry is not None:
        return Head(tag, *entry, found.end())
    entry, found = _uid_entry(text, name, found.end())
    return Head(tag, *entry, found.end(), by_uid=True)


def _uid_entry(text: bytes, name: bytes, at: int) -> tuple[tuple[Kind, Read], re.Match[bytes]]:
    found = _UID_HEAD.match(text, at)
    entry = READ_UID.get(found[1].upper()) if found is not None else None
    if name.upper() != b"UID" or found is None or entry is None:
        raise BadSyntax("Unknown command")
    return entry, found


def parse(parts: Parts, head: Head | None = None, dialect: Dialect = PLAIN) -> Command:
    """The command in *parts*, whose head may be known.

    Raises:
        BadSyntax: it is none.
    """
    head = head or head_of(parts[0])
    tokens = Tokens(parts, head.at, dialect)
    found = head.read(tokens)
    if isinstance(found, Generator):
        command: Command | append.Steps = append.said_at_end(found)
        assert not isinstance(command, tuple), "the command comes first"
        return command
    tokens.end()
    return found
