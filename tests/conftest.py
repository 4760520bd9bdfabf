"""Fixtures for all tests."""

from tests.support.engines import database, databases, postgres_url, sqlite

__all__ = ["database", "databases", "postgres_url", "sqlite"]
