"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the server's side.

The machine reads and writes the messages; what the salt of a name is, and whether a proof is right,
it asks (`Named`, `Proven`). It keeps no secret: what a client proves to have never passes through it.

Rule 1: what a client says of channel binding must be so: who asks for it gets it, and who believes
that it is not offered, where it is, has been told so by somebody in between (RFC 5802 section 6).
Rule 2: an extension that must be understood is not (section 5.1, "m").
"""

import re
from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from dataclasses import dataclass, field

from mailstead.sasl.mechanism import RESPONSE_OCTETS, Challenge, Done, Failed, Named, Proven, Step

END_POINT = b"tls-server-end-point"  # RFC 5929 section 4
PROOF_OCTETS = 32
NONCE_OCTETS = 512  # of a client's; programs send some 24

MALFORMED = Failed(malformed=True)
# client-first-message = gs2-cbind-flag "," [ "a=" saslname ] "," client-first-message-bare
# gs2-cbind-flag       = ("p=" cb-name) / "n" / "y"
_GS2 = re.compile(rb"(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,\0]+))?,")
# client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
_FIRST = re.compile(
    rb"n=(?P<user>[^,\0]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?P<extensions>(?:,[A-Za-z]=[^,\0]+)*)"
)
# client-final-message = "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64
_FINAL = re.compile(
    rb"(?P<bare>c=(?P<binding>[A-Za-z0-9/+=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?P<extensions>(?:,[A-Za-z]=[^,\0]+)*?))"
    rb",p=(?P<proof>[A-Za-z0-9/+=]+)"
)
# saslname = 1*(value-safe-char / "=2C" / "=3D")
_ESCAPES = re.compile(rb"=(?:2C|3D)")


@dataclass(slots=True)
class Scram:
    """One exchange.

    Args:
        nonce: What the server adds to the client's: printable, without a comma, never the same.
        binding: For -PLUS: what both ends know of their TLS connection; None for the other mechanism.
        plus_offered: -PLUS is offered on this connection.
    """

    nonce: bytes
    binding: bytes | None
    plus_offered: bool
    _gs2: bytes = field(default=b"", init=False)
    _first: bytes = field(default=b"", init=False)
    _user: bytes = field(default=b"", init=False)
    _both: bytes = field(default=b"", init=False)  # nonces
    _asked: bytes = field(default=b"", init=False)  # server-first-message
    _proven: bool = field(default=False, init=False)

    def step(self, response: bytes | None) -> Step:
        """Take the next message of the client."""
        if response is None and not self._first:
            return Challenge(b"")
        if response is None or len(response) > RESPONSE_OCTETS:
            return MALFORMED
        if not self._first:
            return self._take_first(response)
        if not self._proven:
            return self._take_final(response)
        return MALFORMED if response else Done()  # the client has seen that we know it, too

    def salted(self, salt: bytes, iterations: int) -> Challenge:
        """The answer to `Named`."""
        self._asked = b"r=%b,s=%b,i=%d" % (self._both, b64encode(salt), iterations)
        return Challenge(self._asked)

    def proved(self, signature: bytes) -> Challenge:
        """The answer to `Proven`, when the proof was right; an empty response ends the exchange."""
        self._proven = True
        return Challenge(b"v=" + b64encode(signature))

    def _take_first(self, response: bytes) -> Step:
        head = _GS2.match(response)
        if head is None:
            return MALFORMED
        bare = response[head.end() :]
        found = _FIRST.fullmatch(bare)
        if found is None or len(found["nonce"]) > NONCE_OCTETS or b",m=" in found["extensions"]:
            return MALFORMED
        user, authzid = _name(found["user"]), _name(head["authzid"] or b"")
        if user is None or authzid is None:
            return MALFORMED
        if not self._binding_is_so(head["flag"], head["binding"]) or authzid not in (b"", user):
            return Failed(malformed=False)
        self._gs2, self._first, self._user = head[0], bare, user
        self._both = found["nonce"] + self.nonce
        return Named(user)

    def _binding_is_so(self, flag: bytes, name: bytes | None) -> bool:
        if self.binding is not None:
            return name == END_POINT
        return flag == b"n" or (flag == b"y" and not self.plus_offered)

    def _take_final(self, response: bytes) -> Step:
        found = _FINAL.fullmatch(response)
        if found is None or b",m=" in found["extensions"]:
            return MALFORMED
        try:
            binding, proof = (a2b_base64(found[n], strict_mode=True) for n in ("binding", "proof"))
        except NotBase64:
            return MALFORMED
        if len(proof) != PROOF_OCTETS:
            return MALFORMED
        if binding != self._gs2 + (self.binding or b"") or found["nonce"] != self._both:
            return Failed(malformed=False)
        message = b",".join((self._first, self._asked, found["bare"]))
        return Proven(self._user, message, proof)


def _name(escaped: bytes) -> bytes | None:
    """A saslname without its escapes; None when it is none, or not UTF-8."""
    if b"=" in _ESCAPES.sub(b"", escaped):
        return None
    name = escaped.replace(b"=2C", b",").replace(b"=3D", b"=")
    try:
        name.decode()
    except UnicodeDecodeError:
        return None
    return name
