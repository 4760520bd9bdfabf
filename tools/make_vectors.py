"""Makes tests/vectors/mailstead.json: the vectors of what docs/format.md has and ems1*.json do not.

    python -m tools.make_vectors

Salts and encapsulations are random, so that every run gives others; the file in the repository is
never made again for a format that exists: what was sealed once opens for ever.
"""

import base64
import json
from array import array
from collections.abc import Iterator
from pathlib import Path

from mailstead.accounts import annotations, answerrows, mboxes, pages
from mailstead.accounts.accessentries import Door, Entries, Entry, Outcome, packed_peer
from mailstead.accounts.accountleaf import AccountLeaf
from mailstead.accounts.anchor import Anchor
from mailstead.accounts.counts import Counts
from mailstead.accounts.entries import Described, EntryA, EntryB, compressed_a, compressed_b, pack_a, pack_b
from mailstead.accounts.keptorders import Finished
from mailstead.accounts.leaves import Leaf
from mailstead.accounts.marks import Extra
from mailstead.accounts.mboxes import MailboxName
from mailstead.accounts.orderrows import NUMBERS, Marks
from mailstead.accounts.orderrows import encode as encode_order
from mailstead.accounts.states import MessageState, StatePage, Tombstone
from mailstead.crypto import escrow, keyring, newslots, passwords, primitives, scram, slots
from mailstead.crypto.apppasswords import new_app_password, new_invitation
from mailstead.crypto.arrivals import Link, digest
from mailstead.crypto.body import BodyBuilder, PreparedBody
from mailstead.crypto.frame import store_entry
from mailstead.crypto.keyring import CURRENT, MANIFESTS, STORE_KEY_ONLY, Epoch, Ring, RingSlot
from mailstead.crypto.keys import StoreKeys
from mailstead.crypto.lanes import DeliveryKey, LaneWriter
from mailstead.crypto.ledger import LINE_OCTETS, START, Line, LineType
from mailstead.crypto.notes import seal_note
from mailstead.crypto.sealed import ZERO_ID, Kind, Sealed, SealedRecord
from mailstead.crypto.serverkey import ServerKey
from mailstead.mail.mailbox import Modseq, SpecialUse, SystemFlag, Uid
from mailstead.mail.sortkeys import By, Criterion
from mailstead.mail.structure import Scanner
from mailstead.mail.summary import Provenance, summarise
from mailstead.mail.threadlist import Piece
from mailstead.mail.threads import Algorithm
from mailstead.secretmem import Arena
from mailstead.store.orders import answer_id, order_id

FILE = Path(__file__).parent.parent / "tests" / "vectors" / "mailstead.json"
ACCOUNT, MAILBOX = bytes(range(16)), bytes(range(16, 32))
ROOT, SERVER_KEY = bytes(range(32)), bytes(range(32, 64))
SEED, STORE_KEY = b"\x11" * 32, b"\x22" * 32
SMALL = b"From: ann@b.test\r\nSubject: h\xc3\xa4llo\r\n\r\nbody\r\n"
MESSAGES = {
    "empty": (b"", "all"),
    "one block": (SMALL, "all"),
    "seekable": (b"".join(b"line %d of a long message\r\n" % n for n in range(6000)), "all"),
    "not compressed": (SMALL * 500, "none"),
}
Vector = dict[str, object]


def _hex(octets: bytes) -> str:
    return octets.hex()


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def server_key() -> Vector:
    """What is derived from server.key, and a row MAC of each table."""
    key = ServerKey(SERVER_KEY)
    pub, header = b"\x55" * 1216, b"EMSK" + bytes(62)
    return {
        "server_key": _hex(SERVER_KEY),
        "pepper": _hex(key.peppers[0].octets),
        "pepper_id": _hex(key.peppers[0].id()),
        "instance": {"id": _hex(MAILBOX), "check": _hex(key.instance_check(MAILBOX))},
        "unknown": {"name": "nobody@b.test", "salt": _hex(key.unknown_salt("nobody@b.test"))},
        "rows": {
            "address": {
                "address": "ann@b.test", "kind": 0,
                "mac": _hex(key.rows.address("ann@b.test", ACCOUNT, 0)),
            },
            "epoch_key": {
                "epoch": 1, "suite": 1, "state": 1, "public_key": _hex(pub),
                "mac": _hex(key.rows.epoch_key(ACCOUNT, 1, 1, 1, pub)),
            },
            "slot": {
                "header": _hex(header), "root_gen": 1, "read_gen": 2, "not_after": 3, "public_key": _hex(pub),
                "blob": "b0", "tag": "7a", "scram": "",
                "mac": _hex(key.rows.slot(ACCOUNT, header, (1, 2), 3, pub, b"\xb0", b"\x7a", b"")),
            },
            "account": {
                "status": 0, "epoch": 1, "root_gen": 1, "read_gen": 2,
                "mac": _hex(key.rows.account(ACCOUNT, 0, 1, 1, 2)),
            },
        },
    }  # fmt: skip


