"""Fixtures for all tests."""

from tests.support.engines import database, postgres_url, sqlite

__all__ = ["database", "postgres_url", "sqlite"]
