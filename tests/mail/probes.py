"""Messages that ask one question each about ENVELOPE or BODYSTRUCTURE, and the corpus.

What Dovecot 2.3 answers is in dovecot.json (tools/ask_dovecot.py). Where we differ on purpose, and
why, is in OURS.
"""

from pathlib import Path

CORPUS = Path(__file__).parent.parent / "corpus"


def corpus() -> dict[str, bytes]:
    """Every message of the corpus by its path, line ends made CRLF."""
    paths = sorted(p for p in CORPUS.rglob("*") if p.is_file() and p.name != "COPYING")
    messages = {p.relative_to(CORPUS).as_posix(): p.read_bytes() for p in paths}
    return {n: o.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for n, o in messages.items() if o}


def _m(header: bytes, body: bytes = b"x\r\n") -> bytes:
    return header.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


def _parts(*parts: bytes, kind: bytes = b"mixed", end: bytes = b"--b--\r\n") -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return _m(b"Content-Type: multipart/" + kind + b"; boundary=b", body + end)


ADDRESSES = [
    b"a@b", b"<c@d>", b"F <g>", b"<>", b"H <>", b"i@", b"@j", b'"k l"@m', b"<@r,@s:t@u>", b"v@[1.2.3.4]", b"w (x)", b"y@z (Name)",
    b'"Q" (c)', b"aa bb", b"cc@dd ee", b"aa bb@cc", b"(Name) a@b", b"(x) a (y) @ (z) b (w)", b"Joe (x) <a@b> (y)", b"(x) <a@b>",
    b"<a@b> (y)", b"a@b c@d", b'"Q"', b'"Q" R', b"root", b"a@b <c@d>", b"<a b@c>", b"<a@b c>", b"x <a@b> y", b"A B: C: d@e;",
    b"A:b@c", b"A:b@c, d@e;, f", b"q g: a@b ;", b"g:;", b'"q g":a@b;', b"Undisclosed recipients:;", b"=?x?= y <a@b>", b"J. Q. P <a@b>",
    b"a@[x y]", b"a@b,", b"a@b;", b'"a@b" <c@d>', b"a@b:c@d", b"(x)", b"<", b"a <b", b'"x""y" <d@e>', b"a\xff b <c@d>", b"a@b(c)d",
    b'"Joe \\"Q\\" \\\\ P" <a@b.test>', b'Joe "Q" Public <a@b>', b"Joe\n\t Public  <a@b>", b'"Joe\n  Pub" <a@b>', b"(com\n ment) x@y (re\n  al)",
    b"a@b (esc \\) x)", b"pete(his (nested) account)@silly.test (Pete)", b"a @ b . c", b"",
]  # fmt: skip

