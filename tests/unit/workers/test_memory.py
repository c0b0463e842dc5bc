"""What is freed goes back to the machine, in a process of its own."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

PROGRAM = """
import sys, threading
import numpy as np, psutil
from june_tts.workers.memory import give_back_large_blocks

if sys.argv[1] == "given back":
    give_back_large_blocks()

def work():
    # the first free raises glibc's own limit, so that the second block comes from the thread's arena
    for _ in range(2):
        block = np.ones(7 << 17)
        beside = [bytes(200_000) for _ in range(4)]
        del block
    kept.append(beside)
    stay.wait()

kept, stay = [], threading.Event()
before = psutil.Process().memory_info().rss
threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
while len(kept) < len(threads):
    pass
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def grown_mb(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps them")
def test_large_blocks_are_given_back_whatever_thread_had_them() -> None:
    assert grown_mb("given back") < grown_mb("kept") / 2
