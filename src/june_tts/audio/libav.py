"""What is asked of libav itself, beside PyAV."""

import ctypes
import functools

import av._core


@functools.cache
def one_thread() -> None:
    """Let libav start no threads of its own, in this process.

    PyAV cuts what an encoder is fed to frames in a filter graph, and such a graph starts as many threads as
    the machine has cores, and one more: a hundred streams on 16 cores would be 1,600 threads that never have
    anything to do. PyAV gives no access to that graph; av_cpu_force_count is libav's own way to say it.
    """
    # a symbol is looked for in what a library depends on, too: whichever libavutil PyAV was built with
    ctypes.CDLL(av._core.__file__).av_cpu_force_count(1)
