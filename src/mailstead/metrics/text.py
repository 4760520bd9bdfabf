"""Prometheus' text format, version 0.0.4."""

from collections.abc import Iterable, Sequence

from mailstead.metrics.families import Family

PREFIX = "mailstead_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(families: Iterable[Family], cells: Sequence[float]) -> str:
    """All series, with what *cells* say; no value needs escapes, since all are ours."""
    lines: list[str] = []
    for family in families:
        name = PREFIX + family.name
        lines += (f"# HELP {name} {family.text}", f"# TYPE {name} {family.kind}")
        for suffix, labels, value in family.samples(cells):
            shown = ",".join(f'{label}="{said}"' for label, said in labels)
            lines.append(f"{name}{suffix}{{{shown}}} {value!r}" if shown else f"{name}{suffix} {value!r}")
    return "\n".join(lines) + "\n"
