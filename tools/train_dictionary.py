"""Train zstd dictionary 1 on the messages of tests/corpus: never on anybody's mail.

    python tools/train_dictionary.py            writes src/mailstead/crypto/dictionary1.bin

The same corpus and the same zstandard give the same octets. A dictionary is part of the format:
once released it is never trained again, and a better one gets another number.
"""

import hashlib
from pathlib import Path

import zstandard

from mailstead.mail.structure import Scanner
from mailstead.mail.summary import Provenance, summarise

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "corpus"
TARGET = ROOT / "src" / "mailstead" / "crypto" / "dictionary1.bin"
OCTETS = 32 << 10


def samples() -> list[bytes]:
    """Summaries, and the fields that pages hold, of every message of the corpus."""
    found: list[bytes] = []
    for path in sorted(p for p in CORPUS.rglob("*") if p.is_file() and p.name != "COPYING"):
        octets = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        scanner = Scanner()
        scanner.push(octets)
        summary = summarise(
            scanner.finish(), internal_date=0, trace_octets=0, provenance=Provenance.DELIVERED
        )
        found += [summary.encode(bytes(16)), summary.envelope, summary.bodystructure]
        found += [summary.header[i : i + 1000] for i in range(0, len(summary.header), 1000)]
    return [s for s in found if len(s) >= 8]


def main() -> None:
    """Train, write, and print the hash that docs/format.md must name."""
    dictionary = zstandard.train_dictionary(OCTETS, samples(), level=3, k=256, d=8, dict_id=1)
    octets = dictionary.as_bytes()
    TARGET.write_bytes(octets)
    print(len(octets), hashlib.sha256(octets).hexdigest())


if __name__ == "__main__":
    main()
