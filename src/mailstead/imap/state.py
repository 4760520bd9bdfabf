"""The states of an IMAP connection, and which command is legal in which (RFC 9051 section 3).

Rule 1: which command is legal when, and what it leads to, is in AFTER and nowhere else.
Rule 2: a state changes only when the answer is OK, but that a refused SELECT deselects.
"""

from enum import Enum, auto

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
from mailstead.imap.commands import Kind
from mailstead.mail.uidset import SeqSet


class State(Enum):
    """Where a connection is."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    AUTHENTICATING = auto()  # between the lines of a SASL exchange
    IDLE = auto()
    APPENDING = auto()  # the octets of a message, of REPLACE too
    LOGOUT = auto()


_Row = dict[Kind, State | None]
_ANYWHERE: _Row = {
    session.Capability: None,
    session.Noop: None,
    session.Id: None,
    session.Logout: State.LOGOUT,
}
_OPENING: _Row = {mailboxes.Select: State.SELECTED, mailboxes.Examine: State.SELECTED}
_LOGGED_IN: _Row = {
    **_ANYWHERE,
    **_OPENING,
    session.Unauthenticate: State.NOT_AUTHENTICATED,
    session.Enable: None,
    session.Compress: None,
    session.Namespace: None,
    mailboxes.Create: None,
    mailboxes.Delete: None,
    mailboxes.Rename: None,
    mailboxes.Subscribe: None,
    mailboxes.Unsubscribe: None,
    listing.List: None,
    listing.Lsub: None,
    mailboxes.Status: None,
    mailboxes.MyRights: None,
    mailboxes.GetAcl: None,
    mailboxes.SetAcl: None,
    mailboxes.DeleteAcl: None,
    mailboxes.ListRights: None,
    notify.Notify: None,
    quota.GetQuota: None,
    quota.GetQuotaRoot: None,
    metadata.GetMetadata: None,
    metadata.SetMetadata: None,
    multisearch.MultiSearch: None,
    append.Append: None,
    session.Idle: None,
}
# For each state the commands that are legal in it, and the state after OK (None: the same). What comes
# in several steps, AUTHENTICATE, IDLE, APPEND and REPLACE, is judged by the state in which it began.
AFTER: dict[State, _Row] = {
    State.NOT_AUTHENTICATED: {
        **_ANYWHERE,
        session.StartTls: None,
        session.Login: State.AUTHENTICATED,
        session.Authenticate: State.AUTHENTICATED,
    },
    State.AUTHENTICATED: _LOGGED_IN,
    State.SELECTED: {
        **_LOGGED_IN,
        mailboxes.Check: None,
        mailboxes.Close: State.AUTHENTICATED,
        mailboxes.Unselect: State.AUTHENTICATED,
        mailboxes.Expunge: None,
        search.Search: None,
        sort.Sort: None,
        thread.Thread: None,
        updates.CancelUpdate: None,
        fetch.Fetch: None,
        store.Store: None,
        store.Copy: None,
        store.Move: None,
        replace.Replace: None,  # RFC 8508 section 3.5: never without a selected mailbox
    },
    State.AUTHENTICATING: {},
    State.IDLE: {session.Done: None},
    State.APPENDING: {},
    State.LOGOUT: {},
}
# The state after NO: a SELECT that fails leaves no mailbox selected (RFC 9051 section 6.3.2).
AFTER_NO: dict[State, _Row] = {
    State.SELECTED: {mailboxes.Select: State.AUTHENTICATED, mailboxes.Examine: State.AUTHENTICATED},
}


def by_number(event: object) -> bool:
    """Whether sequence numbers must mean until the answer what they meant (RFC 9051 section 7.5.1)."""
    match event:
        case fetch.Fetch() | store.Store():
            return isinstance(event.messages, SeqSet)
        case search.Search() | sort.Sort() | thread.Thread():
            return not event.uid
        case _:
            return False
