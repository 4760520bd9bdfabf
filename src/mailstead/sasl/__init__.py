"""SASL mechanisms, without I/O: protocols carry their octets."""
