"""Names of mailboxes and messages that stay when they are renamed, moved or copied (RFC 8474)."""

import re

from mailstead.imap.tokens import BadSyntax, Tokens

# objectid = 1*255(ALPHA / DIGIT / "_" / "-")
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")


def mailbox_id(octets: bytes) -> bytes:
    """MAILBOXID of the mailbox with this id, for a response code or a STATUS (section 4)."""
    return b"(F%b)" % octets.hex().encode()


def mailbox_id_code(octets: bytes) -> bytes:
    """The MAILBOXID code."""
    return b"MAILBOXID " + mailbox_id(octets)


def email_id(object_id: bytes) -> bytes:
    """EMAILID of a message whose body has this id: copies share it (section 5.1)."""
    return b"M" + object_id.hex().encode()


def read_object_id(tokens: Tokens) -> bytes:
    """SP objectid; whose it is, if anybody's, is not asked."""
    tokens.space()
    found = tokens.match(_OBJECT_ID)
    if found is None:
        raise BadSyntax("Not an object id")
    return found[0]
