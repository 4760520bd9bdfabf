"""Secret memory: wiped, not copied, and not readable by way of /proc."""

import os
import pickle
import signal
import subprocess
import sys

import pytest

from mailstead.secretmem import SLOT_OCTETS, Arena


def test_slots_are_wiped_and_used_again() -> None:
    arena = Arena(2)
    one = arena.hold(b"k" * 32)
    assert bytes(one.view) == b"k" * 32
    two = arena.take(SLOT_OCTETS)
    with pytest.raises(MemoryError):
        arena.take()
    one.release()
    one.release()
    again = arena.take(32)
    assert bytes(again.view) == bytes(32)
    with pytest.raises(ValueError, match="256"):
        arena.take(SLOT_OCTETS + 1)
    for secret in (two, again):
        secret.release()


def test_a_secret_shows_nothing_and_is_not_copied() -> None:
    with Arena(1).hold(b"key") as secret:
        assert repr(secret) == "Secret(***)"
        with pytest.raises(TypeError):
            pickle.dumps(secret)


def test_the_kernel_gives_it_to_nobody() -> None:
    arena = Arena(1)
    secret = arena.hold(b"0123456789abcdef" * 2)
    if arena.kind != "memfd_secret":
        pytest.skip(f"this kernel has no memfd_secret: {arena.kind}")
    address = 0
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "secretmem" in line:
                address = int(line.split("-")[0], 16)
    assert address
    fd = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        with pytest.raises(OSError):
            os.pread(fd, 32, address)
    finally:
        os.close(fd)
    assert bytes(secret.view[:4]) == b"0123", "and we read it all the same"


HARDENED = """
import ctypes, os, resource
from mailstead.secretmem import harden_process
libc = ctypes.CDLL(None)
print(libc.prctl(3, 0, 0, 0, 0), end=" ")
harden_process()
print(libc.prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE), oct(os.umask(0)))
"""


def test_a_hardened_process_is_not_dumped_and_leaves_no_core() -> None:
    done = subprocess.run([sys.executable, "-c", HARDENED], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "0", "0", "0", "0o77"], (
        "PR_GET_DUMPABLE before and after; limits; umask"
    )


FORKED = """
import os
from mailstead.secretmem import Arena, harden_process
harden_process()
arena = Arena(1)
secret = arena.hold(b"k" * 32)
pid = os.fork()
if not pid:
    try:
        arena.take()
    except RuntimeError:
        bytes(secret.view)  # not mapped here: the child dies of it
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), bytes(secret.view) == b"k" * 32)
"""


def test_a_forked_child_has_no_secrets() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(-signal.SIGSEGV), "True"]
