"""NOTIFY: which events a client wants to hear of, and of which mailboxes (RFC 5465)."""

from dataclasses import dataclass
from enum import Enum

from mailstead.imap.fetch import FetchItem, peeking, read_items
from mailstead.imap.responses import no
from mailstead.imap.scope import Reach, Scope, read_scope
from mailstead.imap.tokens import BadSyntax, Tokens, limit

GROUPS_CAP = 100
EVENTS_CAP = 50  # of a group; the same one may come again


class Event(Enum):
    """What can happen (RFC 5465 section 5)."""

    MESSAGE_NEW = b"MessageNew"
    MESSAGE_EXPUNGE = b"MessageExpunge"
    FLAG_CHANGE = b"FlagChange"
    MAILBOX_NAME = b"MailboxName"
    SUBSCRIPTION_CHANGE = b"SubscriptionChange"
    MAILBOX_METADATA_CHANGE = b"MailboxMetadataChange"
    SERVER_METADATA_CHANGE = b"ServerMetadataChange"  # of whichever mailboxes it is asked for


_EVENTS = {event.value.upper(): event for event in Event}
_COUNTING = frozenset((Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE))
OF_MESSAGES = _COUNTING | {Event.FLAG_CHANGE}
BAD_EVENT = no("No such event here", b"BADEVENT (%b)" % b" ".join([e.value for e in Event]))


@dataclass(frozen=True, slots=True)
class Group:
    """Events of some mailboxes; no events: nothing is wanted of them, whatever later groups say.

    Args:
        items: What to tell of each new message in the selected mailbox; nothing of it sets \\Seen.
    """

    scope: Scope
    events: frozenset[Event]
    items: tuple[FetchItem, ...] = ()

    @property
    def of_messages(self) -> bool:
        """Whether messages that come, go or change are among the events."""
        return not self.events.isdisjoint(OF_MESSAGES)


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY: from here on just this is told without being asked for; nothing for NONE.

    Args:
        status: The STATUS of the mailboxes is told at once.
    """

    groups: tuple[Group, ...] = ()
    status: bool = False

    @property
    def selected(self) -> Group:
        """What is wanted of the selected mailbox."""
        return next((g for g in self.groups if g.scope.of_selected), _NOTHING)

    @property
    def at_once(self) -> bool:
        """Whether it is told between commands, too, that messages of the selected mailbox are gone."""
        return self.selected.scope.reach is Reach.SELECTED

    @property
    def elsewhere(self) -> bool:
        """Whether anything is wanted of other mailboxes."""
        return any(g.events and not g.scope.of_selected for g in self.groups)

    @property
    def of_server(self) -> bool:
        """Whether annotations of the server are wanted."""
        return any(Event.SERVER_METADATA_CHANGE in g.events for g in self.groups)

    def of(self, name: str, *, subscribed: bool) -> frozenset[Event]:
        """What is wanted of a mailbox that is not selected: what the first group says that has it."""
        for group in self.groups:
            if group.scope.has(name, subscribed=subscribed):
                return group.events
        return frozenset()


_NOTHING = Group(Scope(Reach.SELECTED_DELAYED), frozenset())
# As if no NOTIFY had been sent: what IMAP tells by itself (RFC 5465 section 3.1).
UNASKED = Notify((Group(Scope(Reach.SELECTED_DELAYED), OF_MESSAGES),))
_REACHES = frozenset(Reach) - {Reach.SUBTREE_ONE}


def read_notify(tokens: Tokens) -> Notify:
    """NOTIFY SP ("NONE" / "SET" [SP "STATUS"] 1*(SP event-group))."""
    tokens.space()
    word = tokens.word()
    if word == b"NONE":
        return Notify()
    if word != b"SET":
        raise BadSyntax("Expected SET or NONE")
    tokens.space()
    status = tokens.peek() != b"("
    if status:
        if tokens.word() != b"STATUS":
            raise BadSyntax("Expected STATUS or an event group")
        tokens.space()
    groups = [_group(tokens)]
    while tokens.skip(b" "):
        groups.append(_group(tokens))
        if len(groups) > GROUPS_CAP:
            raise limit("Too many event groups")
    if sum(g.scope.of_selected for g in groups) > 1:
        raise BadSyntax("The selected mailbox is named more than once")
    return Notify(tuple(groups), status)


def _group(tokens: Tokens) -> Group:
    """event-group = "(" filter-mailboxes SP ("NONE" / "(" event *(SP event) ")") ")"."""
    tokens.expect(b"(")
    scope = read_scope(tokens, _REACHES)
    tokens.space()
    group = _events(tokens, scope) if tokens.skip(b"(") else Group(scope, _none(tokens))
    tokens.expect(b")")
    return group


def _none(tokens: Tokens) -> frozenset[Event]:
    if tokens.word() != b"NONE":
        raise BadSyntax("Expected events or NONE")
    return frozenset()


def _events(tokens: Tokens, scope: Scope) -> Group:
    events: set[Event] = set()
    items: tuple[FetchItem, ...] = ()
    for _ in range(EVENTS_CAP):
        event = _EVENTS.get(tokens.word())
        if event is None:
            raise BadSyntax(BAD_EVENT)
        events.add(event)
        if event is Event.MESSAGE_NEW and scope.of_selected and tokens.skip(b" ("):
            items = tuple(dict.fromkeys(map(peeking, read_items(tokens))))
        if tokens.skip(b")"):
            return Group(scope, _checked(frozenset(events), scope), items)
        tokens.space()
    raise limit("Too many events")


def _checked(events: frozenset[Event], scope: Scope) -> frozenset[Event]:
    """What RFC 5465 section 5 asks of events that stand together."""
    if not events.isdisjoint(OF_MESSAGES) and not events >= _COUNTING:
        raise BadSyntax("MessageNew and MessageExpunge go together, and FlagChange with both")
    if scope.of_selected and not events <= OF_MESSAGES:
        raise BadSyntax("Of the selected mailbox only messages have events")
    return events
