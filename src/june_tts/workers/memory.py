"""Gives memory back to the machine that a process does not use any more."""

import ctypes
import platform

LARGE_BYTES = 1 << 20
M_MMAP_THRESHOLD = -3
"""Of malloc.h."""


def give_back_large_blocks() -> None:
    """Have blocks of 1 MiB and more mapped, and unmapped when they are freed.

    glibc does so at first; but with each one that is freed it takes larger ones from its arenas, up to
    32 MiB, and there is an arena for nearly every thread. What the transforms of a recording need for a
    moment (7 MB) then stayed in one arena after the other. See mallopt(3). Does nothing elsewhere.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