def arrivals() -> Vector:
    """The tags before, of the first and of the second arrival of a mailbox."""
    chain = ServerKey(SERVER_KEY).rows.arrivals(ACCOUNT)
    summary, body = Sealed(b"summary"), bytes(range(100))
    tag = chain.start(MAILBOX, 7)
    made: Vector = {
        "mailbox": _hex(MAILBOX), "uid_validity": 7, "summary": _hex(summary.octets), "body": _hex(body),
        "start": _hex(tag), "digest": _hex(digest(summary, len(body), body)),
    }  # fmt: skip
    links: list[Vector] = []
    for n in (1, 2):
        link = Link(n, MAILBOX, 10 + n, 20 + n, b"o" * 16, b"l" * 16, n, digest(summary, len(body), body))
        tag = chain.step(tag, link)
        links.append(
            {
                "n": n, "uid": link.uid, "modseq": link.modseq, "object_id": _hex(link.object_id),
                "lane_id": _hex(link.lane_id), "ctr": n, "tag": _hex(tag),
            }
        )  # fmt: skip
    return made | {"links": links}


def ways() -> Vector:
    """A password slot, a slot of recovery words, and passwords as they are prepared."""
    arena = Arena(8)
    pepper = ServerKey(SERVER_KEY).peppers[0]
    words = " ".join(passwords.new_words())
    made: Vector = {"words": words, "entropy": _hex(passwords.entropy(words))}
    for name, kind, credential in (
        ("password", slots.SlotType.PASSWORD, b"correct horse"),
        ("recovery", slots.SlotType.RECOVERY, passwords.entropy(words)),
    ):
        header = newslots.new_header(kind, ACCOUNT, pepper, slots.Cost(8192, 1))
        with slots.slot_secret(arena, header, credential, [pepper]) as secret:
            slot = slots.make_slot(header, secret.view, ROOT, 1, 1)
            made[name] = {
                "credential": _hex(credential), "header": _hex(slot.header),
                "secret": _hex(bytes(secret.view)), "C": _hex(slots.auth_key(secret.view)),
                "public_key_sha256": _hex(primitives.sha256(slot.public_key)),
                "blob": _hex(slot.blob), "tag": _hex(slot.tag), "payload": _hex(ROOT),
            }  # fmt: skip
    typed = ["x", "pa\u0308ss", "a\u3000b\u00a0c", "A b\tC", "\U0001f511" * 256]
    made["prepared"] = [[_hex(t.encode()), _hex(passwords.prepare(t.encode()))] for t in typed] + [
        ["ff00fe".replace("00", "01")] * 2
    ]
    return made


def app_passwords() -> Vector:
    """A slot of each kind of app password, and the SCRAM keys that open it."""
    key, arena, salt = ServerKey(SERVER_KEY), Arena(8), ServerKey(SERVER_KEY).scram_salt("ann@b.test")
    read_key = keyring.read_key(ROOT, 1, 2)
    made: Vector = {
        "name": "ann@b.test",
        "salt": _hex(salt),
        "iterations": scram.ITERATIONS,
        "read_key": _hex(read_key),
    }
    for name, scope in (
        ("mail", slots.MAIL),
        ("read_only", slots.READ_ONLY),
        ("submit_only", slots.SUBMIT_ONLY),
    ):
        password = new_app_password(set())
        keys = scram.scram_keys(password.octets, salt)
        header = newslots.app_header(ACCOUNT, scope, 1 << 33)
        payload = None if scope is slots.SUBMIT_ONLY else read_key
        with slots.slot_secret(arena, header, keys.client_key, []) as secret:
            slot = slots.make_slot(header, secret.view, payload, 1, 2)
            made[name] = {
                "password": password.octets.decode(), "locator": password.locator,
                "client_key": _hex(keys.client_key), "stored_key": _hex(keys.stored_key()),
                "server_key": _hex(keys.server_key), "header": _hex(slot.header),
                "secret": _hex(bytes(secret.view)), "blob": _hex(slot.blob), "tag": _hex(slot.tag),
                "scram": _hex(key.seal_verifier(slot.header, keys)),
            }  # fmt: skip
    return made