PROBES: dict[str, bytes] = {
    **{f"address {a.decode('latin-1')!r}": _m(b"To: " + a) for a in ADDRESSES},
    "fields twice": _m(b"Subject: one\nSubject: two\nDate: d1\nDate: d2\nFrom: a@b\nFrom: c@d\nMessage-ID: <1>\nMessage-ID: <2>"),
    "content fields twice": _m(b"Content-Type: text/html\nContent-Type: application/x\nContent-Disposition: inline\nContent-Disposition: attachment\n"
                               b"Content-ID: <1>\nContent-ID: <2>\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 8bit\n"
                               b"Content-Language: de\nContent-Language: fr\nContent-MD5: m1\nContent-MD5: m2\nContent-Location: l1\nContent-Location: l2"),
    "folded subject": _m(b"Subject: a\n b\n\tc\n   d  e"),
    "spaces": _m(b"Subject:  a  b\tc  "),
    "empty fields": _m(b"Subject:    \nDate:\nMessage-ID: \nIn-Reply-To:\nFrom:\nTo: "),
    "quotes": _m(b'Subject: a "b" \\ c\nMessage-ID: <"a"@b>\nDate: "x"\\'),
    "8-bit": _m('Subject: äö\nFrom: Jörg <j@x.test>\nTo: "Jörg" <j@x.test>\nContent-Description: ä\nContent-Type: text/plain; name=ä.txt'.encode()),
    "control characters": _m(b'Subject: a\x01b\x7f\nFrom: "a\x01" <a@b>'),
    "bare CR": _m(b"Subject: a\rb\nFrom: a@b"),
    "sender and reply-to": _m(b"From: a@b\nSender: \nReply-To: r@s, t@u"),
    "empty sender": _m(b"From: \nSender:\nReply-To: <>"),
    "space before the colon": _m(b"Subject : x\nFrom\t: a@b"),
    "a line that is no field": _m(b"Subject: x\njunk line\nFrom: a@b"),
    "a From line": _m(b"From x@y Mon\nSubject: x"),
    "RFC 2231": _m(b"Content-Type: text/plain; name*0=ab; name*1=cd\nContent-Disposition: attachment; filename*0*=utf-8''%41; filename*1=b%; filename*2*=%43; size=3"),
    "RFC 2231 beside plain": _m(b"Content-Type: application/x; a=2\nContent-Disposition: attachment; filename*=utf-8''%41; filename=x"),
    "RFC 2231 with a gap": _m(b"Content-Type: application/x; name*0=ab; name*2=cd; q*1=x; r*0*=a''b; r*1=c d;y"),
    "RFC 2231 in both forms": _m(b"Content-Type: application/x; t*0*=us-ascii'en'%41; t*1=\"isn't; 5%\"; t*2*=%42"),
    "RFC 2231 charset": _m(b"Content-Type: text/plain; charset*=us-ascii'en'utf-8"),
    "parameters": _m(b'Content-Type: TEXT/Plain ; CHARSET = "US-ASCII" ; Format=Flowed;delsp=yes ; q="a\\"b" (com) ; e= ;f'),
    "parameters without quotes": _m(b"Content-Disposition: attachment; filename=a b.txt\nContent-Type: x/y; name=a b.txt"),
    "comments": _m(b"Content-Type: text (c) / plain (d) ; charset (e) = (f) utf-8 (g)\nContent-Transfer-Encoding: (x) BASE64 (y)\nContent-Disposition: (a) ATTACHMENT (b); filename=x (c)"),
    "encoding of two words": _m(b"Content-Transfer-Encoding: 8 bit"),
    "encoding empty": _m(b"Content-Transfer-Encoding:"),
    "encoding quoted": _m(b'Content-Transfer-Encoding: "base64"; x=y'),
    "language": _m(b"Content-Language: de, en-US (x) , fr\nContent-Location: http://a/\n  b c\nContent-ID: <a b>  (x)\nContent-Type: text/plain"),
    "text without a charset": _m(b"Content-Type: text/html; x=y"),
    "charset of something else": _m(b"Content-Type: application/octet-stream; name=a; charset=x"),
    "no header": b"\r\nbody\r\n",
    "only a header": b"Subject: x\r\n",
    "only a field": b"Subject: x",
    "no line end": b"Subject: x\r\n\r\nab",
    "three lines": b"Subject: x\r\n\r\na\r\nb\r\nc",
    "digest": _parts(b"\r\nSubject: in\r\n\r\nx", b"Content-Type: text/plain\r\n\r\ny", kind=b"digest"),
    "message": _m(b"Content-Type: message/rfc822", b"Subject: in\r\nFrom: a@b\r\n\r\nx\r\ny\r\n"),
    "message in capitals": _m(b"Content-Type: MESSAGE/RFC822; NAME=x", b"Subject: in\r\n\r\nx\r\n"),
    "message in base64": _m(b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", b"U3ViamVjdDogeA0KDQp4DQo=\r\n"),
    "message said to be quoted-printable": _m(b"Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable", b"Subject: x\r\n\r\ny\r\n"),
    "boundary in pieces": _m(b"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b", b"--ab\r\n\r\nx\r\n--ab--\r\n"),
    "a delimiter within one of its own": _parts(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--"),
    "a part behind the end": _parts(b"\r\nx", end=b"--b--\r\n--b\r\n\r\ny\r\n"),
    "messages as parts": _parts(b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n", b"Content-Type: message/rfc822\r\n\r\n\r\nx",
                                b"Content-Type: message/rfc822\r\n", b"Content-Type: message/rfc822\r\n\r\nSubject: y"),
    "a message that ends in a multipart": _parts(b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--"),
    "a multipart that ends at its parent's line": _parts(b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c\r\n\r\ny"),
    "a header that a delimiter cuts off": _parts(b"Content-Type: text/html", b"X: y"),
    "blank parts": _parts(b"", b"\r\n", b"\r\n\r\n", end=b"--b--"),
    "space behind delimiters": _m(b"Content-Type: multipart/mixed; boundary=b", b"--b  \r\n\r\nx\r\n--b \t\r\n\r\ny\r\n--b--  \r\n"),
    "multipart without a part": _m(b"Content-Type: multipart/mixed; boundary=b", b"nothing\r\n"),
    "multipart without a boundary": _m(b"Content-Type: multipart/mixed", b"--b\r\n\r\nx\r\n--b--\r\n"),
    "multipart with everything": _m(b"Content-Type: multipart/MIXED; BOUNDARY=b; x=y\nContent-Disposition: inline; a=b\nContent-Language: de, en\nContent-Location: loc",
                                    b"--b\r\nContent-Type: TEXT/HTML\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nx\r\n--b--\r\n"),
    "boundary with a space": _m(b'Content-Type: multipart/mixed; boundary="a b:c"', b"--a b:c\r\n\r\nx\r\n--a b:c--\r\n"),
    "no type": _m(b"Content-Type:"),
    "half a type": _m(b"Content-Type: text"),
    "three halves of a type": _m(b"Content-Type: text/plain/x; charset=x"),
    "a boundary that begins another": _parts(b"\r\nx\r\n--bb\r\n\r\ny"),
    "message/global": _parts(b"Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nx"),
    "a list with gaps": _m(b"To: ,,a@b,,"),
    "semicolons": _m(b"To: a@b; c@d"),
    "dots between words": _m(b'To: a . b @ c . d, "a"."b"@c'),
}  # fmt: skip

_TYPE = "what has no valid type is text/plain (RFC 2045 section 5.2)"
OURS: dict[str, str] = {
    "no type": _TYPE,
    "half a type": _TYPE,
    "three halves of a type": _TYPE,
    "cpython/msg_14.txt": _TYPE,
    "message/global": "it is a message (RFC 9051 section 9, media-message)",
    "a list with gaps": "empty elements are nobody (RFC 5322 section 4.4, obs-addr-list)",
    "semicolons": "what some programs write between addresses loses none of them",
    "dots between words": "they belong to the address (RFC 5322 section 4.4, obs-local-part, obs-domain)",
}
