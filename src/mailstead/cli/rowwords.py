"""What each sort of sealed row holds, and what of it cannot be known without a key, in words."""

from typing import NamedTuple


class Words(NamedTuple):
    """Of one sort.

    Args:
        holds: What is in it.
        hidden: What cannot be told from outside.
    """

    holds: str
    hidden: tuple[str, ...]


_RECORDS = "everything in it but what stands beside it"

WORDS: dict[str, Words] = {
    "keyring": Words(
        "the keys of all epochs; the root's also what opens the account, by name",
        ("any key", "how many epochs there are", "names of app passwords"),
    ),
    "mboxes": Words(
        "the names of the mailboxes", ("any name", "how many there are", "which are subscribed to")
    ),
    "account-leaf": Words("which records the account should have, by their last writes", (_RECORDS,)),
    "anchor": Words("floors, below which nothing of the account may be found", (_RECORDS,)),
    "accesslog": Words(
        "who got into the account, and who tried", ("who", "when", "from where", "how many entries there are")
    ),
    "counts": Words(
        "the sums of a mailbox: messages, unseen, octets", ("any of these numbers", "the mailbox's name")
    ),
    "metadata": Words(
        "annotations of a mailbox, or of the account", ("names", "values", "how many there are")
    ),
    "order": Words(
        "what 256 messages are sorted or threaded by, or the order of all",
        ("subjects, addresses, dates and message ids", "the order"),
    ),
    "search": Words(
        "the search index: its head, a piece of 32 KiB of a segment, or which documents 256 messages are",
        ("words", "how many messages have one", "how full the last piece of a segment is"),
    ),
    "leaf": Words("which rows a mailbox should have, by their last writes", (_RECORDS,)),
    "page": Words(
        "what lists show of up to 256 messages (A), or what opens and describes them (B)",
        ("how many of the 256 are there", "dates and exact sizes", "senders, recipients, subjects",
         "keys of bodies, and which body belongs to which message"),
    ),
    "state": Words(
        "flags, keywords and modseqs of up to 256 messages",
        ("how many there are", "flags", "keywords", "what changed with the last write"),
    ),
    "tomb": Words(
        "entries of expunged messages, until they are erased",
        ("what they were", "keys of their bodies"),
    ),
    "lane": Words(
        "the seed that messages of one commit group were sealed from",
        ("the seed", "who sent the messages"),
    ),
    "summary": Words(
        "what lists need of a message that was not absorbed yet",
        ("sender, recipients, subject, date and exact size", "flags", "the mailbox's name"),
    ),
    "quarantine": Words(
        "the summary of a message that could not be opened",
        ("sender, recipients, subject, date and exact size",),
    ),
    "body": Words(
        "a message, with its header and attachments",
        ("one octet of it", "its exact size", "sender and recipients",
         "which message it is, once that was absorbed: a page of group B knows"),
    ),
    "note": Words(
        "that somebody got in, or tried, until a session of the owner takes it in",
        ("who", "when exactly", "from where", "by which way in"),
    ),
    "slot": Words(
        "a way in: what a password, words or a token opens", ("the credential", "the root or the read key")
    ),
    "archived-slot": Words(
        "a way into what a reset locked away", ("the credential", "the root")
    ),
    "archived-record": Words("a record that a reset locked away", (_RECORDS,)),
}  # fmt: skip

KEYS: dict[str, str] = {
    "LANE": "a message key of its lane, sealed to the account's delivery key",
    "STORE_KEY": "the account's store key",
    "INLINE_LANE": "a message key of the lane in front of it",
    "ROOT": "the account's root",
    "READ_KEY": "the account's read key",
    "SERVER": "a key that only one session of the server ever had",
}

TABLES: dict[str, str] = {
    "meta": "versions, and which installation this is",
    "account": "generations, counters, quota: random ids and numbers",
    "address": "addresses and aliases, which mail is routed by",
    "epoch_key": "public keys, which mail is sealed to",
    "mailbox": "ids, UIDVALIDITY, UIDNEXT, counters; no names",
    "object": "which bodies there are, and how often each is named",
    "archive": "that an account was reset, and when",
}
