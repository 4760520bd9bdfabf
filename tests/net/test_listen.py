"""Whom a connection is charged to."""

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path

import pytest
import uvloop

from mailstead.crypto.certificate import self_signed
from mailstead.net.listen import Gate, bind, listen, source_of
from mailstead.net.sweep import sweep
from mailstead.net.tls import ServerTls
from mailstead.net.wire import Wire


def test_ipv6_is_charged_by_its_64() -> None:
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1")
    assert source_of("2001:db8::1") != source_of("2001:db8:0:1::1")
    assert source_of("192.0.2.1") == "192.0.2.1"
    assert source_of("fe80::1%eth0") == source_of("fe80::2")


async def test_five_hundred_addresses_of_one_64_are_one_source() -> None:
    gate = Gate(50)
    wires = [Wire(lambda w: None) for _ in range(500)]
    allowed = 0
    for n, wire in enumerate(wires):
        wire.peer = (f"2001:db8::{n:x}", 1)
        allowed += gate.enter(wire)
    assert allowed == 50
    machine = Wire(lambda w: None)
    machine.peer = ("::1", 1)
    assert gate.enter(machine)
    for wire in [*wires, machine]:
        gate.leave(wire)
    await asyncio.wait_for(gate.wait_empty(), 1)


async def test_who_came_first_is_ended_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several end at one sweep in an order that does not hang on where they lie in memory."""
    gate = Gate(50)
    wires = [Wire(lambda w: None) for _ in range(500)]
    ended: list[Wire] = []

    def end(wire: Wire) -> None:
        ended.append(wire)

    monkeypatch.setattr(Wire, "expire", end)
    for wire in reversed(wires):
        wire.deadline = 0.0
        gate.enter(wire)
    gate.leave(wires.pop())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sweep(gate.wires, every=0.01), 0.1)
    assert ended[: len(wires)] == wires[::-1]


@pytest.mark.parametrize(("loop", "by_listener"), [("asyncio", True), ("uvloop", True), ("uvloop", False)])
def test_a_client_that_begins_tls_at_once_is_heard(tmp_path: Path, loop: str, by_listener: bool) -> None:
    """Its first octets are here before anybody serves it: who would begin TLS then, the control, is too late."""
    certificate, key = self_signed("localhost", time.time())
    (tmp_path / "c.pem").write_bytes(certificate)
    (tmp_path / "k.pem").write_bytes(key)
    tls = ServerTls(tmp_path / "c.pem", tmp_path / "k.pem")

    async def serve(wire: Wire) -> None:
        try:
            if not by_listener:
                await wire.start_tls(tls.context)
            assert wire.tls_description() is not None
        except OSError:
            pass
        wire.abort()

    async def act() -> list[bytes]:
        sock = bind("127.0.0.1", 0)
        async with asyncio.TaskGroup() as tasks:
            server = await listen(sock, serve, tasks, tls if by_listener else None)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
            engine = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with pytest.raises(ssl.SSLWantReadError):
                engine.do_handshake()
            hello = outgoing.read()
            peers = [socket.create_connection(sock.getsockname()) for _ in range(5)]
            for peer in peers:
                peer.sendall(hello)
            answers = []
            for peer in peers:
                peer.setblocking(False)
                try:
                    answers.append(await asyncio.get_running_loop().sock_recv(peer, 1))
                except ConnectionError:
                    answers.append(b"")
                peer.close()
            server.close()
        return answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        answers = runner.run(act())
    assert answers == [b"\x16"] * 5 if by_listener else b"" in answers


def test_a_listener_gives_the_certificate_as_it_is(tmp_path: Path) -> None:
    tls = None
    seen: list[bytes | None] = []
    for _ in range(2):
        certificate, key = self_signed("localhost", time.time())
        (tmp_path / "c.pem").write_bytes(certificate)
        (tmp_path / "k.pem").write_bytes(key)
        if tls is None:
            tls = ServerTls(tmp_path / "c.pem", tmp_path / "k.pem")
            server = tls.from_the_start()
        else:
            tls.reload()
        client = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        one = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        two = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(3):
            for side in (one, two):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        seen.append(one.getpeercert(binary_form=True))
    assert None not in seen
    assert seen[0] != seen[1]
