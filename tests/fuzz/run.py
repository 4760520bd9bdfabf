"""Run the fuzz targets under atheris, each from its stored corpus.

    python -m tests.fuzz.run [--seconds N] [--only NAME]

What it finds new is kept in the corpus; what breaks is left as a crash file, to become a test.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets.parsers import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process; does not return."""
    import atheris

    atheris.instrument_all()
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-max_len=2000", "-timeout=10", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(CORPUS / name), *options], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Fuzz one target after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", choices=sorted(TARGETS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        fuzz(args.only, args.seconds)
    failed = [
        name
        for name in ([args.only] if args.only else TARGETS)
        if subprocess.run(
            [sys.executable, "-m", "tests.fuzz.run", "--here", "--only", name, "--seconds", str(args.seconds)]
        ).returncode
    ]
    print("failed:", ", ".join(failed) or "none")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
