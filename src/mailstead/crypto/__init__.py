"""Cryptography: the only package that imports `cryptography`. docs/format.md is its specification."""
