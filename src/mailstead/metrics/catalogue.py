"""All that is counted, and by which labels (docs/metrics.md has a line for each)."""

import array
from collections.abc import Callable

from mailstead.metrics.families import Cells, Gauge, Maker
from mailstead.version import __version__

CELLS = 2048  # of one region
LISTENERS = ("smtp", "lmtp", "submission", "submissions")
REASONS = (
    "none", "protocol", "no_such_recipient", "account_disabled", "relay_denied", "over_quota", "no_key",
    "key_changed", "message_too_large", "too_many_hops", "storage_full", "storage_unavailable", "too_busy",
    "shutting_down", "damaged", "other",
)  # fmt: skip
VERSIONS = ("1.2", "1.3", "other")
COMMANDS = (
    "append", "authenticate", "cancelupdate", "capability", "check", "close", "compress", "copy", "create",
    "delete", "deleteacl", "enable", "esearch", "examine", "expunge", "fetch", "getacl", "getmetadata",
    "getquota", "getquotaroot", "id", "idle", "list", "listrights", "login", "logout", "lsub", "move",
    "myrights", "namespace", "noop", "notify", "rename", "search", "select", "setacl",
    "setmetadata", "sort", "status", "store", "subscribe", "thread", "unauthenticate", "unselect",
    "unsubscribe",
)  # fmt: skip

# Upper bounds of buckets, in seconds: of what a processor does, and of what a disk or a peer has a part in.
QUICK = (1e-05, 2.5e-05, 5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)
SLOW = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All families, over the region of one worker.

    Args:
        cells: The region, `CELLS` long; without one, memory of this process alone.
        everywhere: Gives the sum of all regions; without it, there is this one.
    """

    def __init__(
        self, cells: "Cells | None" = None, everywhere: Callable[[], list[float]] | None = None
    ) -> None:
        region: Cells = memoryview(array.array("d", bytes(8 * CELLS))) if cells is None else cells
        self.total = everywhere or region.tolist
        make = Maker(region)
        self.smtp_connections = make.counter(
            "smtp_connections_total",
            "Connections to SMTP and LMTP listeners; refused: their source held too many.",
            listener=LISTENERS, result=("accepted", "refused"),
        )  # fmt: skip
        self.smtp_sessions = make.gauge("smtp_sessions", "Open SMTP and LMTP connections.")
        self.smtp_messages = make.counter(
            "smtp_messages_total",
            "Messages by the answer to their last octet, by LMTP once for each recipient, or to MAIL.",
            direction=("in", "submission"), result=("accepted", "refused", "deferred"), reason=REASONS,
        )  # fmt: skip
        self.smtp_recipients_refused = make.counter(
            "smtp_recipients_refused_total", "RCPT commands that were answered with an error.", reason=REASONS
        )
        self.smtp_tls = make.counter(
            "smtp_tls_total", "SMTP and LMTP connections that went over to TLS.", version=VERSIONS
        )
        self.auth_attempts = make.counter(
            "auth_attempts_total",
            "Logins tried; refused: the password was right, and not for this.",
            protocol=("imap", "pop3", "submission"), result=("entered", "failed", "refused", "unavailable"),
        )  # fmt: skip
        self.delivery = make.histogram(
            "delivery_seconds", "From the last octet of a message until its answer, stored or not.", SLOW
        )
        self.imap_sessions = make.gauge("imap_sessions", "Open IMAP connections.")
        self.imap_command = make.histogram(
            "imap_command_seconds",
            "From a whole IMAP command until its answer, slow peers who take it included.",
            SLOW, command=COMMANDS,
        )  # fmt: skip
        self.search = make.histogram(
            "search_seconds", "To ask the search index of one account about one mailbox.", SLOW
        )
        self.index_waiting = make.gauge(
            "index_pending_messages", "Messages of accounts with a session that are not in their index yet."
        )
        self.pop3_sessions = make.gauge("pop3_sessions", "Open POP3 connections.")
        self.store_messages = make.given("store_messages", "Messages in all mailboxes.")
        self.store_bytes = make.given(
            "store_bytes", "Octets of mail as it is stored, or free on its disk.", kind=("sealed", "free")
        )
        self.store_operation = make.histogram(
            "store_operation_seconds",
            "Of reads, and of writes from asking until they are durable, turns at the writer included.",
            SLOW, op=("read", "write"),
        )  # fmt: skip
        self.store_failures = make.counter(
            "store_failures_total", "Reads and writes that the database could not do.", op=("read", "write")
        )
        self.seal = make.histogram("seal_seconds", "To seal one message for one recipient.", QUICK)
        self.seal_failures = make.counter(
            "seal_failures_total", "Messages and recipients that could not be sealed to."
        )
        self.open = make.histogram(
            "open_seconds", "To open one sealed record, lane or body.", QUICK, kind=("record", "lane", "body")
        )
        self.open_failures = make.counter(
            "open_failures_total", "Commands that met something sealed that does not open.",
            protocol=("imap", "pop3"),
        )  # fmt: skip
        self.not_as_left = make.counter(
            "not_as_left_total", "Mailboxes and accounts found older, or less, than they were left."
        )
        self.keys_unlocked = make.gauge(
            "keys_unlocked", "Accounts whose keys are in memory, once for each worker that has them."
        )
        self.cert_expiry = make.given(
            "cert_expiry_seconds", "Until the certificate expires; negative once it has.", name=("tls",)
        )
        self.watching = make.gauge("watching_sessions", "Open connections to the metrics listener.")
        self.workers = make.gauge("workers", "Worker processes that take connections.")
        self.worker_starts = make.counter(
            "worker_starts_total", "Worker processes started, the first ones included."
        )
        self.build_info = make.given("build_info", "1, with the version that runs.", version=(__version__,))
        self.families = tuple(make.made)

    def begin(self) -> None:
        """A worker begins in this region: what another one counted stays, what was is forgotten."""
        self.forget()
        self.worker_starts.add()

    def forget(self) -> None:
        """The worker of this region is gone: what is now is nothing."""
        for family in self.families:
            if isinstance(family, Gauge):
                family.forget()
