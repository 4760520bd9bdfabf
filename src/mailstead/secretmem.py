"""Memory for keys: not readable by other processes, not swapped, not in a core file.

A process has an arena of slots of 256 octets that are wiped when released, and one of larger slots
for `accounts.bodykeys`. An arena is a `memfd_secret` area where the kernel has one (nobody else can
map or read it, /proc/PID/mem included), and otherwise locked memory left out of core files.
`Arena.kind` says which.

It protects keys at rest in memory only: round keys, plaintext and what Python copies are
ordinary heap. Processes are started by exec, never forked after an arena exists.
"""

import ctypes
import os
import resource
from types import TracebackType

SLOT_OCTETS = 256
_MEMFD_SECRET = 447  # the system call's number on every architecture
_PR_SET_DUMPABLE = 4
_PROT_READ_WRITE = 3
_MAP_SHARED, _MAP_PRIVATE_ANONYMOUS = 1, 0x22
_MADV_DONTFORK, _MADV_DONTDUMP = 10, 16
_FAILED = ctypes.c_void_p(-1).value


class Secret:
    """One slot of an arena; `view` is its first octets, until it is released."""

    __slots__ = ("_arena", "_slot", "view")

    def __init__(self, arena: "Arena", slot: int, view: memoryview) -> None:
        self._arena = arena
        self._slot = slot
        self.view = view

    def release(self) -> None:
        """Wipe the slot and give it back; harmless when done twice."""
        if self._slot >= 0:
            self.view.release()
            self._arena.give_back(self._slot)
            self._slot = -1

    def __enter__(self) -> "Secret":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not copied")


class Arena:
    """Secret memory of one process.

    Args:
        slots: How many keys it can hold at once.
        octets: Of a slot.
    """

    def __init__(self, slots: int = 4096, octets: int = SLOT_OCTETS) -> None:
        self._octets = octets
        size = slots * octets
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
        ]  # fmt: skip
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        address, self.kind = _map_secret(libc, size)
        libc.madvise(address, size, _MADV_DONTFORK)
        self._pid = os.getpid()
        area = (ctypes.c_ubyte * size).from_address(address)
        self._memory = memoryview(area).cast("B")
        self._free = list(range(slots))

    def take(self, octets: int = 32) -> Secret:
        """A slot of zeros.

        Raises:
            MemoryError: all slots are taken.
        """
        if octets > self._octets:
            raise ValueError(f"a slot has {self._octets} octets")
        if os.getpid() != self._pid:
            raise RuntimeError("secret memory does not survive a fork")
        if not self._free:
            raise MemoryError("no secret memory left")
        slot = self._free.pop()
        start = slot * self._octets
        return Secret(self, slot, self._memory[start : start + octets])

    def hold(self, octets: bytes | bytearray | memoryview) -> Secret:
        """A slot that holds a copy of *octets*."""
        secret = self.take(len(octets))
        secret.view[:] = octets
        return secret

    def give_back(self, slot: int) -> None:
        """Wipe a slot; `Secret.release` calls this."""
        start = slot * self._octets
        self._memory[start : start + self._octets] = bytes(self._octets)
        self._free.append(slot)


def _map_secret(libc: ctypes.CDLL, size: int) -> tuple[int, str]:
    fd = libc.syscall(_MEMFD_SECRET, os.O_CLOEXEC)
    if fd >= 0:
        try:
            os.ftruncate(fd, size)
            address = libc.mmap(None, size, _PROT_READ_WRITE, _MAP_SHARED, fd, 0)
        finally:
            os.close(fd)  # a mapping needs no descriptor, and nobody can map it again
        if address not in (None, _FAILED):
            return int(address), "memfd_secret"
    address = libc.mmap(None, size, _PROT_READ_WRITE, _MAP_PRIVATE_ANONYMOUS, -1, 0)
    if address in (None, _FAILED):
        raise MemoryError("no memory for keys")
    locked = libc.mlock(address, size) == 0
    libc.madvise(address, size, _MADV_DONTDUMP)
    return int(address), "mlock" if locked else "ordinary"


def wipe(octets: bytearray) -> None:
    """Overwrite a buffer that held a key."""
    octets[:] = bytes(len(octets))


def harden_process() -> None:
    """No core files, no reading of our memory by other processes, no files for others."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
