"""Extended LIST: the examples of RFC 5258 section 5 and RFC 6154 section 5, and its rules said again, slowly."""

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.imap.commands import parse
from mailstead.imap.listing import Entry, List, listed
from mailstead.imap.listoptions import Options, Return, Select
from mailstead.imap.mailboxes import StatusItem
from mailstead.imap.metadata import READ_CAP
from mailstead.imap.patterns import Pattern
from mailstead.imap.responses import Condition
from mailstead.imap.tokens import BadSyntax
from mailstead.mail.mailbox import SpecialUse


def entries(mailboxes: str, subscribed: str = "") -> list[Entry]:
    """Mailboxes, and names that are subscribed to, of which some are none."""
    existing, wanted = mailboxes.split(), subscribed.split()
    found = [Entry(name, subscribed=name in wanted) for name in existing]
    return found + [Entry(n, subscribed=True, exists=False) for n in wanted if n not in existing]


def ask(names: list[Entry], command: bytes) -> list[str]:
    """What comes behind `* LIST`, without the delimiter and the quotes of the name."""
    asked = parse((b"a " + command,))
    assert isinstance(asked, List)
    found = listed(names, Pattern(asked.reference, *asked.patterns), asked.options)
    lines = [line.octets().decode() for line in found]
    return [re.sub(r'\* LIST (\(.*?\)) "/" "(.*?)"', r"\1 \2", line).rstrip("\r\n") for line in lines]


FOOD = entries(
    "INBOX Fruit Fruit/Apple Fruit/Banana Tofu Vegetable Vegetable/Broccoli Vegetable/Corn",
    "INBOX Fruit/Banana Fruit/Peach Vegetable Vegetable/Broccoli",
)


def test_subscribed_names_and_no_others() -> None:
    """Examples 2, 3, 5 and 6; nothing is remote here."""
    subscribed = [
        r"(\Subscribed) INBOX", r"(\Subscribed) Fruit/Banana", r"(\Subscribed) Vegetable",
        r"(\Subscribed) Vegetable/Broccoli", r"(\NonExistent \Subscribed) Fruit/Peach",
    ]  # fmt: skip
    assert ask(FOOD, b'LIST (SUBSCRIBED) "" "*"') == subscribed
    assert ask(FOOD, b'LIST (REMOTE SUBSCRIBED) "" "*"') == subscribed
    assert ask(FOOD, b'LIST () "" "%" RETURN (CHILDREN)') == [
        r"(\HasNoChildren) INBOX", r"(\HasChildren) Fruit", r"(\HasNoChildren) Tofu", r"(\HasChildren) Vegetable",
    ]  # fmt: skip
    assert ask(FOOD, b'list (remote) "" "*" return (subscribed)') == [
        r"(\Subscribed) INBOX", "() Fruit", "() Fruit/Apple", r"(\Subscribed) Fruit/Banana", "() Tofu",
        r"(\Subscribed) Vegetable", r"(\Subscribed) Vegetable/Broccoli", "() Vegetable/Corn",
    ]  # fmt: skip


def test_several_patterns() -> None:
    """Example 7."""
    names = entries("INBOX Drafts Sent Sent/March2004 Sent/December2003 Sent/August2004 Sent/August2004/one")
    assert ask(names, b'LIST "" ("INBOX" "Drafts" "Sent/%")') == [
        "() INBOX", "() Drafts", "() Sent/March2004", "() Sent/December2003", "() Sent/August2004",
    ]  # fmt: skip
    assert ask(names, b"LIST Sent/ (M% D*)") == ["() Sent/March2004", "() Sent/December2003"]
    assert ask(names, b'LIST "" (inbox nowhere "INBO*")') == ["() INBOX"], "each name once"
    assert ask(names, b'LIST "" (Drafts)') == ["() Drafts"], "a list makes it an extended one"


