"""SCRAM: the RFC's example, channel binding, and what is refused."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.sasl.exchange import Exchange, new_nonce
from mailstead.sasl.mechanism import Challenge, Done, Failed, Named, Proven
from mailstead.sasl.mechanisms import offered
from mailstead.sasl.scram import Scram
from tests.support.scram import ScramClient

MALFORMED, WRONG = Failed(malformed=True), Failed(malformed=False)
BINDING = b"\x01" * 32
PLUS = b"p=tls-server-end-point,,"


def plain(*, plus_offered: bool = False) -> Scram:
    return Scram(b"server", None, plus_offered)


def plus() -> Scram:
    return Scram(b"server", BINDING, True)


def test_the_example_of_rfc_7677() -> None:
    machine = Scram(b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", None, plus_offered=False)
    assert machine.step(None) == Challenge(b"")
    assert machine.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == Named(b"user")
    first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert machine.salted(b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096) == Challenge(first)
    bare = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    proof = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    message = b"n=user,r=rOprNGfwEbeRWgbNEkqO," + first + b"," + bare
    assert machine.step(bare + b",p=" + proof) == Proven(b"user", message, b64decode(proof))
    signature = b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert machine.proved(signature) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert machine.step(b"") == Done()


def run(machine: Scram, client: ScramClient) -> object:
    """Up to the proof, or to where it fails."""
    step = machine.step(client.first())
    if not isinstance(step, Named):
        return step
    return machine.step(client.final(machine.salted(b"salt" * 4, 4096).octets))


@pytest.mark.parametrize(
    ("machine", "gs2", "binding", "result"),
    [
        (plain, b"n,,", b"", Proven),
        (plain, b"y,,", b"", Proven),
        (lambda: plain(plus_offered=True), b"n,,", b"", Proven),
        (lambda: plain(plus_offered=True), b"y,,", b"", Failed),
        (plain, PLUS, BINDING, Failed),
        (plain, b"n,,", BINDING, Failed),
        (plus, PLUS, BINDING, Proven),
        (plus, PLUS, b"\x02" * 32, Failed),
        (plus, PLUS, b"", Failed),
        (plus, PLUS, BINDING + b"\0", Failed),
        (plus, b"p=tls-unique,,", BINDING, Failed),
        (plus, b"p=tls-exporter,,", BINDING, Failed),
        (plus, b"n,,", b"", Failed),
        (plus, b"y,,", b"", Failed),
    ],
)
def test_channel_binding(machine, gs2: bytes, binding: bytes, result: type) -> None:
    found = run(machine(), ScramClient(b"ann", b"pw", gs2, binding))
    assert isinstance(found, result)
    assert found != MALFORMED, "all of it is well-formed"


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (b"ann@b.test", b"ann@b.test"),
        (b"a=2Cb=3Dc", b"a,b=c"),
        ("é".encode(), "é".encode()),
        (b"a=3D2C", b"a=2C"),
    ],
)
def test_names(user: bytes, name: bytes) -> None:
    assert plain().step(b"n,,n=" + user + b",r=x") == Named(name)
    assert plain().step(b"n,a=" + user + b",n=" + user + b",r=x") == Named(name)
    assert plain().step(b"n,a=eve,n=" + user + b",r=x") == WRONG, "nobody acts for another"


@pytest.mark.parametrize(
    "first",
    [
        b"", b"n", b"n,", b"n,,", b"n,,n=ann", b"n,,r=x", b"n,,n=,r=x", b"n,,n=ann,r=", b"n,,n=a=b,r=x", b"n,,n=a=2c,r=x",
        b"n,,n=a\0,r=x", b"n,,n=\xff,r=x", b"n,,n=ann,r=a b", b"n,,n=ann,r=\xc3\xa9", b"x,,n=ann,r=x", b"p=,,n=ann,r=x",
        b"p,,n=ann,r=x", b"N,,n=ann,r=x", b"n,a=,n=ann,r=x", b"n,b=x,n=ann,r=x", b"n,,m=must,n=ann,r=x",
        b"n,,n=ann,r=x,m=must", b"n,,n=ann,r=x,", b"n,,n=ann,r=x,1=y", b"n,,n=ann,r=x\n", b"n,a=\xff,n=\xff,r=x",
        b"n,,n=ann,r=" + b"x" * 513, b"n,,n=" + b"a" * 4100 + b",r=x", b"n,,r=x,n=ann",
    ],
)  # fmt: skip
def test_what_begins_nothing(first: bytes) -> None:
    assert plain().step(first) == MALFORMED


def test_extensions_that_may_be_ignored_are() -> None:
    machine = plain()
    assert machine.step(b"n,,n=ann,r=x,z=1,y=2") == Named(b"ann")
    machine.salted(b"s" * 16, 4096)
    proof = b64encode(b"p" * 32)
    step = machine.step(b"c=biws,r=xserver,z=1,p=" + proof)
    assert isinstance(step, Proven)
    assert (
        step.message == b"n=ann,r=x,z=1,y=2,r=xserver,s=c3Nzc3Nzc3Nzc3Nzc3Nzcw==,i=4096,c=biws,r=xserver,z=1"
    )


@pytest.mark.parametrize(
    ("final", "result"),
    [
        (b"c=biws,r=xserver,p=%b", Proven), (b"c=biws,r=xserve,p=%b", WRONG), (b"c=biws,r=x,p=%b", WRONG),
        (b"c=biws,r=xserver2,p=%b", WRONG), (b"c=eSws,r=xserver,p=%b", WRONG), (b"c=,r=xserver,p=%b", MALFORMED),
        (b"c=bi ws,r=xserver,p=%b", MALFORMED), (b"c=biw,r=xserver,p=%b", MALFORMED), (b"r=xserver,c=biws,p=%b", MALFORMED),
        (b"c=biws,r=xserver", MALFORMED), (b"c=biws,r=xserver,p=", MALFORMED), (b"c=biws,r=xserver,p=AAAA", MALFORMED),
        (b"c=biws,r=xserver,p=%b,z=1", MALFORMED), (b"c=biws,r=xserver,m=1,p=%b", MALFORMED), (b"", MALFORMED),
        (b"c=biws,r=xserver,p=%b\n", MALFORMED), (b"x" * 5000, MALFORMED),
    ],
)  # fmt: skip
def test_what_ends_it(final: bytes, result: object) -> None:
    machine = plain()
    machine.step(b"n,,n=ann,r=x")
    machine.salted(b"s" * 16, 4096)
    step = machine.step(final % b64encode(b"p" * 32) if b"%b" in final else final)
    assert step == result or (result is Proven and isinstance(step, Proven))


def test_a_proof_is_good_for_one_exchange() -> None:
    exchange = Exchange()
    client = ScramClient(b"ann", b"pw")
    assert exchange.begin("SCRAM-SHA-256", client.first()) == Named(b"ann")
    final = client.final(exchange.salted(b"s" * 16, 4096).octets)
    assert isinstance(exchange.go_on(final), Proven)
    assert exchange.begin("SCRAM-SHA-256", client.first()) == Named(b"ann")
    exchange.salted(b"s" * 16, 4096)
    assert exchange.go_on(final) == WRONG
    assert len({new_nonce() for _ in range(100)}) == 100


def test_more_than_an_empty_response_spoils_it() -> None:
    machine = plain()
    assert isinstance(run(machine, ScramClient(b"ann", b"pw")), Proven)
    machine.proved(b"v")
    assert machine.step(b"x") == MALFORMED


def test_what_is_offered_and_when() -> None:
    assert offered(scram=False, bound=True) == ("PLAIN", "LOGIN")
    assert offered(scram=True, bound=False) == ("SCRAM-SHA-256", "PLAIN", "LOGIN")
    assert offered(scram=True, bound=True) == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
    assert Exchange().begin("SCRAM-SHA-256-PLUS", None) is None, "without TLS there is nothing to bind to"
    assert Exchange(lambda: BINDING).begin("SCRAM-SHA-256-PLUS", None) == Challenge(b"")


def test_a_proof_is_not_shown() -> None:
    step = run(plain(), ScramClient(b"ann", b"pw"))
    assert isinstance(step, Proven)
    assert repr(step) == "Proven(user=b'ann')"


@given(
    st.lists(
        st.one_of(st.none(), st.binary(max_size=30), st.text("nyp=,acrm1A", max_size=30).map(str.encode)),
        max_size=4,
    )
)
def test_any_responses_come_to_an_end(responses: list[bytes | None]) -> None:
    machine = plain()
    for response in responses:
        step = machine.step(response)
        if isinstance(step, Named):
            machine.salted(b"s" * 16, 4096)
        elif not isinstance(step, Challenge):
            assert isinstance(step, Proven | Failed)
            return
