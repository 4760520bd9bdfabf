"""Counters, gauges and histograms over cells of memory, of which each worker has a region.

Rule 1: what a label may say is listed here beforehand, so every series has a cell, nobody outside
can make another, and no label can hold an address or a name.
Rule 2: a region is written by one process, on its event loop; whoever reads adds up all regions.
A worker that takes a dead one's place counts on in its region, so counters never go back.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TypeAlias, TypeVar

Cells: TypeAlias = "memoryview[float]"  # which Python 3.11 cannot say itself
Labels = tuple[str, ...]
F = TypeVar("F", bound="Family")
Sample = tuple[str, tuple[tuple[str, str], ...], float]  # suffix of the name, labels, value


class Family:
    """What all series of one name share.

    Args:
        name: As Prometheus sees it, without the prefix.
        labels: For each label, all it may say, in the order in which they are given when counted.
        width: Cells of one series.
    """

    kind = ""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Mapping[str, Sequence[str]],
        cells: Cells,
        at: int,
        width: int = 1,
    ) -> None:
        self.name = name
        self.text = text
        self.label_names = tuple(labels)
        self._cells = cells
        self._series: dict[Labels, int] = {}
        for number, values in enumerate(product(*labels.values())):
            self._series[values] = at + number * width
        self.end = at + len(self._series) * width

    def samples(self, cells: Sequence[float]) -> Iterator[Sample]:
        """What is shown of *cells*, which are the sum of all regions."""
        for values, at in self._series.items():
            yield "", tuple(zip(self.label_names, values, strict=True)), cells[at]


class Counter(Family):
    """What only grows."""

    kind = "counter"

    def add(self, *labels: str) -> None:
        """Count one."""
        self._cells[self._series[labels]] += 1


class Gauge(Family):
    """What is now; the workers' are added up."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """It is *value* in this worker."""
        self._cells[self._series[labels]] = value

    def move(self, by: float, *labels: str) -> None:
        """It is *by* more in this worker."""
        self._cells[self._series[labels]] += by

    def forget(self) -> None:
        """It is nothing in this worker."""
        for at in self._series.values():
            self._cells[at] = 0


class Histogram(Family):
    """How often something took how many seconds. A series is shown once it has seen something.

    Args:
        bounds: Upper bounds of the buckets, ascending; above the last there is one more.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        text: str,
        labels: Mapping[str, Sequence[str]],
        cells: Cells,
        at: int,
        bounds: tuple[float, ...],
    ) -> None:
        super().__init__(name, text, labels, cells, at, len(bounds) + 2)
        self._bounds = bounds
        self._sum = len(bounds) + 1

    def observe(self, seconds: float, *labels: str) -> None:
        """Something took *seconds*."""
        cells, at = self._cells, self._series[labels]
        cells[at + bisect_left(self._bounds, seconds)] += 1
        cells[at + self._sum] += seconds

    def samples(self, cells: Sequence[float]) -> Iterator[Sample]:
        """What is shown of *cells*: buckets that each hold those below, the sum, and the count."""
        for values, at in self._series.items():
            labels = tuple(zip(self.label_names, values, strict=True))
            total = 0.0
            if self.label_names and not any(cells[at : at + self._sum]):
                continue
            for bound, found in zip((*self._bounds, None), cells[at : at + self._sum], strict=True):
                total += found
                yield "_bucket", (*labels, ("le", "+Inf" if bound is None else repr(bound))), total
            yield "_sum", labels, cells[at + self._sum]
            yield "_count", labels, total


class Given(Family):
    """What whoever is asked finds out then; no worker counts it, and nothing is shown until it was found."""

    kind = "gauge"

    def __init__(
        self, name: str, text: str, labels: Mapping[str, Sequence[str]], cells: Cells, at: int
    ) -> None:
        super().__init__(name, text, labels, cells, at, 0)
        self._found: dict[Labels, float] = {}

    def put(self, value: float, *labels: str) -> None:
        """It is *value*."""
        assert labels in self._series, "what a label may say is known beforehand"
        self._found[labels] = value

    def samples(self, cells: Sequence[float]) -> Iterator[Sample]:
        """What was found."""
        for values, value in self._found.items():
            yield "", tuple(zip(self.label_names, values, strict=True)), value


class Maker:
    """Makes families one behind the other in one region, and knows them all."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.made: list[Family] = []

    @property
    def _at(self) -> int:
        return self.made[-1].end if self.made else 0

    def _keep(self, family: F) -> F:
        assert family.end <= len(self._cells), "a region is too small for all there is to count"
        self.made.append(family)
        return family

    def counter(self, name: str, text: str, /, **labels: Sequence[str]) -> Counter:
        """What only grows; its name ends in _total."""
        return self._keep(Counter(name, text, labels, self._cells, self._at))

    def gauge(self, name: str, text: str, /, **labels: Sequence[str]) -> Gauge:
        """What is now."""
        return self._keep(Gauge(name, text, labels, self._cells, self._at))

    def histogram(
        self, name: str, text: str, bounds: tuple[float, ...], /, **labels: Sequence[str]
    ) -> Histogram:
        """How often something took how long; its name ends in _seconds."""
        return self._keep(Histogram(name, text, labels, self._cells, self._at, bounds))

    def given(self, name: str, text: str, /, **labels: Sequence[str]) -> Given:
        """What is found out when somebody asks."""
        return self._keep(Given(name, text, labels, self._cells, self._at))
