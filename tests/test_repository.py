"""The house itself: full rooms, one-sided borders, documents that say what is true."""

import ast
import re
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from mailstead import configfile
from mailstead.cli.main import COMMANDS, HIDDEN, cli
from mailstead.crypto import frame
from mailstead.crypto.sealed import Kind
from mailstead.errors import Exit

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src" / "mailstead").rglob("*.py"))
DOCS = ROOT / "docs"


def test_modules_are_not_full() -> None:
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= 400, path


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    for path in SOURCES:
        if path.name == "__init__.py":
            body = ast.parse(path.read_text()).body
            assert len(body) == 1, path
            assert isinstance(body[0], ast.Expr)


def test_only_cryptography_and_the_store_make_sealed_values() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Sealed":
                assert path.parent.name in ("crypto", "store"), path


def test_labels_are_those_of_the_format() -> None:
    text = (DOCS / "format.md").read_text()
    table = text[text.index("## Labels") :]
    listed = set(re.findall(r"`(EMS1 [a-z ]+)`", table))
    used: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
                if found := re.fullmatch(rb"(EMS1 [a-z ]+)\x00?", node.value):
                    used.add(found[1].decode())
    assert used <= listed, used - listed


def test_the_dictionary_is_the_one_of_the_format() -> None:
    assert frame.DICTIONARY_SHA256 in (DOCS / "format.md").read_text()


def test_every_kind_is_in_the_format() -> None:
    text = (DOCS / "format.md").read_text()
    for kind in Kind:
        assert re.search(rf"\| {int(kind)} +\| {kind.name} ", text), kind


def structs() -> list[tuple[str, type[msgspec.Struct]]]:
    tables: list[tuple[str, type[msgspec.Struct]]] = [
        ("listen", configfile.Listen), ("tls", configfile.Tls), ("limits", configfile.Limits), ("auth", configfile.Auth),
        ("seal", configfile.Seal), ("storage", configfile.Storage), ("keys", configfile.Keys), ("log", configfile.LogSettings),
        ("metrics", configfile.MetricsSettings),
    ]  # fmt: skip
    return tables


def test_every_setting_has_a_heading() -> None:
    text = (DOCS / "config.md").read_text()
    tables = dict(structs())
    for name in configfile.File.__struct_fields__:
        if name in tables:
            for key in tables[name].__struct_fields__:
                assert f"### `[{name}] {key}`" in text, (name, key)
        else:
            assert f"### `{name}`" in text, name


def test_every_command_option_and_exit_code_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    context = click.Context(cli)
    for name in COMMANDS:
        if name in HIDDEN:
            continue
        command = cli.get_command(context, name)
        assert command is not None
        for title, leaf in leaves(name, command):
            assert f"### `mailstead {title}`" in text, title
            section = text[text.index(f"### `mailstead {title}`") :].split("\n### ")[0]
            for parameter in leaf.params:
                if isinstance(parameter, click.Option):
                    assert f"`{parameter.opts[0]}" in section, (title, parameter.opts)
    for code in Exit:
        assert re.search(rf"^\| {int(code)} +\|", text, re.M), code


def leaves(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    """The commands of a group and of the groups in it, by all their words."""
    if not isinstance(command, click.Group):
        return [(name, command)]
    return [leaf for sub, inner in command.commands.items() for leaf in leaves(f"{name} {sub}", inner)]


def test_every_rfc_that_the_code_cites_is_listed() -> None:
    rows = [line.split("\t") for line in (DOCS / "rfc.tsv").read_text().splitlines()[1:]]
    listed = {row[0] for row in rows}
    cited: set[str] = set()
    for path in SOURCES:
        cited |= set(re.findall(r"RFC (\d{3,5})", path.read_text()))
    assert cited <= listed, sorted(cited - listed)
    for number, _, _, where in rows:
        for place in where.split():
            assert (ROOT / "src" / "mailstead" / place).exists(), (number, place)


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "decisions" / "README.md").read_text()
    for path in (DOCS / "decisions").glob("[0-9]*.md"):
        assert f"({path.name})" in index, path.name


def test_every_dependency_has_a_decision() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = "".join(p.read_text() for p in (DOCS / "decisions").glob("*.md"))
    for line in project["dependencies"]:
        assert re.split(r"[>=\[]", line)[0] in texts, line


@pytest.mark.parametrize("path", [*DOCS.rglob("*.md"), *ROOT.glob("*.md")], ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_no_group_is_repeated_possessively() -> None:
    """Python before 3.11.5, Debian 12's among them, matches `(...)*+` wrongly (gh-106052)."""
    for path in SOURCES:
        assert not re.search(r"\)(?:[*+?]|\{[0-9,]+\})\+", path.read_text()), path


def test_every_test_that_a_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (DOCS / "security.md").read_text())
    assert len(named) > 15
    for path, name in named:
        file = DOCS.parent / path
        assert file.exists(), path
        assert not name or f"def {name}(" in file.read_text(), name
