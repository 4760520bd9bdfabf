"""Address lists: the examples of RFC 5322 appendix A, and a list whatever comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.mail.addresslist import (
    ADDRESSES_CAP,
    NO_DOMAIN,
    NO_MAILBOX,
    VALUE_CAP,
    address_list,
    read_list,
)

Row = tuple[bytes | None, bytes | None, bytes | None, bytes | None]
END: Row = (None, None, None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 5322 appendix A.1.2
        (b'"Joe Q. Public" <john.q.public@example.com>', [(b"Joe Q. Public", None, b"john.q.public", b"example.com")]),
        (b'Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>',
         [(b"Mary Smith", None, b"mary", b"x.test"), (None, None, b"jdoe", b"example.org"), (b"Who?", None, b"one", b"y.test")]),
        (b'<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
         [(None, None, b"boss", b"nil.test"), (b'Giant; "Big" Box', None, b"sysservices", b"example.net")]),
        # appendix A.1.3
        (b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
         [(None, None, b"A Group", None), (b"Ed Jones", None, b"c", b"a.test"), (None, None, b"joe", b"where.test"),
          (b"John", None, b"jdoe", b"one.test"), END]),
        (b"Undisclosed recipients:;", [(None, None, b"Undisclosed recipients", None), END]),
        # appendix A.5
        (b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", [(b"Pete", None, b"pete", b"silly.test")]),
        (b"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org",
         [(None, None, b"A Group", None), (b"Chris Jones", None, b"c", b"public.example"), (None, None, b"joe", b"example.org"), END]),
        (b"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", [(None, None, b"Hidden recipients", None), END]),
        # appendix A.6.1 and A.6.3
        (b"Joe Q. Public <john.q.public@example.com>", [(b"Joe Q. Public", None, b"john.q.public", b"example.com")]),
        (b"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
         [(b"Mary Smith", b"@node.test", b"mary", b"example.net"), (None, None, b"jdoe", b"test.example")]),
        (b"John Doe <jdoe@machine(comment).  example>", [(b"John Doe", None, b"jdoe", b"machine.example")]),
        # what is none
        (b"root", [(None, None, b"root", NO_DOMAIN)]),
        (b"Bob Smith bob@b.test", [(b"Bob Smith bob", None, NO_MAILBOX, NO_DOMAIN)]),
        (b"", []),
    ],
)  # fmt: skip
def test_examples(value: bytes, expected: list[Row]) -> None:
    assert [(a.name, a.route, a.mailbox, a.host) for a in address_list(value)] == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b"b.c", b"@", b"<", b">", b",", b":", b";", b'"', b"(", b")", b"\\", b" ", b"[", b"]", b"\xff", b"."])
    ).map(b"".join)
)  # fmt: skip
def test_any_octets_give_a_list_whose_groups_are_closed(value: bytes) -> None:
    depth = 0
    for address in address_list(value):
        if address.host is None:
            depth += -1 if address.mailbox is None else 1
        else:
            assert address.mailbox
            assert address.host
        assert depth in (0, 1)
    assert depth == 0


def test_it_is_capped() -> None:
    assert len(address_list(b"a@b," * 5000)) == ADDRESSES_CAP
    assert len(address_list(b"g:" + b"a@b," * 5000)) <= ADDRESSES_CAP + 1
    assert address_list(b" " * VALUE_CAP + b"a@b") == []


@given(
    st.from_regex(
        rb'((?:"[^"\\\x00-\x1f]{1,9}"|[A-Za-z0-9.=?_-]{1,9}( [A-Za-z0-9]{1,5})?) )?<?[a-z.+]{1,9}@[a-z.-]{1,9}>?',
        fullmatch=True,
    )
)
def test_the_short_way_through_a_list_ends_where_the_long_one_does(value: bytes) -> None:
    assert address_list(value) == read_list(value)