def back_in() -> Vector:
    """A slot of an invitation, and one of an organisation's key with its shares."""
    arena, code = Arena(8), new_invitation()
    header = newslots.invite_header(ACCOUNT, 1 << 33)
    with slots.slot_secret(arena, header, code, []) as secret:
        slot = slots.make_slot(header, secret.view, ROOT, 3, 1)
        invited: Vector = {
            "code": code.decode(), "header": _hex(slot.header), "secret": _hex(bytes(secret.view)),
            "blob": _hex(slot.blob), "tag": _hex(slot.tag),
        }  # fmt: skip
    seed, c = escrow.new_seed(), primitives.random_octets(32)
    key = escrow.public_half(seed)
    granted = escrow.make_escrow_slot(newslots.escrow_header(ACCOUNT), key, c, ROOT, 3, 1)
    return {
        "root": _hex(ROOT), "root_gen": 3, "read_gen": 1, "invitation": invited,
        "escrow": {
            "seed": _hex(seed), "private": escrow.seed_text(seed), "public": str(key),
            "shares": list(escrow.split(seed, 2, 3)), "C": _hex(c), "header": _hex(granted.header),
            "blob": _hex(granted.blob), "tag": _hex(granted.tag),
        },
    }  # fmt: skip


def rings() -> Vector:
    """Both keyrings, sealed."""
    old = Epoch(1, STORE_KEY_ONLY, 5, bytes(32), b"\x33" * 32)
    slot = RingSlot(b"i" * 16, 1, slots.FULL, 1, 0, b"p" * 32, b"c" * 32, "password")
    ring = Ring(7, 1, 2, MANIFESTS, 9, (old, Epoch(2, CURRENT, 9, SEED, STORE_KEY)), (slot,))
    key = keyring.read_key(ROOT, 1, 2)

    def one(record: SealedRecord, content: bytes) -> Vector:
        return {
            "version": 7, "write_id": _hex(record.write_id), "payload": _hex(record.sealed.octets),
            "content": _hex(content),
        }  # fmt: skip

    return {
        "root": _hex(ROOT), "root_gen": 1, "read_gen": 2, "read_key": _hex(key),
        "read": one(keyring.seal_read_ring(key, ACCOUNT, ring), ring.encode_read()),
        "root_ring": one(keyring.seal_root_ring(ROOT, ACCOUNT, ring), ring.encode_root()),
    }  # fmt: skip


def _built(octets: bytes, compress: str) -> PreparedBody:
    builder = BodyBuilder(compress)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # one of the three
    builder.push(octets)
    builder.finish()
    content = builder.take()

    def pieces() -> Iterator[bytes]:
        yield content

    return builder.prepared(pieces)


def as_it_is() -> Vector:
    """What is not compressed: a lane with such a message, and what a page holds of it."""
    content = b"(NIL NIL)"
    stored = {"content": _hex(content), "z": _hex(store_entry(content))}
    return lane({"not compressed": MESSAGES["not compressed"]}) | {"entry": stored}


def _first(summary: bytes) -> bytes:
    """A summary as version 1 had it: without the save date."""
    return summary[:16] + b"\x01" + summary[17:28] + summary[36:]


def _first_counts() -> bytes:
    """Counts as version 1 had them: without the leaves."""
    return b"\x01" + Counts(1, 2, 3, 4, 5).encode()[1:-4]


def lane(chosen: dict[str, tuple[bytes, str]], *, saved: bool = False) -> Vector:
    """A lane, with the SUMMARY and the BODY of its messages; *saved*: they say when that was."""
    writer = LaneWriter(ACCOUNT, 2, DeliveryKey.parse(primitives.public_octets(SEED)))
    messages: list[Vector] = []
    for number, (name, (octets, compress)) in enumerate(chosen.items()):
        object_id = bytes((number,)) * 16
        scanner = Scanner()
        scanner.push(octets)
        made = summarise(
            scanner.finish(), internal_date=-1, trace_octets=0, provenance=Provenance.DELIVERED, save_date=2
        )
        content = made.encode(MAILBOX) if saved else _first(made.encode(MAILBOX))
        with writer.next() as sealer:
            prepared = _built(octets, compress)
            summary_flags, summary = sealer.summary(object_id, content, compressed=prepared.compressed)
            body_flags, extents = sealer.body(object_id, prepared)
            body = b"".join(e.octets for e in extents)
        messages.append(
            {
                "name": name, "ctr": number, "object_id": _hex(object_id), "summary_flags": summary_flags,
                "summary": _b64(summary.octets), "summary_content": _b64(content), "body_flags": body_flags,
                "body": _b64(body), "size": len(octets), "sha256": _hex(primitives.sha256(octets)),
            }
        )  # fmt: skip
    return {
        "xwing_seed": _hex(SEED), "account": _hex(ACCOUNT), "epoch": 2, "lane_id": _hex(writer.lane_id),
        "sealed": _hex(writer.sealed.sealed.octets), "messages": messages,
    }  # fmt: skip


