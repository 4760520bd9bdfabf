"""Threads: the RFC's rules one by one, a model that follows it word for word, and mail that contradicts itself."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from mailstead.mail.threadlist import thread_list
from mailstead.mail.threads import STEP, Algorithm, Forest, Posts, threaded
from tests.support.pace import seconds
from tests.support.steps import finished


class Post(NamedTuple):
    """One message; an id is any number."""

    sent: int
    subject: str
    reply: bool
    id: int | None = None
    references: Sequence[int] = ()


def columns(posts: Sequence[Post]) -> Posts:
    """The messages as they are threaded: 0 is no id."""

    def number(own: int | None) -> int:
        return 0 if own is None else own + (own >= 0)

    sent, subjects, replies, ids, references = zip(*posts, strict=True) if posts else ([],) * 5
    return Posts(sent, subjects, replies, [*map(number, ids)], [[*map(number, some)] for some in references])


def threads(posts: Sequence[Post], *, subject: bool = False) -> Forest:
    """The threads of messages."""
    return finished(threaded(columns(posts), Algorithm.ORDEREDSUBJECT if subject else Algorithm.REFERENCES))


def shown(posts: list[Post], *, subject: bool = False) -> str:
    """The response to THREAD, from its first parenthesis on, of messages 1, 2, 3 ..."""
    pieces = finished(thread_list(threads(posts, subject=subject), len(posts)))
    assert all(len(piece.places) <= STEP for piece in pieces)
    return b"".join([piece.text(range(1, len(posts) + 1)) for piece in pieces]).decode()


def post(
    own: int | None = None, *references: int, subject: str = "", reply: bool = False, sent: int = 0
) -> Post:
    return Post(sent, subject, reply, own, references)


def test_nothing() -> None:
    assert shown([]) == shown([], subject=True) == ""


def test_by_subject() -> None:
    posts = [post(subject=s, sent=t) for s, t in (("A", 3), ("B", 1), ("A", 2), ("C", 2), ("A", 9), ("B", 1))]
    assert shown(posts, subject=True) == "(2 6)(3 (1)(5))(4)"


def test_answers_are_below_what_they_answer() -> None:
    assert shown([post(1), post(2, 1), post(3, 1, 2), post(4, 1)]) == "(1 (2 3)(4))"
    assert shown([post(4, 1), post(3, 1, 2), post(2, 1), post(1)]) == "(4 (1)(3 2))"


def test_siblings_are_in_the_order_of_their_dates() -> None:
    assert shown([post(1), post(2, 1, sent=5), post(3, 1, sent=4), post(4, 1, sent=4)]) == "(1 (3)(4)(2))"
    assert shown([post(1, sent=2), post(2, sent=1), post(3, sent=1)]) == "(2)(3)(1)"


def test_what_is_not_there_is_passed_over() -> None:
    assert shown([post(1), post(3, 1, 2)]) == "(1 2)"
    assert shown([post(2, 1, sent=2), post(3, 1, sent=1), post(4, sent=0)]) == "(3)((2)(1))", (
        "a thread without a root"
    )
    assert shown([post(2, 1)]) == "(1)", "but not for one message"
    assert shown([post(5, 1, 2, 3, 4), post(6, 1, 2)]) == "((1)(2))"


def test_a_message_knows_its_parent_better_than_others_do() -> None:
    # 4 names 1 as if it were the parent of 3, whose own parent is 2.
    assert shown([post(1), post(2, 1), post(4, 1, 3), post(3, 1, 2)]) == "(1 2 4 3)"


def test_a_message_without_references_is_linked_by_later_ones_only() -> None:
    assert shown([post(1), post(2), post(3, 1, 2)]) == "(1 2 3)"
    assert shown([post(1), post(3, 1, 2), post(2)]) == "(1)(3 2)", "it came by afterwards, and had no parent"


def test_the_first_has_an_id_that_several_have() -> None:
    assert shown([post(1), post(1), post(2, 1)]) == "(1 3)(2)"
    assert shown([post(None), post(None)]) == "(1)(2)"


def test_loops_are_not_made() -> None:
    assert shown([post(1, 1)]) == "(1)"
    assert shown([post(1, 2), post(2, 1)]) == "(2 1)"
    assert shown([post(1, 2, 2, 1, 2), post(2, 1, 2, 1)]) == "(2 1)"
    assert shown([post(1, 3), post(2, 1), post(3, 2)]) == "(3 1 2)"


def test_threads_of_one_subject_are_one() -> None:
    a = {"subject": "A"}
    re = {"subject": "A", "reply": True}
    assert shown([post(1, **a), post(2, **re)]) == "(1 2)"
    assert shown([post(1, **re), post(2, **a)]) == "(2 1)"
    assert shown([post(1, **a), post(2, **a)]) == "((1)(2))"
    assert shown([post(1, **re), post(2, **re)]) == "((1)(2))"
    assert shown([post(1, **re), post(2, **a), post(3, **a)]) == "((2 1)(3))"
    assert shown([post(1, **a), post(2, **a), post(3, **re)]) == "((1)(2)(3))"
    assert shown([post(1), post(2)]) == "(1)(2)", "no subject is not the same subject"
    dummy = [post(2, 1, **re), post(3, 1, **re)]
    assert shown([*dummy, post(4, **a)]) == "((1)(2)(3))"
    assert shown([post(4, **a), *dummy]) == "((1)(2)(3))"
    assert shown([*dummy, post(5, 4, **re), post(6, 4, **re)]) == "((1)(2)(3)(4))"


@st.composite
def mailboxes(draw: st.DrawFn) -> list[Post]:
    """Messages of true threads, of which some are lost, in any order, with references that were cut."""
    count = draw(st.integers(1, 12))
    parents = [draw(st.integers(-1, n - 1)) for n in range(count)]
    subjects = [draw(st.sampled_from(["", "A", "B"])) for _ in range(count)]
    posts: list[Post] = []
    for n in draw(st.permutations(range(count))):
        if n and draw(st.integers(0, 4)) == 0:
            continue
        above: list[int] = []
        at = n
        while (at := parents[at]) >= 0:
            above.insert(0, at)
        keep = [a for a in above[:-1] if draw(st.booleans())] + above[-1:]
        posts.append(Post(draw(st.integers(0, 5)), subjects[n], draw(st.booleans()), n, keep))
    return posts


ANY = st.lists(
    st.builds(
        Post, st.integers(0, 3), st.sampled_from(["", "A", "B"]), st.booleans(), st.none() | st.integers(0, 9),
        st.lists(st.integers(0, 12), max_size=6),
    ),
    max_size=12,
)  # fmt: skip


@given(mailboxes())
@settings(max_examples=500)
def test_it_is_what_the_rfc_says_word_for_word(posts: list[Post]) -> None:
    assert shown(posts) == literal(posts)


@given(ANY)
@settings(max_examples=500)
def test_every_message_is_there_once_whatever_they_say(posts: list[Post]) -> None:
    for forest in (threads(posts), threads(posts, subject=True)):
        met: list[int] = []
        waiting = [(top, True) for top in forest.tops]
        while waiting:
            node, top = waiting.pop()
            met.append(node)
            below = forest.children.get(node, [])
            assert node < len(posts) or (top and len(below) > 1), (
                "a dummy only where it holds threads together"
            )
            waiting += [(child, False) for child in below]
        assert sorted(n for n in met if n < len(posts)) == list(range(len(posts)))
        assert len(met) == len(set(met))
        for siblings in forest.children.values():
            if max(siblings) < len(posts):
                assert siblings == sorted(siblings, key=lambda n: (posts[n].sent, n))


def literal(posts: list[Post]) -> str:
    """Steps 1 to 6 of RFC 5256 section 3 in their order, with links that are cut again."""
    parent: dict[object, object] = {}
    nodes: dict[int, object] = {}
    for at, p in enumerate(posts):
        assert p.id is not None
        nodes[p.id] = at

    def link(above: object, below: object) -> None:
        up: object = above
        while up is not None and up != below:
            up = parent.get(up)
        if up is None:
            parent[below] = above

    for at, p in enumerate(posts):
        found = [nodes.setdefault(r, f"dummy {r}") for r in p.references]
        for above, below in pairwise(found):
            if parent.get(below) is None:
                link(above, below)
        parent[at] = None
        if found:
            link(found[-1], at)
    children: dict[object, list[object]] = {None: []}
    for node in [*range(len(posts)), *(n for n in nodes.values() if isinstance(n, str))]:
        children.setdefault(parent.get(node), []).append(node)

    def prune(node: object) -> list[object]:
        below = [c for child in children.get(node, []) for c in prune(child)]
        children[node] = below
        return [node] if isinstance(node, int) else below

    tops: list[object] = []
    for top in children[None]:
        kept = prune(top)
        tops += kept if len(kept) < 2 else [top]

    def key(node: object) -> tuple[int, int]:
        return (posts[node].sent, node) if isinstance(node, int) else min(map(key, children[node]))

    def subject(node: object) -> str:
        return posts[key(node)[1]].subject

    def reply(node: object) -> bool:
        return isinstance(node, int) and posts[node].reply

    tops.sort(key=key)
    table: dict[str, object] = {}
    for top in tops:
        there = table.setdefault(subject(top), top)
        if isinstance(there, int) and (not isinstance(top, int) or (reply(there) and not reply(top))):
            table[subject(top)] = top
    said = {top: subject(top) for top in tops}
    for n, top in enumerate(list(tops)):
        there = table[said[top]]
        if not said[top] or there == top or top not in tops:
            continue
        tops.remove(top)
        if isinstance(there, str):
            children[there] += [top] if isinstance(top, int) else children[top]
        elif reply(top) and not reply(there):
            children[there].append(top)
        else:
            tops[tops.index(there)] = table[said[top]] = f"new {n}"
            children[f"new {n}"] = [there, top]

    def show(node: object) -> str:
        below = sorted(children[node], key=key)
        own = str(node + 1) if isinstance(node, int) else ""
        if len(below) == 1:
            return f"{own} {show(below[0])}"
        nested = "".join(f"({show(child)})" for child in below)
        return f"{own} {nested}" if own and nested else own + nested

    return "".join(f"({show(top)})" for top in sorted(tops, key=key))


def test_a_hundred_thousand_in_one_chain() -> None:
    count = 100_000
    chain = [post(n, *range(max(0, n - 3), n), sent=n) for n in range(count)]
    wanted = "(" + " ".join(map(str, range(1, count + 1))) + ")"
    assert shown(chain) == wanted
    backwards = "(" + " ".join(map(str, range(count, 0, -1))) + ")"
    assert shown(chain[::-1]) == backwards


def test_hostile_references_are_linear() -> None:
    """Chains of a hundred at a time, whose ends are then linked from everywhere to everywhere."""
    began = time.process_time()
    posts = [post(-n, *range(n * 99, n * 99 + 100)) for n in range(2000)]
    posts += [post(-n, *[(n * 7919 * k) % 198_000 for k in range(100)]) for n in range(2000, 4000)]
    posts += [post(n * 99, *range((n + 1) * 99, n * 99, -1)) for n in range(2000)]
    forest = threads(posts)
    assert len(forest.tops) + sum(map(len, forest.children.values())) >= len(posts)
    assert time.process_time() - began < seconds(10)  # squares would be hours


def test_many_answers_at_the_end_of_a_long_chain_are_linear() -> None:
    began = time.process_time()
    count = 50_000
    posts = [post(n, n - 1) for n in range(count, 0, -1)]  # whose ends are met before their beginnings
    posts += [post(-n, count) for n in range(1, count)]
    assert len(threads(posts).tops) == 1
    assert time.process_time() - began < seconds(10)