def test_parents_of_what_is_subscribed() -> None:
    """Example 8."""
    foo = "Foo Foo/Bar Foo/Baz Moo"
    baz = entries(foo, "Foo/Baz")
    assert ask(baz, b'LIST "" "%" RETURN (CHILDREN)') == [r"(\HasChildren) Foo", r"(\HasNoChildren) Moo"]
    assert ask(baz, b'LIST (SUBSCRIBED) "" "*"') == [r"(\Subscribed) Foo/Baz"]
    assert ask(baz, b'LIST (SUBSCRIBED) "" "%"') == []
    info = '("CHILDINFO" ("SUBSCRIBED"))'
    recursive = b'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"'
    assert ask(baz, recursive) == [f"() Foo {info}"]
    assert ask(entries(foo, "Foo Foo/Baz"), recursive) == [rf"(\Subscribed) Foo {info}"]
    assert ask(entries("Moo", "Foo/Baz"), recursive) == [rf"(\NonExistent) Foo {info}"]
    assert ask(entries("Moo", "Foo Foo/Baz"), recursive) == [rf"(\NonExistent \Subscribed) Foo {info}"]
    assert ask(entries(foo), recursive) == []
    assert ask(entries(foo, "Foo Moo"), recursive + b" RETURN (CHILDREN)") == [
        r"(\Subscribed \HasChildren) Foo", r"(\Subscribed \HasNoChildren) Moo",
    ]  # fmt: skip


def test_a_parent_comes_only_for_a_child_that_does_not() -> None:
    """Example 9."""
    info = '("CHILDINFO" ("SUBSCRIBED"))'
    below = "foo2/bar1 foo2/bar2 baz2/bar2 baz2/bar22 baz2/bar222"
    names = entries(f"foo2 {below} baz2 eps2 eps2/mamba qux2/bar2", f"{below} eps2 eps2/mamba qux2/bar2")
    assert ask(names, b'LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"') == [
        f"() foo2 {info}", r"(\Subscribed) foo2/bar2", r"(\Subscribed) baz2/bar2", r"(\Subscribed) baz2/bar22",
        r"(\Subscribed) baz2/bar222", rf"(\Subscribed) eps2 {info}", r"(\Subscribed) qux2/bar2",
    ]  # fmt: skip
    assert ask(names, b'LIST (RECURSIVEMATCH SUBSCRIBED) "" "%"') == [
        f"() foo2 {info}", f"() baz2 {info}", rf"(\Subscribed) eps2 {info}",
        rf"(\NonExistent \HasChildren) qux2 {info}",
    ]  # fmt: skip


def test_children_and_subscribed_children_are_different_things() -> None:
    """Example 10."""
    names = entries("foo", "foo/bar")
    assert ask(names, b'LIST "" foo RETURN ()') == ["() foo"]
    assert ask(names, b'LIST (SUBSCRIBED) "" "foo/*"') == [r"(\NonExistent \Subscribed) foo/bar"]
    assert ask(names, b'LIST (SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)') == [
        r'(\HasNoChildren) foo ("CHILDINFO" ("SUBSCRIBED"))'
    ]


def test_a_level_without_a_mailbox() -> None:
    """Example 11; a plain LIST says it as it ever did."""
    names = entries("INBOX music/rock", "music")
    assert ask(names, b'LIST "" % RETURN ()') == ["() INBOX", r"(\NonExistent \HasChildren) music"]
    assert ask(names, b'LIST "" % RETURN (SUBSCRIBED)')[1] == r"(\NonExistent \Subscribed \HasChildren) music"
    assert ask(names, b'LIST "" %')[1] == r"(\Noselect \HasChildren) music"
    assert ask(entries("a", "b c/d"), b'LIST "" *') == [r"(\HasNoChildren) a"], "a subscription is no mailbox"


