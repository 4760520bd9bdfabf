"""What is counted, in whose memory, and how it is shown."""

import math
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mailstead.metrics.catalogue import CELLS, Metrics
from mailstead.metrics.families import Gauge
from mailstead.metrics.sheet import Sheet, new_sheet
from mailstead.metrics.text import exposition
from tests.support.scraped import Numbers


def shown(metrics: Metrics) -> Numbers:
    return Numbers(exposition(metrics.families, metrics.total()))


def test_every_series_has_cells_of_its_own() -> None:
    metrics = Metrics()
    taken = 0
    for family in metrics.families:
        assert family._series == {} or min(family._series.values()) == taken
        taken = family.end
    assert 500 < taken <= CELLS


def test_prometheus_reads_what_is_shown() -> None:
    metrics = Metrics()
    metrics.build_info.put(1, *next(iter(metrics.build_info._series)))
    metrics.cert_expiry.put(-1.5e9, "tls")
    metrics.store_bytes.put(2**53, "sealed")
    metrics.imap_command.observe(0.003, "fetch")
    text = exposition(metrics.families, metrics.total())
    found = {f.name: f for f in text_string_to_metric_families(text)}
    for family in metrics.families:
        name = "mailstead_" + family.name.removesuffix("_total")  # as the parser calls a counter
        assert found[name].type == family.kind
        assert found[name].documentation == family.text
    numbers = shown(metrics)
    assert numbers("cert_expiry_seconds", name="tls") == -1.5e9
    assert numbers("store_bytes", kind="sealed") == 2**53
    assert "store_messages" not in {n for n, _ in numbers.samples}, "what nobody found out is not zero"


@given(st.lists(st.floats(0, 100)))
def test_buckets_hold_what_is_below_them(seconds: list[float]) -> None:
    metrics = Metrics()
    for took in seconds:
        metrics.delivery.observe(took)
    numbers = shown(metrics)
    assert numbers("delivery_seconds_count") == len(seconds)
    assert math.isclose(numbers("delivery_seconds_sum"), sum(seconds), abs_tol=1e-9)
    bounds = [dict(k)["le"] for n, k in numbers.samples if n == "delivery_seconds_bucket"]
    assert bounds[-1] == "+Inf"
    for bound in bounds:
        below = sum(took <= float(bound.replace("+Inf", "inf")) for took in seconds)
        assert numbers("delivery_seconds_bucket", le=bound) == below


def test_a_label_can_say_nothing_else() -> None:
    metrics = Metrics()
    before = len(shown(metrics).samples)
    with pytest.raises(KeyError):
        metrics.smtp_tls.add("ann@b.test")
    with pytest.raises(KeyError):
        metrics.imap_command.observe(1, "ann@b.test")
    with pytest.raises(AssertionError):
        metrics.store_bytes.put(1, "ann@b.test")
    assert len(shown(metrics).samples) == before


def test_processes_count_beside_each_other() -> None:
    """Each writes its region; whoever adds up has all of it, also of who died."""
    sheet = Sheet(fd := new_sheet(3))
    pids = []
    for number in range(3):
        if not (pid := os.fork()):
            mine = Metrics(Sheet(fd).region(number))
            mine.begin()
            for _ in range(1000 * (number + 1)):
                mine.smtp_connections.add("smtp", "accepted")
            mine.imap_sessions.move(number + 1)
            os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    os.close(fd)
    last = Metrics(sheet.region(2), sheet.total)
    numbers = shown(last)
    assert numbers("smtp_connections_total", listener="smtp", result="accepted") == 6000
    assert numbers("imap_sessions") == 6
    last.forget()
    assert shown(last)("imap_sessions") == 3
    last.begin()
    numbers = shown(last)
    assert numbers("worker_starts_total") == 4
    assert numbers("smtp_connections_total", listener="smtp", result="accepted") == 6000, "it never goes back"


def test_what_is_now_is_forgotten_and_what_was_counted_stays() -> None:
    metrics = Metrics()
    for at in range(len(metrics.total())):
        metrics.delivery._cells[at] = random.random() + 1
    metrics.forget()
    total = metrics.total()
    for family in metrics.families:
        for at in family._series.values():
            if family.end > at:
                assert (total[at] == 0) == isinstance(family, Gauge), family.name
