"""`server.key`: the one secret of the server, and what is derived from it.

Who steals it together with the database can guess passwords offline at the cost of Argon2id; he
still cannot open stored mail.
"""

from mailstead.crypto.primitives import Octets, expand, mac, open_sealed, random_octets, seal
from mailstead.crypto.rows import RowMacs
from mailstead.crypto.scram import SALT_OCTETS, ScramKeys, Verifier
from mailstead.crypto.slots import Pepper
from mailstead.errors import UnsealError

OCTETS = 32


class ServerKey:
    """The 32 octets of `server.key`, and older ones that logins may still need.

    Raises:
        ValueError: one of them has another length.
    """

    def __init__(self, octets: Octets, previous: tuple[Octets, ...] = ()) -> None:
        for key in (octets, *previous):
            if len(key) != OCTETS:
                raise ValueError(f"a server key has {OCTETS} octets, not {len(key)}")
        self._key = bytes(octets)
        self.rows = RowMacs(self._key, previous)
        self.peppers = [Pepper(expand(key, b"EMS1 pepper")) for key in (octets, *previous)]
        self._auth = [expand(key, b"EMS1 auth") for key in (octets, *previous)]

    def __repr__(self) -> str:
        return "ServerKey(***)"

    def instance_check(self, instance_id: bytes) -> bytes:
        """What the database holds to tell whether this is its server key."""
        return mac(expand(self._key, b"EMS1 instance"), instance_id)

    def unknown_salt(self, name: str) -> bytes:
        """A salt for a login that does not exist, the same each time it is tried."""
        return mac(expand(self._key, b"EMS1 unknown"), name.encode())[:20]

    def scram_salt(self, name: str) -> bytes:
        """The salt that SCRAM shows for a canonical address, whether it is somebody's or not."""
        return mac(expand(self._key, b"EMS1 scram fake"), name.encode())[:SALT_OCTETS]

    def seal_verifier(self, header: bytes, keys: ScramKeys) -> bytes:
        """What a slot with this header keeps of its SCRAM keys: StoredKey and ServerKey, sealed."""
        return seal(self._auth[0], b"EMS1 scram\x00" + header, keys.stored_key() + keys.server_key)

    def open_verifier(self, header: bytes, blob: bytes) -> Verifier:
        """What `seal_verifier` sealed, by this server key or an older one.

        Raises:
            UnsealError: it is not that of this slot.
        """
        failure = UnsealError("the verifier does not open")
        for key in self._auth:
            try:
                keys = open_sealed(key, b"EMS1 scram\x00" + header, blob)
            except UnsealError as error:
                failure = error
                continue
            if len(keys) == 64:
                return Verifier(keys[:32], keys[32:])
        raise failure


def new_server_key() -> bytes:
    """The octets of a new `server.key`."""
    return random_octets(OCTETS)
