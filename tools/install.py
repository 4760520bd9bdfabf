"""Put this checkout into a virtual environment: a path file, and the command `mailstead`.

What `pip install -e .` does, without a build back end, so that the locks are all that is installed.
"""

import sys
from pathlib import Path

COMMAND = """#!{python}
from mailstead.cli.main import run

if __name__ == "__main__":
    run()
"""


def install(venv: Path, checkout: Path) -> None:
    """Make `import mailstead` and the command `mailstead` work in *venv*, from *checkout*."""
    site = next((venv / "lib").glob("python3*/site-packages"))
    (site / "mailstead.pth").write_text(f"{checkout / 'src'}\n")
    command = venv / "bin" / "mailstead"
    command.write_text(COMMAND.format(python=(venv / "bin" / "python").absolute()))
    command.chmod(0o755)


if __name__ == "__main__":
    install(Path(sys.argv[1]).absolute(), Path(__file__).resolve().parent.parent)
