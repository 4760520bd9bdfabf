"""HTTP by hand, and what Prometheus would read out of an answer."""

import socket
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PREFIX = "mailstead_"


@dataclass(frozen=True)
class Answer:
    status: int
    head: str
    content: str


def exchange(port: int, octets: bytes, seconds: float = 10) -> bytes:
    """Send *octets*; all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), seconds) as sock:
        sock.sendall(octets)
        whole = b""
        while came := sock.recv(65536):
            whole += came
        return whole


def get(port: int, path: str, *fields: str, method: str = "GET", seconds: float = 10) -> Answer:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]
    head, _, content = exchange(port, "\r\n".join(lines).encode(), seconds).decode().partition("\r\n\r\n")
    return Answer(int(head.split(" ")[1]), head, content)


class Numbers:
    """Samples by name without prefix, and labels."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.samples = {
            (s.name.removeprefix(PREFIX), frozenset(s.labels.items())): s.value
            for family in self.families
            for s in family.samples
        }

    def __call__(self, name: str, /, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]

    def sum(self, name: str, /, **labels: str) -> float:
        """All series of a name that have these labels, whatever others they have."""
        return sum(
            v for (n, found), v in self.samples.items() if n == name and labels.items() <= dict(found).items()
        )


def numbers(port: int, *fields: str) -> Numbers:
    answer = get(port, "/metrics", *fields)
    assert answer.status == 200, answer
    return Numbers(answer.content)
