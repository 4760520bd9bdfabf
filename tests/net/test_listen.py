"""Whom a connection is charged to."""

import asyncio

from mailstead.net.listen import Gate, source_of
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
