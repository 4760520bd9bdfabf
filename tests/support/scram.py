"""A client that speaks SCRAM-SHA-256 (RFC 5802), written by the RFC and nothing of ours."""

import hashlib
import hmac
import os
from base64 import b64decode, b64encode


class ScramClient:
    """One exchange."""

    def __init__(
        self, user: bytes, password: bytes, gs2: bytes = b"n,,", binding: bytes = b"", nonce: bytes = b""
    ) -> None:
        self.password = password
        self.gs2 = gs2
        self.binding = binding
        self.nonce = nonce or b64encode(os.urandom(12))
        self.bare = b"n=" + user.replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=" + self.nonce
        self.signature = b""
        self.salt = b""

    def first(self) -> bytes:
        return self.gs2 + self.bare

    def final(self, server_first: bytes) -> bytes:
        found = dict(part.split(b"=", 1) for part in server_first.split(b","))
        assert found[b"r"].startswith(self.nonce)
        assert len(found[b"r"]) > len(self.nonce)
        self.salt = b64decode(found[b"s"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, int(found[b"i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        bare = b"c=" + b64encode(self.gs2 + self.binding) + b",r=" + found[b"r"]
        message = b",".join((self.bare, server_first, bare))
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return bare + b",p=" + b64encode(proof)

    def check(self, server_final: bytes) -> None:
        """See that the server knew the password, too."""
        assert server_final == b"v=" + b64encode(self.signature)
