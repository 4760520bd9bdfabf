"""The network: sockets, TLS and deadlines, and nothing of any protocol."""