def stored() -> list[Vector]:
    """A record of each kind that is sealed under a store key."""
    a = EntryA(-1, 2, 3, 4, b"o" * 16, compressed_a(b"(NIL NIL)"))
    described = Described(b"(b)", b"", b"h\xc3\xa4", b"A: b\r\n\r\n")
    compressed, whole = compressed_b(described, header_whole=True)
    b = EntryB(b"o" * 16, b"k" * 32, b"l" * 16, 7, 3, bytes(32), 1, whole, compressed)
    packed_a, packed_b = {Uid(257): pack_a(a)}, {Uid(257): pack_b(b)}
    states = StatePage()
    states.put(
        Uid(257),
        MessageState(Modseq(9), SystemFlag.SEEN | SystemFlag.DRAFT, frozenset({"$Forwarded", "x"})),
    )
    states.bury(Uid(258), Tombstone(Modseq(10), 11))
    names = [
        MailboxName(MAILBOX, "INBOX", SpecialUse.INBOX),
        MailboxName(b"m" * 16, "Entw\u00fcrfe/alt", None, False),
    ]
    noted = {"/shared/comment": "h\u00e4".encode(), "/private/vendor/x/y": b"\0\xff", "/private/none": b""}
    tomb = (3600).to_bytes(8, "big")
    for group, packed in ((0, packed_a), (1, packed_b)):
        for uid, octets in packed.items():
            tomb += bytes((group,)) + uid.to_bytes(4, "big") + len(octets).to_bytes(4, "big") + octets
    entries = b"".join(
        bytes((kind,)) + (64).to_bytes(4, "big") + (9).to_bytes(8, "big") + b"w" * 16 for kind in (0, 1, 2)
    )
    leaf = Leaf(MAILBOX, 1, 3, 7, 16385, 99, entries=entries)
    named = Counts(1, 2, 3, 4, 5, {1: (3, b"w" * 16), 0: (2, b"v" * 16)})
    leaf_0 = Leaf(MAILBOX, 0, 3, 7, 0, 0, 2, b"t" * 32, 2)
    own: dict[tuple[int, bytes], tuple[int, bytes]] = {
        (int(Kind.METADATA), MAILBOX): (5, b"x" * 16), (int(Kind.MBOXES), ZERO_ID): (4, b"w" * 16),
    }  # fmt: skip
    floors = {MAILBOX: (7, b"y" * 16), b"m" * 16: (8, b"z" * 16)}
    anchor = Anchor(3, 1_700_000_000, 6, (3, b"v" * 16), floors)
    keys = StoreKeys(Arena(16), ACCOUNT, 2, STORE_KEY)
    made: list[Vector] = []
    for kind, place, index, modseq, object_id, content in (
        (Kind.PAGE, MAILBOX, 1 << 1, 0, ZERO_ID, pages.merge(None, 0, packed_a, set())),
        (Kind.PAGE, MAILBOX, 1 << 1 | 1, 0, ZERO_ID, pages.merge(None, 1, packed_b, set())),
        (Kind.STATE, MAILBOX, 1, states.max_modseq(), ZERO_ID, states.encode()),
        (Kind.COUNTS, MAILBOX, 0, 0, ZERO_ID, _first_counts()),
        (Kind.MBOXES, ZERO_ID, 0, 0, ZERO_ID, mboxes.encode(names)),
        (Kind.TOMB, MAILBOX, 0, 0, b"t" * 16, tomb),
        (Kind.METADATA, MAILBOX, 0, 0, ZERO_ID, annotations.encode(noted)),
        (Kind.LEAF, MAILBOX, 0, 0, ZERO_ID, leaf_0.encode()),
        (Kind.COUNTS, b"n" * 16, 0, 0, ZERO_ID, named.encode()),
        (Kind.LEAF, MAILBOX, 1, 0, ZERO_ID, leaf.encode()),
        (Kind.ACCESSLOG, ZERO_ID, 0, 0, ZERO_ID, access().encode()),
        (Kind.LEAF, ZERO_ID, 0, 0, ZERO_ID, AccountLeaf(3, own).encode()),
        (Kind.ANCHOR, ZERO_ID, 0, 0, ZERO_ID, anchor.encode()),
        *_orders(),
    ):
        assert content is not None
        record = keys.seal(kind, place, index, 3, modseq, content, object_id)
        made.append(
            {
                "kind": kind.name, "place": _hex(place), "index": index, "version": 3, "modseq": modseq,
                "object_id": _hex(object_id), "write_id": _hex(record.write_id),
                "payload": _hex(record.sealed.octets), "content": _hex(content),
            }
        )  # fmt: skip
    return made


