"""What can go wrong, in words that no protocol owns.

An error names a `Reason`; each protocol has one total table from reason to reply. What an
operator sees is a `Trouble`: what happened, why, and what to type.
"""

from enum import Enum, IntEnum, auto


class Reason(Enum):
    """Why the server refused."""

    NO_SUCH_RECIPIENT = auto()
    ACCOUNT_DISABLED = auto()
    RELAY_DENIED = auto()
    OVER_QUOTA = auto()
    NO_KEY = auto()
    KEY_CHANGED = auto()
    MESSAGE_TOO_LARGE = auto()
    TOO_MANY_HOPS = auto()
    STORAGE_FULL = auto()
    STORAGE_UNAVAILABLE = auto()
    SHUTTING_DOWN = auto()
    ADDRESS_TAKEN = auto()
    NO_SUCH_MAILBOX = auto()
    MAILBOX_EXISTS = auto()
    MAILBOX_HAS_CHILDREN = auto()
    MAILBOX_FIXED = auto()  # INBOX is always there
    TOO_MANY_MAILBOXES = auto()
    SPECIAL_USE_TAKEN = auto()
    NO_SUCH_MESSAGE = auto()
    NO_SUCH_ACCOUNT = auto()
    LOGIN_FAILED = auto()
    TOO_BUSY = auto()
    TOO_MANY_KEYWORDS = auto()
    TOO_MANY_ANNOTATIONS = auto()
    DAMAGED = auto()
    OUT_OF_SCOPE = auto()  # the credential is right, and not for this
    READ_ONLY = auto()  # it lets nothing be changed
    NAME_TAKEN = auto()
    TOO_MANY_WAYS_IN = auto()
    NO_SUCH_WAY_IN = auto()
    SEVERAL_WAYS_IN = auto()
    LAST_WAY_IN = auto()
    NOT_AS_LEFT = auto()  # older, or less, than what was written: read only until its owner says so


class MailError(Exception):
    """A request was not served, for `reason`; the text is for logs, never for a stranger."""

    temporary = False

    def __init__(self, reason: Reason, text: str = "") -> None:
        super().__init__(text or reason.name)
        self.reason = reason


class Refused(MailError):
    """The request is well formed and will never be accepted."""


class Unavailable(MailError):
    """The request could not be served now; the peer should try again later."""

    temporary = True


class UnsealError(Exception):
    """A sealed value is not what it claims to be: do not trust any of it."""


class Exit(IntEnum):
    """Exit codes of the command line (docs/cli.md)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_CONFIG = 3
    PROBLEMS_FOUND = 4
    NO_DATA = 10
    LOCKED = 11
    WRONG_KEY = 12
    NEEDS_UPGRADE = 13
    BACKUP_UNUSABLE = 14
    PORT_IN_USE = 15
    TRY_LATER = 75


class Trouble(Exception):
    """What a person at the terminal is told: what happened, why, and what to type.

    Args:
        what: One line, no full stop.
        why: The cause, in plain words.
        fix: What to type or change.
        safe: What is as it was, where that could be doubted.
        exit_code: The documented exit code.
    """

    def __init__(
        self, what: str, *, why: str = "", fix: str = "", safe: str = "", exit_code: Exit = Exit.FAILED
    ) -> None:
        super().__init__(what)
        self.safe = safe
        self.what = what
        self.why = why
        self.fix = fix
        self.exit_code = exit_code
