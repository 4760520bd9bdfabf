"""IMAP4rev1, the protocol, without I/O."""
