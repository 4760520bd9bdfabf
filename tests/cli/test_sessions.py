"""Where a session's token is kept, and which file is not believed."""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.accounts.sessions import Session
from mailstead.cli import sessions
from mailstead.config import Settings
from mailstead.configfile import File
from mailstead.errors import Trouble

ANN = "ann@b.test"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a tmpfs, and the only place there is."""
    if sessions.filesystem(Path("/dev/shm")) != "tmpfs":
        pytest.skip("there is no tmpfs here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        monkeypatch.setattr(sessions, "places", lambda: [Path(name)])
        yield Path(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "mailstead.toml", File(hostname="mx.b.test", domains=("b.test",)))


def session(seconds: int = 60) -> Session:
    return Session(b"i" * 16, int(time.time()) + seconds, b"t" * 32)


def test_what_is_kept_is_found_until_its_time_is_over(memory: Path, settings: Settings) -> None:
    assert sessions.find(settings, ANN) is None
    path = sessions.keep(settings, ANN, session(), sessions.folder([memory]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "ann" not in str(path)
    assert sessions.find(settings, ANN) == session()
    assert sessions.find(settings, "ben@b.test") is None
    sessions.keep(settings, ANN, session(-1), sessions.folder([memory]))
    assert sessions.find(settings, ANN) is None
    assert not path.exists()
    sessions.keep(settings, ANN, session(), sessions.folder([memory]))
    assert sessions.forget(settings, ANN)
    assert not sessions.forget(settings, ANN)
    assert sessions.find(settings, ANN) is None


def test_a_disk_is_no_place_for_it(tmp_path: Path, memory: Path) -> None:
    disk = next(
        p
        for p in (tmp_path, Path("/usr"), Path("/proc"))
        if sessions.filesystem(p) not in ("tmpfs", "ramfs", "")
    )
    with pytest.raises(Trouble) as caught:
        sessions.folder([disk, tmp_path / "none"])
    assert caught.value.what == "there is no place for the session's token"
    assert "XDG_RUNTIME_DIR" in caught.value.fix
    assert sessions.folder([disk, memory]).parent == memory
    assert not (disk / f"mailstead-{os.getuid()}").exists()


def test_what_others_could_have_made_is_not_used(memory: Path, settings: Settings) -> None:
    path = sessions.keep(settings, ANN, session(), sessions.folder([memory]))
    path.chmod(0o640)
    assert sessions.find(settings, ANN) is None
    path.chmod(0o600)
    assert sessions.find(settings, ANN) is not None
    aside = path.rename(path.with_suffix(".aside"))
    path.symlink_to(aside)
    assert sessions.find(settings, ANN) is None, "a link"
    path.unlink()
    for text in ("", "x", "00 11", f"{'zz' * 16} {'11' * 32} 99999999999", f"{'00' * 16} {'11' * 32} soon"):
        path.write_text(text)
        path.chmod(0o600)
        assert sessions.find(settings, ANN) is None, text
    path.parent.chmod(0o755)
    with pytest.raises(Trouble):
        sessions.folder([memory])
