"""Which server a database belongs to."""

from collections.abc import Callable

from mailstead.store.database import Database, Tx
from mailstead.store.migrate import get_meta, put_meta


async def check_instance(database: Database, check: Callable[[bytes], bytes]) -> bool:
    """Whether the database was made with this server key; a new one is from now on.

    Args:
        check: What the server key makes of the instance id.
    """

    def read(tx: Tx) -> tuple[bytes, bytes | None]:
        instance = get_meta(tx, "instance")
        assert instance is not None, "the first migration makes it"
        return instance, get_meta(tx, "server_key")

    instance, found = await database.read(read)
    wanted = check(instance)
    if found is None:
        await database.write(lambda tx: put_meta(tx, "server_key", wanted))
        return True
    return found == wanted
