"""GETQUOTA and GETQUOTAROOT (RFC 9208)."""

from mailstead.imap.quota import GetQuota, GetQuotaRoot, quota, quota_root
from mailstead.imap.responses import Answer, no, ok
from mailstead.services.imap.context import Context

NO_SUCH_ROOT = no("No such quota root", b"NONEXISTENT")


async def get_quota(context: Context, command: GetQuota) -> Answer:
    """Answer GETQUOTA."""
    if command.root:
        return NO_SUCH_ROOT
    await context.send(quota(*await context.owner.quota()))
    return ok("Getquota completed")


async def get_quota_root(context: Context, command: GetQuotaRoot) -> Answer:
    """Answer GETQUOTAROOT."""
    await context.owner.mailbox(command.mailbox)
    shown = quota_root(command.mailbox, utf8=context.dialect.utf8)
    await context.send(shown + quota(*await context.owner.quota()))
    return ok("Getquotaroot completed")
