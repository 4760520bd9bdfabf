"""The catalogue, what the server has to count, and what the documents say."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from mailstead.accounts.accessentries import Door
from mailstead.configfile import Listen
from mailstead.errors import Reason
from mailstead.imap.commands import Command
from mailstead.imap.events import AppendEnd, AppendNext, SaslResponse
from mailstead.imap.session import Idle, StartTls
from mailstead.metrics.catalogue import COMMANDS, LISTENERS, REASONS, Metrics
from mailstead.services.counted import Counted, label, tls_version
from mailstead.services.imap.handlers import NAMES
from mailstead.smtp.reply import FOR_REASON

DOCS = Path(__file__).resolve().parents[2] / "docs"
FAMILIES = {f"mailstead_{f.name}": f for f in Metrics().families}


def test_every_metric_is_documented_and_every_documented_one_is_there() -> None:
    rows = re.findall(
        r"^\| `(mailstead_\w+)` \| (\w+)(?:: ([^|]*))? \|", (DOCS / "metrics.md").read_text(), re.M
    )
    assert [name for name, _, _ in rows] == list(FAMILIES)
    for name, kind, labels in rows:
        assert kind == FAMILIES[name].kind, name
        assert tuple(re.findall(r"`(\w+)`", labels)) == FAMILIES[name].label_names, name


def test_names_say_what_they_are() -> None:
    for name, family in FAMILIES.items():
        assert (family.kind == "counter") == name.endswith("_total"), name
        assert family.kind != "histogram" or name.endswith("_seconds"), name
        assert re.fullmatch(r"[A-Z1].*\.", family.text) or family.name == "build_info", name


RULES: list[dict[str, Any]] = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"][0]["rules"]


@pytest.mark.parametrize("rule", RULES, ids=[r["alert"] for r in RULES])
def test_an_alert_names_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    used = re.findall(r"\b(mailstead_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert used
    for name, labels in used:
        bare = re.sub(r"_(bucket|sum|count)$", "", name)
        assert bare in FAMILIES, name
        assert (bare != name) == (FAMILIES[bare].kind == "histogram"), name
        for key, value in re.findall(r'(\w+)="([^"]*)"', labels):
            at = FAMILIES[bare].label_names.index(key)
            assert value in {series[at] for series in FAMILIES[bare]._series}, (name, key, value)
    for name in re.findall(r"mailstead_\w+", str(rule["annotations"])):
        assert name in FAMILIES, name
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "action"}


def test_every_listener_protocol_and_command_can_be_counted() -> None:
    assert set(LISTENERS) == {
        n for n in Listen.__struct_fields__ if not n.startswith(("imap", "pop3", "metrics"))
    }
    protocols = {series[0] for series in Metrics().auth_attempts._series}
    assert protocols == {d.name.lower() for d in Door if d is not Door.COMMAND}
    never = {StartTls, Idle}  # they are not answered as others are
    kinds = {k for union in get_args(Command) for k in (get_args(union) or (union,))} - never
    assert (kinds | {AppendEnd, AppendNext, SaslResponse}) <= set(NAMES), kinds - set(NAMES)
    assert set(NAMES.values()) == set(COMMANDS)


def test_every_reason_and_version_is_counted_as_something() -> None:
    metrics = Metrics()
    counted = Counted(metrics, "in")
    for reason in (*Reason, None):
        counted.recipient(reason)
        counted.message(
            550 if reason is None else FOR_REASON.get(reason, FOR_REASON[Reason.TOO_BUSY]).code, reason
        )
    assert {label(r) for r in (*Reason, None)} == set(REASONS) - {"none"}
    assert sum(metrics.total()) == 2 * len((*Reason, None))
    assert label(Reason.MAILBOX_EXISTS) == "other"
    found = [tls_version(t) for t in ("TLSv1.3 TLS_AES_256_GCM_SHA384", "TLSv1.2 x", "TLSv1.4 x", None, "")]
    assert found == ["1.3", "1.2", "other", "other", "other"]
