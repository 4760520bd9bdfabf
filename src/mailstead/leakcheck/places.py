"""Where is searched: files, files without a name that are open, and the rows of the database."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mailstead.leakcheck.scene import look_at_rows
from mailstead.scan import Hit, Scan
from mailstead.store.database import Database


@dataclass(slots=True)
class Searched:
    """What was looked at, and what was found in it.

    Args:
        nameless: How many of the files had no name any more.
        hits: How often each was met, at least, with when it was.
        unread: What could not be looked at, and why.
    """

    files: int = 0
    nameless: int = 0
    rows: int = 0
    octets: int = 0
    streams: int = 0
    hits: Counter[tuple[Hit, str]] = field(default_factory=Counter[tuple[Hit, str]])
    unread: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, scan: Scan, when: str) -> None:
        """Take in what a scan has found; the largest of several looks is what was looked at."""
        self.files, self.octets = max(self.files, scan.files), max(self.octets, scan.octets)
        self.streams = max(self.streams, scan.streams)
        self.nameless = max(self.nameless, scan.nameless)
        self.unread |= scan.unread
        for hit, count in scan.hits.items():
            self.hits[hit, when] += count


@dataclass(slots=True)
class Places:
    """Files and folders, and the processes whose nameless files are looked at, too.

    Args:
        pids: Of the workers that serve there, this process among them.
    """

    paths: Sequence[Path]
    pids: Sequence[int]
    searched: Searched = field(default_factory=Searched)

    def named(self) -> list[str]:
        """What is searched, in words."""
        open_ones = f"files without a name that are open in {', '.join(map(str, self.pids))}"
        return [*map(str, self.paths), "every row of every table", open_ones]

    def search_files(self, words: Mapping[str, bytes], when: str) -> None:
        """Look for words in files only."""
        self.searched.add(self._files(words), when)

    async def search(self, database: Database, words: Mapping[str, bytes], when: str) -> None:
        """Look for words everywhere."""
        scan = self._files(words)
        self.searched.rows = await look_at_rows(database, scan)
        self.searched.add(scan, when)

    def _files(self, words: Mapping[str, bytes]) -> Scan:
        scan = Scan(words)
        scan.below(*self.paths)
        for pid in self.pids:
            scan.deleted(pid)
        return scan

    def where(self, canaries: Mapping[str, str]) -> dict[str, list[str]]:
        """Where in files each canary is, by its name."""
        return _named(self._files(_octets(canaries)))

    async def where_all(self, database: Database, canaries: Mapping[str, str]) -> dict[str, list[str]]:
        """Where each canary is, by its name."""
        scan = self._files(_octets(canaries))
        await look_at_rows(database, scan)
        return _named(scan)


def _octets(canaries: Mapping[str, str]) -> dict[str, bytes]:
    return {name: word.encode() for name, word in canaries.items()}


def _named(scan: Scan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for hit in scan.hits:
        found.setdefault(hit.word, []).append(f"{hit.where}, {hit.form}")
    return found
