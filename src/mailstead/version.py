"""The version, read by the build and by ``mailstead --version``."""

__version__ = "0.1.0"
