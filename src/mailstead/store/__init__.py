"""Rows and ciphertext: the only package that speaks SQL, and it cannot name plaintext."""
