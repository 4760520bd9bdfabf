"""IMAP URLs (RFC 5092): the examples of the RFC, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.binary import Partial
from mailstead.imap.url import MessageUrl, Server, parse_url
from mailstead.mail.section import Section, Text

MINBARI = Server("minbari.example.org", None, None)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        # RFC 4469 appendix A, RFC 8508 section 4.2
        (b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", MessageUrl(None, "Drafts", 385759045, 20, Section(text=Text.HEADER))),
        (b"/Drafts;UIDVALIDITY=385759045/;UID=20/;Section=2.MIME", MessageUrl(None, "Drafts", 385759045, 20, Section((2,), Text.MIME))),
        (b"/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9", MessageUrl(None, "INBOX", 785799047, 113330, Section((1, 5, 9)))),
        (b"/INBOX;UIDVALIDITY=785799047/;UID=11467", MessageUrl(None, "INBOX", 785799047, 11467)),
        (b"/Drafts/;UID=3002", MessageUrl(None, "Drafts", None, 3002)),
        # RFC 5092 sections 9 and 9.1
        (b"imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024", MessageUrl(MINBARI, "gray-council", 385759045, 20, partial=Partial(0, 1024))),
        (b"imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2", MessageUrl(MINBARI, "gray-council", None, 20, Section((1, 2)))),
        (b"imap://joe@example.com/INBOX/;uid=20/;section=1.2", MessageUrl(Server("example.com", None, "joe"), "INBOX", None, 20, Section((1, 2)))),
        (b";UID=20", MessageUrl(None, None, None, 20)),
        # others
        (b";uid=20/;section=1.MIME/;partial=5", MessageUrl(None, None, None, 20, Section((1,), Text.MIME), Partial(5))),
        (b"IMAP://j%40e;auth=*@EXAMPLE.com:993/a/b/;UID=1", MessageUrl(Server("example.com", 993, "j@e"), "a/b", None, 1)),
        (b"//joe@[::1]:143/a/;UID=1", MessageUrl(Server("[::1]", 143, "joe"), "a", None, 1)),
        (b"/inbox/%E5%8F%B0%E5%8C%97%3b%20x/;UID=1", MessageUrl(None, "INBOX/\u53f0\u5317; x", None, 1)),
        (b"/e\xcc\x81/;UID=1".replace(b"\xcc\x81", b"%CC%81"), MessageUrl(None, "\u00e9", None, 1)),
        (b"/a&b=c@d:e,f(g)*+!$'~/;UID=1", MessageUrl(None, "a&b=c@d:e,f(g)*+!$'~", None, 1)),
        (b"/a/./b/../c/;UID=1", MessageUrl(None, "a/c", None, 1)), (b"/../a/;UID=1", MessageUrl(None, "a", None, 1)),
        (b"/a/;UID=1/;SECTION=HEADER.FIELDS%20(DATE%20FROM)", MessageUrl(None, "a", None, 1, Section((), Text.FIELDS, (b"DATE", b"FROM")))),
        (b"/a/;UID=1/;SECTION=3.header.fields.not%20%28%22To%22%29/;PARTIAL=1.2", MessageUrl(None, "a", None, 1, Section((3,), Text.FIELDS_NOT, (b"To",)), Partial(1, 2))),
        (b"/a/;UID=4294967295", MessageUrl(None, "a", None, 4294967295)),
    ],
)  # fmt: skip
def test_urls(octets: bytes, found: MessageUrl) -> None:
    assert parse_url(octets) == found


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"/", b"/a", b"/a;UIDVALIDITY=1", b"/a/;UID=0", b"/a/;UID=01", b"/a/;UID=-1", b"/a/;UID=4294967296", b"/a/;UID=1:2", b"/a/;UID=*", b"/a/;UID=x", b"/a;UID=1",
        b"/;UID=1", b"//;UID=1", b"/a//b/;UID=1", b"/a//;UID=1", b"/a/;UID=1/", b"/a/;UID=1 ", b" /a/;UID=1", b"/a/;UID=1/x", b"/a/;UID=1/;UID=2", b"/a/;UIDVALIDITY=1/;UID=1",
        b"/a;UIDVALIDITY=0/;UID=1", b"/a;UIDVALIDITY=/;UID=1", b"/a;UIDVALIDITY=4294967296/;UID=1", b"/a;b/;UID=1", b"/a?ALL", b"/a/;UID=1?x", b"/a b/;UID=1", b"/\xc3\xa9/;UID=1",
        b"/a%/;UID=1", b"/a%2/;UID=1", b"/a%zz/;UID=1", b"/%FF/;UID=1", b"/%00/;UID=1", b"/a%0D%0A/;UID=1", b"/a/;UID=1%00", b'/a"/;UID=1', b"/a<b>/;UID=1", b"/a\\b/;UID=1",
        b"/a/;UID=1/;SECTION=", b"/a/;UID=1/;SECTION=0", b"/a/;UID=1/;SECTION=x", b"/a/;UID=1/;SECTION=MIME", b"/a/;UID=1/;SECTION=1.", b"/a/;UID=1/;SECTION=HEADER.FIELDS", b"/a/;UID=1/;SECTION=HEADER.FIELDS%20()",
        b"/a/;UID=1/;SECTION=" + b".".join([b"1"] * 200), b"/a/;UID=1/;SECTION=1;PARTIAL=0", b"/a/;UID=1/;PARTIAL=", b"/a/;UID=1/;PARTIAL=1.0", b"/a/;UID=1/;PARTIAL=1.", b"/a/;UID=1/;PARTIAL=.1", b"/a/;UID=1/;PARTIAL=0.1/;SECTION=1", b"/a/;UID=1/;PARTIAL=99999999999999999999",
        b"a/;UID=1", b"a", b";SECTION=1.4", b";PARTIAL=1", b"..;UIDVALIDITY=385759045/;UID=20", b"./;UID=1", b"/foo/;UID=20/..", b"/foo/;UID=20/.", b"/..",
        b"imap:/a/;UID=1", b"imap:a", b"imap://", b"imap:///a/;UID=1", b"imap://host", b"imap://host/", b"imap://host/;UID=1", b"imap://@host/a/;UID=1", b"imap://host:/a/;UID=1", b"imap://host:123456/a/;UID=1", b"imap://u@v@host/a/;UID=1", b"imap://u:p@host/a/;UID=1", b"imap://ho%41st/a/;UID=1", b"imap://h o/a/;UID=1",
        b"http://host/a/;UID=1", b"imaps://host/a/;UID=1", b"file:///etc/passwd", b"ftp://host/a/;UID=1",
        b"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a473744909de610943775f92038", b"/INBOX/;uid=20;expire=2030-01-01T00:00:00Z;urlauth=anonymous:internal:91354a473744909de610943775f92038",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_message(octets: bytes) -> None:
    with pytest.raises(ValueError):
        parse_url(octets)


@given(st.lists(st.sampled_from([b"/", b"a", b"%41", b"%", b";UID=", b"1", b";UIDVALIDITY=", b";SECTION=", b";PARTIAL=", b".", b"..", b"imap:", b"@", b":", b"INBOX", b"HEADER", b"%00", b"?"]), max_size=20))  # fmt: skip
def test_anything_is_a_url_or_is_not(pieces: list[bytes]) -> None:
    try:
        found = parse_url(b"".join(pieces))
    except ValueError:
        return
    assert found.uid >= 1


def test_long_ones_take_no_longer() -> None:
    for piece in (
        b"/",
        b"a",
        b"%41",
        b"/.",
        b"/..",
        b"/a/..",
        b";UID=1/",
        b"a/;UID=1/;SECTION=1.",
        b";",
        b"%",
    ):
        with pytest.raises(ValueError):
            parse_url((b"/a" + piece * 8192)[:8192] + b"\n")
