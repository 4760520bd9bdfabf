"""What `mailstead leakcheck` tells: the leakage table, what was searched, what was found."""

import textwrap

import click

from mailstead.leakcheck.running import Report
from mailstead.leakcheck.table import Result, Verdict
from mailstead.mail.text import safe
from mailstead.scan import FORMS

_WIDTH = 100
_MARKS = {Verdict.AS_SAID: "ok", Verdict.LEAKS: "!!", Verdict.NOT_CHECKED: "--"}
_SHOWN = 20  # findings


def in_json(report: Report) -> dict[str, object]:
    """All of it for programs."""
    searched = report.searched
    return {
        "ok": report.ok,
        "table": [
            {
                "item": item.name, "cold_copy": item.cold, "repeated_copies": item.repeated,
                "verdict": found.verdict.value.lower(), "found": found.words,
            }
            for item, found in report.table
        ],
        "findings": [
            {"word": hit.word, "where": hit.where, "form": hit.form, "when": when, "times": times}
            for (hit, when), times in searched.hits.items()
        ],
        "searched": {
            "places": report.places, "files": searched.files, "nameless": searched.nameless,
            "rows": searched.rows, "octets": searched.octets, "streams": searched.streams,
            "forms": list(FORMS),
            "not_readable": [{"where": where, "why": why} for where, why in searched.unread.items()],
        },
        "words": report.words,
        "known_in_clear": report.known,
        "accounts": list(report.people),
    }  # fmt: skip


def show(report: Report) -> None:
    """All of it for people."""
    click.echo("what a copy of the disk gives away without a key:\n")
    for result in report.table:
        _show_item(result)
    searched = report.searched
    click.echo(
        f"\nsearched  {searched.files:,} files, {searched.nameless:,} of them without a name,"
        f" {searched.rows:,} rows, {searched.octets:,} octets"
    )
    click.echo(f"          for {report.words:,} words: {', '.join(FORMS)} ({searched.streams:,} streams)")
    for at, place in enumerate(report.places):
        click.echo(f"{'in' if at == 0 else '':9} {place}")
    for where, why in searched.unread.items():
        click.echo(f"not read  {where}: {why}")
    for name in report.known:
        click.echo(f"left out  {safe(name)}: it is in an address or name of this server, which are in clear")
    for address in report.people:
        click.echo(f"removed   {address}")
    found = list(searched.hits.items())
    for (hit, when), times in found[:_SHOWN]:
        click.echo(f"FOUND     {safe(hit.word)}: {hit.where}, {hit.form}, {times} times, {when}")
    if len(found) > _SHOWN:
        click.echo(f"          and {len(found) - _SHOWN} more; --json has all")
    click.echo("\nnothing was found" if report.ok else "\nsomething leaks: see above")


def _show_item(result: Result) -> None:
    item, found = result
    click.echo(f"  {_MARKS[found.verdict]}  {item.name}: {item.cold}")
    words = f"not checked: {found.words}" if found.verdict is Verdict.NOT_CHECKED else found.words
    click.echo(textwrap.indent("\n".join(textwrap.wrap(words, _WIDTH)), "        "))
