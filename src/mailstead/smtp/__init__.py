"""SMTP and LMTP (RFC 5321, RFC 2033) without I/O: octets in, events out, replies in, octets out."""