def test_special_uses() -> None:
    uses = {"SentMail": SpecialUse.SENT, "MyDrafts": SpecialUse.DRAFTS, "Trash": SpecialUse.TRASH}
    names = [Entry(n, uses.get(n)) for n in ("ToDo", "Projects", "Projects/Foo", *uses)]
    names.append(Entry("INBOX", SpecialUse.INBOX))
    assert ask(names, b'LIST "" "%"') == [
        r"(\HasNoChildren) ToDo", r"(\HasChildren) Projects", r"(\HasNoChildren \Sent) SentMail",
        r"(\HasNoChildren \Drafts) MyDrafts", r"(\HasNoChildren \Trash) Trash", r"(\HasNoChildren) INBOX",
    ]  # fmt: skip
    some = [r"(\Sent) SentMail", r"(\Drafts) MyDrafts", r"(\Trash) Trash"]
    assert ask(names, b'LIST "" "%" RETURN (SPECIAL-USE)') == ["() ToDo", "() Projects", *some, "() INBOX"]
    assert ask(names, b'LIST (SPECIAL-USE) "" "%"') == some
    assert ask(names, b'LIST "" "%" RETURN (SUBSCRIBED)')[2] == "() SentMail", "only what is asked for"
    both = [
        Entry("a/b", SpecialUse.SENT, subscribed=True),
        Entry("c", SpecialUse.JUNK),
        Entry("d", subscribed=True),
    ]
    assert ask(both, b'LIST (SPECIAL-USE SUBSCRIBED) "" *') == [r"(\Subscribed \Sent) a/b"]
    assert ask(both, b'LIST (SUBSCRIBED RECURSIVEMATCH SPECIAL-USE) "" %') == [
        r'(\NonExistent \HasChildren) a ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))'
    ]
    assert ask(both, b'LIST (RECURSIVEMATCH SPECIAL-USE) "" %')[0].endswith(' ("CHILDINFO" ("SPECIAL-USE"))')


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (b'LIST "" *', None),
        (b'LIST () "" *', Options()),
        (b'LIST "" (*)', Options()),
        (b'LIST "" * RETURN ()', Options()),
        (b'LIST (subscribed SUBSCRIBED Remote) "" * return (children)', Options(
            frozenset((Select.SUBSCRIBED, Select.REMOTE)), frozenset((Return.SUBSCRIBED, Return.CHILDREN)))),
        (b'LIST (SPECIAL-USE) "" * ', Options(
            frozenset((Select.SPECIAL_USE,)), frozenset((Return.SPECIAL_USE,)))),
        (b'LIST "" * RETURN (status (messages UIDNEXT messages) CHILDREN)', Options(
            frozenset(), frozenset((Return.CHILDREN,)), (StatusItem.MESSAGES, StatusItem.UIDNEXT))),
    ],
)  # fmt: skip
def test_options(line: bytes, options: Options | None) -> None:
    assert parse((b"a " + line,)) == List("", ("*",), options)


def test_patterns_may_be_literals() -> None:
    assert parse((b'a LIST "" (', b"a b", b" % ", b"&AOQ-", b")")) == List("", ("a b", "%", "ä"), Options())


@pytest.mark.parametrize(
    "line",
    [
        b'(RECURSIVEMATCH) "" *', b'(RECURSIVEMATCH REMOTE) "" *', b'(FOO) "" *', b'(SUBSCRIBED) ""', b'( SUBSCRIBED) "" *',
        b'(SUBSCRIBED ) "" *', b'(SUBSCRIBED "" *', b'(SUBSCRIBED)"" *', b'"" ()', b'"" (a', b'"" (a  b)', b'"" (a) b',
        b'"" * RETURN', b'"" * RETURN (', b'"" * RETURN (FOO)', b'"" * RETURN (CHILDREN', b'"" * RETURN (CHILDREN) x',
        b'"" * RETURN CHILDREN', b'"" * (CHILDREN)', b'"" * RETURN ((CHILDREN))', b'"" (' + b" ".join([b"a"] * 101) + b")",
        b"(" + b" ".join([b"REMOTE"] * 51) + b') "" *', b'"" * RETURN (' + b" ".join([b"CHILDREN"] * 51) + b")",
        b'"" (' + b" ".join([b"a" * 1000] * 5) + b")", b'"' + b"x" * 60 + b'" (' + b" ".join([b"a"] * 100) + b")",
    ],
)  # fmt: skip
def test_what_is_no_list(line: bytes) -> None:
    with pytest.raises(BadSyntax) as caught:
        parse((b"a LIST " + line,))
    assert caught.value.answer.condition is Condition.BAD


LEVELS = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join)
ENTRIES = st.dictionaries(LEVELS, st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=10)
PATTERNS = st.lists(st.sampled_from(["*", "%", "a", "a/b", "a%", "%/a", "*b", "%/%"]), min_size=1, max_size=3)


