"""``python -m mailstead`` is the command ``mailstead``."""

from mailstead.cli.main import run

if __name__ == "__main__":
    run()