def access() -> Entries:
    """An access log: a phone twice, a try that failed."""
    phone = Entry(5, 9, 2, Door.IMAP, Outcome.ENTERED, 7, b"s" * 16, packed_peer("192.0.2.1"), "ab2c")
    failed = Entry(10, 10, 1, Door.POP3, Outcome.FAILED, peer=packed_peer("2001:db8::1"))
    return Entries((phone, failed), 3)


def note() -> Vector:
    """A note of this server for the access log."""
    chain = ServerKey(SERVER_KEY).rows.arrivals(ACCOUNT)
    key = DeliveryKey.parse(primitives.public_octets(SEED))
    made = seal_note(ACCOUNT, 2, key, chain, access().encode())
    return {
        "lane_id": _hex(made.lane.lane_id), "epoch": 2, "sealed": _hex(made.lane.sealed.octets),
        "payload": _hex(made.octets.octets), "tag": _hex(made.tag), "content": _hex(access().encode()),
    }  # fmt: skip


def ledger() -> list[Vector]:
    """A line of each type, each behind the one before."""
    lines = [
        Line(LineType.ARRIVAL, ACCOUNT, MAILBOX, 2, 12, b"t" * 16, 1_700_000_000),
        Line(LineType.REVOKED, ACCOUNT, b"s" * 16, 1_800_000_000, 0, bytes(16), 1_700_000_001),
        Line(LineType.RESTORED, ACCOUNT, ZERO_ID, 0, 0, bytes(16), 1_700_000_002),
        Line(LineType.ANCHORED, ACCOUNT, ZERO_ID, 9, 0, b"w" * 16, 1_700_000_003),
        Line(LineType.GONE, ACCOUNT, MAILBOX, 0, 0, bytes(16), 1_700_000_004),
    ]
    octets = ServerKey(SERVER_KEY).rows.ledger.write(START, lines)
    return [
        {
            "type": int(line.type), "place": _hex(line.place), "count": line.number, "uid": line.uid,
            "tag": _hex(line.tag), "time": line.time,
            "line": _hex(octets[at * LINE_OCTETS : (at + 1) * LINE_OCTETS]),
        }
        for at, line in enumerate(lines)
    ]  # fmt: skip


def _orders() -> list[tuple[Kind, bytes, int, int, bytes, bytes]]:
    texts = {1: "B", 2: "A\n", 3: "\U0010ffff?"}
    links = [(5, 1, [7, -8]), (0, 0, []), (6, 0, [9])]
    columns: list[tuple[By | Extra, Marks]] = [
        (By.SUBJECT, [(257, 1), (258, 2), (260, 3), (261, 1)]),
        (By.DATE, [(257, -1), (258, 1_780_000_000)]),
        (Extra.LINKS, list(zip((257, 258, 260), links, strict=True))),
    ]
    uids = array("I", [257, 258, 260])
    reverse = (Criterion(By.SUBJECT, reverse=True), Criterion(By.DATE))
    answers: list[tuple[answerrows.Question, Finished]] = [
        (reverse, Finished(uids, uids, array("I", [2, 0, 1]))),
        (Algorithm.REFERENCES, Finished(uids, uids, threads=[Piece(b"(n n)(n)", array("I", [2, 0, 1]))])),
    ]
    made = [(order_id(NUMBERS[f], 1), encode_order(f, (9, b"w" * 16), marks, texts)) for f, marks in columns]
    made += [
        (answer_id(answerrows.question_id(question)), answerrows.encode(answer))
        for question, answer in answers
    ]
    return [(Kind.ORDER, MAILBOX, 0, 0, object_id, content) for object_id, content in made]


def main() -> None:
    """Write the file."""
    saved = lane({"one block": MESSAGES["one block"]}, saved=True)
    vectors = {
        "server_key": server_key(), "arrivals": arrivals(), "ways": ways(), "rings": rings(),
        "lane": lane(MESSAGES), "app_passwords": app_passwords(), "back_in": back_in(),
        "as_it_is": as_it_is(), "saved": saved, "store_key": _hex(STORE_KEY), "epoch": 2, "stored": stored(),
        "note": note(),
        "ledger": ledger(),
    }  # fmt: skip
    FILE.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
