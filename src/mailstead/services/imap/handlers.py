"""Which function answers which command of a session that is logged in, and what commands are counted as."""

from collections.abc import Awaitable, Callable
from typing import Any

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
from mailstead.imap.events import AppendEnd, AppendNext, SaslResponse
from mailstead.imap.responses import Answer
from mailstead.services.imap import folders
from mailstead.services.imap import listing as naming
from mailstead.services.imap import select as selecting
from mailstead.services.imap import store as storing
from mailstead.services.imap.compress import compress
from mailstead.services.imap.context import Context
from mailstead.services.imap.contexts import cancel_update
from mailstead.services.imap.fetch import fetch as answer_fetch
from mailstead.services.imap.login import enable, identify, unauthenticate
from mailstead.services.imap.metadata import get_metadata, set_metadata
from mailstead.services.imap.multisearch import multi_search
from mailstead.services.imap.notify import notify as answer_notify
from mailstead.services.imap.quota import get_quota, get_quota_root
from mailstead.services.imap.search import search as answer_search
from mailstead.services.imap.sort import sort as answer_sort
from mailstead.services.imap.status import status as answer_status
from mailstead.services.imap.thread import thread as answer_thread

# A command's type decides which function it goes to, and each takes its own.
HANDLERS: dict[type, Callable[[Context, Any], Awaitable[Answer]]] = {
    session.Id: identify,
    session.Noop: selecting.stir,
    mailboxes.Check: selecting.stir,
    session.Enable: enable,
    session.Unauthenticate: unauthenticate,
    session.Compress: compress,
    session.Namespace: folders.namespace,
    mailboxes.Select: selecting.select,
    mailboxes.Examine: selecting.select,
    mailboxes.Status: answer_status,
    mailboxes.Close: selecting.close,
    mailboxes.Unselect: selecting.unselect,
    mailboxes.Expunge: selecting.expunge,
    listing.List: naming.list_,
    listing.Lsub: naming.lsub,
    mailboxes.Create: folders.change,
    mailboxes.Delete: folders.change,
    mailboxes.Rename: folders.change,
    mailboxes.Subscribe: folders.change,
    mailboxes.Unsubscribe: folders.change,
    mailboxes.MyRights: folders.rights,
    mailboxes.GetAcl: folders.rights,
    mailboxes.ListRights: folders.rights,
    mailboxes.SetAcl: folders.give_rights,
    mailboxes.DeleteAcl: folders.give_rights,
    notify.Notify: answer_notify,
    quota.GetQuota: get_quota,
    quota.GetQuotaRoot: get_quota_root,
    metadata.GetMetadata: get_metadata,
    metadata.SetMetadata: set_metadata,
    multisearch.MultiSearch: multi_search,
    fetch.Fetch: answer_fetch,
    store.Store: storing.store,
    store.Copy: storing.copy,
    store.Move: storing.move,
    search.Search: answer_search,
    sort.Sort: answer_sort,
    thread.Thread: answer_thread,
    updates.CancelUpdate: cancel_update,
}

_ELSEWHERE = (session.Capability, session.Logout, session.Login, session.Authenticate, append.Append)
NAMES: dict[type, str] = {kind: kind.__name__.lower() for kind in (*HANDLERS, *_ELSEWHERE)} | {
    multisearch.MultiSearch: "esearch",
    session.Done: "idle",
    SaslResponse: "authenticate",
    replace.Replace: "append",  # both end alike
    AppendNext: "append",
    AppendEnd: "append",
}
