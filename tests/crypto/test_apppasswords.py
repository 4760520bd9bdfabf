"""App passwords: their form, and the keys that SCRAM makes of them."""

import hashlib
from base64 import b32encode, b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.crypto import newslots, slots
from mailstead.crypto.apppasswords import locator_of, new_app_password
from mailstead.crypto.primitives import mac256
from mailstead.crypto.scram import ITERATIONS, ScramKeys, scram_keys
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import MAIL, READ_ONLY, SUBMIT_ONLY, Scope, SlotHeader, SlotType, Wrap
from mailstead.errors import UnsealError
from mailstead.secretmem import Arena

ACCOUNT = bytes(range(16))


def test_the_form() -> None:
    made = new_app_password(set())
    assert len(made.octets) == 42
    assert made.octets.startswith(b"ms1-" + made.locator.encode())
    assert locator_of(made.octets) == made.locator
    check = b32encode(hashlib.sha256(made.octets[:-2]).digest()).lower()[:2]
    assert made.octets[-2:] == check
    assert made.octets not in repr(made).encode()
    assert len({new_app_password(set()).octets for _ in range(100)}) == 100


@given(st.integers(0, 41), st.sampled_from(b"abcdefghijklmnopqrstuvwxyz234567ABC018- \n"))
def test_one_wrong_letter_is_noticed_in_nearly_all_cases(at: int, letter: int) -> None:
    """10 bits of a check: what slips through is one in a thousand, and then it is just wrong."""
    wrong = missed = 0
    for octets in GIVEN:
        other = octets[:at] + bytes((letter,)) + octets[at + 1 :]
        if other != octets:
            wrong += 1
            missed += locator_of(other) is not None
    assert missed <= max(1, wrong // 8)


GIVEN = [new_app_password(set()).octets for _ in range(16)]


@pytest.mark.parametrize(
    "octets",
    [b"", b"ms1-", b"correct horse", GIVEN[0][:-1], GIVEN[0] + b"a", GIVEN[0] + b"\n", b" " + GIVEN[0]],
    ids=["empty", "prefix", "words", "cut", "longer", "line end", "space"],
)
def test_what_has_another_form(octets: bytes) -> None:
    assert locator_of(octets) is None


def test_a_locator_is_taken_once() -> None:
    taken: set[str] = set()
    for _ in range(300):
        locator = new_app_password(taken).locator
        assert locator not in taken
        taken.add(locator)


def test_the_keys_are_those_of_rfc_7677() -> None:
    keys = scram_keys(b"pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    auth = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    signature = mac256(keys.stored_key(), auth)
    proof = bytes(a ^ b for a, b in zip(keys.client_key, signature, strict=True))
    assert proof == b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert mac256(keys.server_key, auth) == b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert ITERATIONS == 4096
    assert repr(keys) == "ScramKeys()"


def test_a_verifier_belongs_to_its_slot_and_server() -> None:
    keys = ScramKeys(b"c" * 32, b"s" * 32)
    key, other = ServerKey(bytes(32)), ServerKey(b"o" * 32)
    sealed = key.seal_verifier(b"header", keys)
    assert keys.client_key not in sealed
    assert keys.stored_key() not in sealed
    assert key.scram_salt("a@b.test") == key.scram_salt("a@b.test") != key.scram_salt("b@b.test")
    assert key.scram_salt("a@b.test") != other.scram_salt("a@b.test")
    assert len(key.scram_salt("")) == 16


@pytest.mark.parametrize(
    ("scope", "wrap"), [(MAIL, Wrap.HPKE), (READ_ONLY, Wrap.HPKE), (SUBMIT_ONLY, Wrap.NONE)]
)
def test_slots(scope: Scope, wrap: Wrap) -> None:
    arena = Arena(16)
    header = newslots.app_header(ACCOUNT, scope, 1 << 33)
    assert SlotHeader.decode(header.encode()) == header
    assert (header.type, header.wrap, slots.not_after_of(header)) == (SlotType.APP_PASSWORD, wrap, 1 << 33)
    with slots.slot_secret(arena, header, b"c" * 32, []) as secret:
        payload = b"r" * 32 if wrap is Wrap.HPKE else None
        slot = slots.make_slot(header, secret.view, payload, 1, 1)
        opened = slots.open_slot(arena, slot, header, secret.view)
        assert (None if opened is None else bytes(opened.view)) == payload
        c = slots.auth_key(secret.view)
        later = slots.rewrap(slot, c, None if payload is None else b"n" * 32, 1, 2)
        with pytest.raises(UnsealError):
            slots.open_slot(arena, slots.Slot(**{**_fields(later), "read_gen": 1}), header, secret.view)
        opened = slots.open_slot(arena, later, header, secret.view)
        assert (None if opened is None else bytes(opened.view)) == (None if payload is None else b"n" * 32)
        with pytest.raises(UnsealError):
            slots.rewrap(slot, b"x" * 32, payload, 1, 2)
        if wrap is Wrap.NONE:
            planted = slots.Slot(**{**_fields(slot), "blob": b"b"})
            tag = slots.slot_tag(c, planted.header, 1, 1, b"", b"b")
            with pytest.raises(UnsealError):
                slots.open_slot(arena, slots.Slot(**{**_fields(planted), "tag": tag}), header, secret.view)
    with slots.slot_secret(arena, header, b"d" * 32, []) as wrong, pytest.raises(UnsealError):
        slots.open_slot(arena, slot, header, wrong.view)


def _fields(slot: slots.Slot) -> dict[str, object]:
    return {name: getattr(slot, name) for name in slots.Slot.__dataclass_fields__}


def test_a_salt_without_its_date_is_malformed() -> None:
    header = newslots.app_header(ACCOUNT, MAIL, 0)
    short = SlotHeader(
        header.type, header.scope, header.wrap, header.slot_id, ACCOUNT, 0, 0, 0, header.salt[:16]
    )
    with pytest.raises(UnsealError):
        slots.not_after_of(short)
