"""What a mailbox is for, as IMAP names it (RFC 6154 section 2)."""

from mailstead.mail.mailbox import SpecialUse

# INBOX has none; \All, \Flagged and \Important would be views of what is in other mailboxes.
SPECIAL_USE: dict[SpecialUse, bytes] = {
    SpecialUse.INBOX: b"",
    SpecialUse.DRAFTS: b"\\Drafts",
    SpecialUse.SENT: b"\\Sent",
    SpecialUse.JUNK: b"\\Junk",
    SpecialUse.TRASH: b"\\Trash",
    SpecialUse.ARCHIVE: b"\\Archive",
}
