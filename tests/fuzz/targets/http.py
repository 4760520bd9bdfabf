"""Fuzz target of the head of an HTTP request, as in `parsers`."""

from collections.abc import Callable

from mailstead.http.request import HEAD_OCTETS, Request, RequestReader, Status


def http_head(octets: bytes) -> None:
    """A request, a refusal or nothing yet; in pieces as in one, and never more kept than a head has."""
    whole = RequestReader()
    found = whole.receive(octets)
    assert found is None or isinstance(found, Request | Status)
    assert len(whole._octets) <= HEAD_OCTETS + 4
    pieces, again = RequestReader(), None
    for at in range(0, len(octets), 7):
        if (again := pieces.receive(octets[at : at + 7])) is not None:
            break
    assert again == found


TARGETS: dict[str, Callable[[bytes], None]] = {"http_head": http_head}