@given(ENTRIES, PATTERNS, st.sets(st.sampled_from([Select.SUBSCRIBED, Select.SPECIAL_USE])), st.booleans())
def test_the_rules(
    made: dict[str, tuple[bool, bool, bool]], patterns: list[str], selects: set[Select], recursive: bool
) -> None:
    """Sections 3.4 and 3.5, word by word, with every name there is and every level above it."""
    names = {
        n: Entry(n, SpecialUse.SENT if used and exists else None, subscribed=s or not exists, exists=exists)
        for n, (exists, s, used) in made.items()
    }
    returns = frozenset(Return)
    asked = {*selects, Select.RECURSIVE_MATCH} if recursive and selects else selects
    told = list(listed(names.values(), Pattern("", *patterns), Options(frozenset(asked), returns)))
    found = {line.name: line for line in told}
    assert len(told) == len(found), "each name once"
    everything = {"/".join(n.split("/")[: k + 1]) for n in names for k in range(n.count("/") + 1)}

    def meets(name: str) -> bool:
        entry = names.get(name, Entry(name, exists=False))
        if not selects:
            return entry.exists
        return (Select.SUBSCRIBED not in selects or entry.subscribed) and (
            Select.SPECIAL_USE not in selects or entry.special_use is not None
        )

    def matches(name: str) -> bool:
        return any(
            re.fullmatch("".join({"*": ".*", "%": "[^/]*"}.get(c, c) for c in p), name) for p in patterns
        )

    assert found.keys() <= everything
    for name in everything:
        below = [n for n in names if n.startswith(name + "/") and meets(n)]
        entry = names.get(name, Entry(name, exists=False))
        has_mailboxes = any(n.startswith(name + "/") and names[n].exists for n in names)
        if selects:
            reason = meets(name) or (Select.RECURSIVE_MATCH in asked and not all(map(matches, below)))
        else:
            reason = entry.exists or has_mailboxes
        assert (name in found) == (matches(name) and reason), name
        if name in found:
            line, shown = found[name], found[name].octets()
            assert (b"\\NonExistent" in shown) == (not entry.exists)
            assert (b"\\Subscribed" in shown) == entry.subscribed
            assert (b"\\HasChildren" in shown) == has_mailboxes
            assert (b"\\Sent" in shown) == (entry.special_use is not None)
            assert bool(line.below) == (Select.RECURSIVE_MATCH in asked and bool(below))
            assert line.whole == (entry.exists and meets(name))


@pytest.mark.parametrize(
    "command", [b'LIST "" %', b'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN)']
)
def test_levels_cost_no_memory(command: bytes) -> None:
    """A thousand names with five hundred levels each would be hundreds of megabytes."""
    names = [Entry(f"{n}/" + "a/" * 500 + "b", subscribed=True) for n in range(60)]
    asked = parse((b"a " + command,))
    assert isinstance(asked, List)
    pattern = Pattern(asked.reference, *asked.patterns)
    tracemalloc.start()
    try:
        shown = sum(1 for _ in listed(names, pattern, asked.options))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shown == 60
    assert peak < 2 << 20, "all levels would be fifteen times that"


@given(
    st.lists(st.text("aI/*%", max_size=6), min_size=1, max_size=4),
    st.sampled_from(["INBOX/a", "a", "aI/a", "INBOX"]),
)
def test_many_patterns_are_any_of_them(patterns: list[str], name: str) -> None:
    assert (name in Pattern("", *patterns)) == any(name in Pattern("", p) for p in patterns)


def test_a_list_with_annotations() -> None:
    """RFC 9590 section 6: return-option =/ "METADATA" SP entries."""
    color = "/shared/vendor/cmu/cyrus-imapd/color"
    line = b'A01 LIST "" %% RETURN (METADATA ("%b"))' % color.encode()
    assert parse((line,)) == List("", ("%",), Options(metadata=(color,)))
    line = b'a LIST "" * RETURN (CHILDREN metadata /private/a STATUS (MESSAGES) METADATA (/private/b /private/c))'
    returns = frozenset((Return.CHILDREN,))
    options = Options(frozenset(), returns, (StatusItem.MESSAGES,), ("/private/b", "/private/c"))
    assert parse((line,)) == List("", ("*",), options)
    found = parse((b'a LIST (SUBSCRIBED) "" * RETURN (METADATA (', b"/private/a", b"))"))
    assert found == List(
        "", ("*",), Options(found.options.selects, frozenset((Return.SUBSCRIBED,)), (), ("/private/a",))
    )  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "option",
    [
        b"METADATA", b"METADATA ()", b"METADATA (DEPTH 1) /private/a", b"METADATA (MAXSIZE 5) (/private/a)", b"METADATA (/private/vendor/x)",
        b"METADATA /private/a /private/b", b"METADATA (/private/a /foo/b)", b"METADATA (%b)" % b" ".join([b"/private/%d" % n for n in range(READ_CAP + 1)]),
    ],
)  # fmt: skip
def test_no_list_with_annotations(option: bytes) -> None:
    for line in (b'a LIST "" * RETURN (%b)', b'a LIST (METADATA (/private/a)) "" * RETURN (%b)'):
        with pytest.raises(BadSyntax):
            parse((line % option,))
