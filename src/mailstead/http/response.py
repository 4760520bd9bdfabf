"""An HTTP response, whole: head and content, after which the connection ends (RFC 9112 section 9.6)."""

from mailstead.http.request import Status

_PHRASES = {
    Status.OK: "OK",
    Status.BAD_REQUEST: "Bad Request",
    Status.UNAUTHORIZED: "Unauthorized",
    Status.NOT_FOUND: "Not Found",
    Status.METHOD_NOT_ALLOWED: "Method Not Allowed",
    Status.HEAD_TOO_LARGE: "Request Header Fields Too Large",
    Status.UNAVAILABLE: "Service Unavailable",
    Status.VERSION_NOT_SUPPORTED: "HTTP Version Not Supported",
}
# What else an answer must say (RFC 9110 sections 11.6.1 and 15.5.6, RFC 6750 section 3).
_FIELDS = {
    Status.UNAUTHORIZED: "WWW-Authenticate: Bearer\r\n",
    Status.METHOD_NOT_ALLOWED: "Allow: GET, HEAD\r\n",
}
TEXT = "text/plain; charset=utf-8"


def response(status: Status, content: str = "", kind: str = TEXT, *, head_only: bool = False) -> bytes:
    """The octets of a response; without content it says what its status means.

    Args:
        head_only: To HEAD: all but the content.
    """
    octets = (content or f"{_PHRASES[status]}\n").encode()
    head = (
        f"HTTP/1.1 {int(status)} {_PHRASES[status]}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(octets)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
        f"{_FIELDS.get(status, '')}\r\n"
    )
    return head.encode() + (b"" if head_only else octets)
