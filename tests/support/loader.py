"""Clients that deliver at full speed and write down what was acknowledged, outside of the server's disk."""

import random
import socket
import threading
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Message tokens by what became of them; `acknowledged` is what must never be missing."""

    acknowledged: dict[str, bytes] = field(default_factory=dict)
    refused: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def message(token: str, rng: random.Random) -> bytes:
    size = rng.choice([0, 100, 4000, 20_000, 70_000])
    body = b"".join(rng.randbytes(30).hex().encode() + b"\r\n" for _ in range(size // 62))
    return f"Subject: {token}\r\nX-Token: {token}\r\n\r\n".encode() + body


class Loader(threading.Thread):
    """One client; ends when the connection does, or when told to."""

    def __init__(self, port: int, name: str, ledger: Ledger, count: int = 1_000_000) -> None:
        super().__init__(daemon=True)
        self.port, self.prefix, self.ledger, self.count = port, name, ledger, count
        self.stop = threading.Event()

    def run(self) -> None:
        try:
            self._deliver()
        except (OSError, ConnectionError):
            pass

    def _deliver(self) -> None:
        rng = random.Random(self.prefix)
        with socket.create_connection(("127.0.0.1", self.port), 20) as sock:
            file = sock.makefile("rb")
            with file:
                file.readline()
                sock.sendall(b"HELO x\r\n")
                file.readline()
                for n in range(self.count):
                    if self.stop.is_set():
                        return
                    token = f"{self.prefix}-{n}"
                    octets = message(token, rng)
                    sock.sendall(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n")
                    answers = [file.readline() for _ in range(3)]
                    if not answers[2].startswith(b"354"):
                        with self.ledger.lock:
                            self.ledger.refused += answers
                        if not answers[2]:
                            return
                        sock.sendall(b"RSET\r\n")
                        file.readline()
                        continue
                    sock.sendall(octets + b".\r\n")
                    answer = file.readline()
                    with self.ledger.lock:
                        if answer.startswith(b"250"):
                            self.ledger.acknowledged[token] = octets
                        else:
                            self.ledger.refused.append(answer)
                    if not answer:
                        return


def load(port: int, clients: int, name: str, ledger: Ledger, count: int = 1_000_000) -> list[Loader]:
    loaders = [Loader(port, f"{name}.{n}", ledger, count) for n in range(clients)]
    for loader in loaders:
        loader.start()
    return loaders


def missing(ledger: Ledger, mails: list[bytes]) -> list[str]:
    """Tokens of what was acknowledged and is not there, or not there as it was sent."""
    found: dict[str, bytes] = {}
    for mail in mails:
        at = mail.index(b"Subject: ")
        token = mail[at + 9 : mail.index(b"\r\n", at)].decode()
        found[token] = mail[at:]
    return [t for t, octets in ledger.acknowledged.items() if found.get(t) != octets]
