"""The SMTP envelope (RFC 5321 section 2.3.1); IMAP's ENVELOPE is another thing."""

from dataclasses import dataclass, field

from mailstead.mail.address import Address


@dataclass(frozen=True, slots=True)
class RecipientOptions:
    """DSN parameters of one RCPT (RFC 3461 sections 4.1 and 4.2); empty when not given."""

    notify: frozenset[str] = frozenset()
    original_recipient: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends, to whom, and how.

    Args:
        reverse_path: None is the null reverse-path <>.
        size: What MAIL announced in octets; 0 when it did not.
        smtputf8: The message may need RFC 6531.
        ret, envid: DSN parameters of MAIL (RFC 3461 sections 4.3 and 4.4).
    """

    reverse_path: Address | None
    forward_paths: tuple[Address, ...] = ()
    options: tuple[RecipientOptions, ...] = field(default=())
    size: int = 0
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
