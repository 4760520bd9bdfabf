"""A row of `mailstead inspect`, opened with its owner's key: here, or in a copy of the database."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mailstead.accounts.login import enter_here, unlock
from mailstead.accounts.openedrows import OpenedRow, open_keys
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office
from mailstead.cli.office import address_of, fit, with_office
from mailstead.cli.output import from_mail_error
from mailstead.config import Settings, load
from mailstead.crypto.slots import Cost
from mailstead.errors import Exit, MailError, Reason, Refused, Trouble, UnsealError
from mailstead.secretmem import Arena, harden_process
from mailstead.store.copies import log_of
from mailstead.store.opening import FILE, StoreSettings, open_database
from mailstead.store.sealedrows import SealedRow

_WHAT = "the row cannot be opened"
Opening = Callable[[str | None, str, Credential, SealedRow], OpenedRow]


def open_with_key(config: str | None, user: str, credential: Credential, row: SealedRow) -> OpenedRow:
    """Open a row of the settings' own data.

    Raises:
        Trouble: the credential opens another account or none, or the row is not what was written.
    """

    async def act(office: Office, settings: Settings) -> OpenedRow:
        return await _open(office, address_of(user, settings), credential, row)

    return with_office(config, _WHAT, act)


def open_in_copy(file: Path) -> Opening:
    """What opens a row of a copy, which stays as it is: a login writes, so it is into a copy of the copy."""

    def opening(config: str | None, user: str, credential: Credential, row: SealedRow) -> OpenedRow:
        settings = load(config)

        async def run(folder: Path) -> OpenedRow:
            harden_process()
            database = open_database(StoreSettings(folder))
            await fit(database, settings)
            auth = settings.file.auth
            cost = Cost(auth.argon2_kib, auth.argon2_passes)
            office = Office(database, settings.server_key(), Arena(64), cost, time.time)
            try:
                return await _open(office, address_of(user, settings), credential, row)
            finally:
                await database.close()

        with tempfile.TemporaryDirectory(prefix="mailstead-inspect-") as folder:
            for source, name in ((file, FILE), (log_of(file), log_of(Path(FILE)).name)):
                if source.exists():
                    shutil.copyfile(source, Path(folder, name))
            try:
                return asyncio.run(run(Path(folder)))
            except MailError as error:
                raise from_mail_error(error, _WHAT) from error

    return opening


async def _open(office: Office, address: str, credential: Credential, row: SealedRow) -> OpenedRow:
    try:
        if row.sort in ("keyring", "slot"):
            way = await enter_here(office, address, credential)
            _check_owner(way.account.account_id, row, way.release)
            return open_keys(office.arena, way, row)
        account = await unlock(office, address, credential)
        try:
            _check_owner(account.account_id, row)
            return await account.open_row(row)
        finally:
            account.close()
    except UnsealError as error:
        raise Trouble(
            "this row does not open", why=str(error),
            fix="mailstead verify --user ADDRESS says what else is not as it was left",
            exit_code=Exit.WRONG_KEY,
        ) from error  # fmt: skip
    except Refused as refused:
        if refused.reason is not Reason.NO_SUCH_MESSAGE:
            raise
        raise Trouble(
            _WHAT, why="no message of this account names this body: it is being written, or in a tomb",
            fix="try again in an hour, when what was never finished is swept",
        ) from refused  # fmt: skip


def _check_owner(account_id: int, row: SealedRow, leave: Callable[[], None] = lambda: None) -> None:
    if account_id != row.account_id:
        leave()
        raise Trouble(
            _WHAT, why="it belongs to another account than --user", fix="name its owner",
            exit_code=Exit.WRONG_KEY,
        )  # fmt: skip
