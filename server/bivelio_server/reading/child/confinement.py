"""What the child gives up before it looks at a file: memory, time, the network, other programs, writing, most reading.

The limits hold on Linux and, but for memory, on macOS; elsewhere the server's clock is what ends a reading. The rest
needs Linux; a kernel that cannot do a part of it does without that part.
"""

import ctypes
import math
import os
import platform
import struct
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from bivelio_server.reading.child import filters

if sys.platform != "win32":
    import resource
    import signal

_NICENESS: Final = 10
_SET_PARENT_DEATH_SIGNAL, _SET_SECCOMP, _SET_NO_NEW_PRIVILEGES = 1, 22, 38
_SECCOMP_FILTER: Final = 2

#: The numbers of Landlock's calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
#: What the first version of Landlock can forbid, by its bits: to write, read, list, remove and make anything.
_HANDLED: Final = sum(1 << bit for bit in range(1, 13))
_PATH_BENEATH: Final = 1
#: What libraries read of a system: themselves, fonts, and how many processors there are.
_SYSTEM: Final = (
    "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/lib", "/lib64", "/etc/fonts", "/etc/ld.so.cache",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/sys/devices/system", "/sys/fs/cgroup", "/dev/null",
    "/dev/urandom",
)  # fmt: skip


def confine(memory: int, seconds: float) -> None:
    """Everything that this platform allows without privileges; to be called before anything of a file is seen."""
    if sys.platform == "win32":
        return
    _limit(memory, seconds)
    os.nice(_NICENESS)
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        _prctl(library, _SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        _prctl(library, _SET_NO_NEW_PRIVILEGES, 1)
        _allow_reading_only(library, _own_folders())
        _forbid_calls(library)


def end_with_parent(pipe: int) -> None:
    """End this process as soon as the other end of `pipe` is closed: its parent is gone, or no longer interested."""

    def wait() -> None:
        os.read(pipe, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def allow_processor_time(seconds: float) -> None:
    """Be ended (SIGPROF) unless this is called again before so many more seconds of processor time are spent.

    Code that is not Python's cannot be interrupted otherwise.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit(memory: int, seconds: float) -> None:
    if sys.platform == "win32":
        return
    whole = math.ceil(seconds)
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        with suppress(ValueError, OSError):  # macOS has no limit of memory; a lower one may be set already
            resource.setrlimit(kind, (value, value))


def _own_folders() -> set[str]:
    package = Path(__file__).parents[2]
    return {str(package), sys.prefix, sys.base_prefix, *(path for path in sys.path if "site-packages" in path)}


def _allow_reading_only(library: ctypes.CDLL, folders: Iterable[str]) -> None:
    """Landlock: of all files only those of Python, of this package and of the system can be read, none written."""
    handled = struct.pack("Q", _HANDLED)
    ruleset = library.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if ruleset < 0:
        return
    for path in {*folders, *_SYSTEM}:
        with suppress(OSError):
            _allow_reading(library, ruleset, path)
    library.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow_reading(library: ctypes.CDLL, ruleset: int, path: str) -> None:
    allowed = _READ_FILE | _READ_FOLDER if Path(path).is_dir() else _READ_FILE
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        library.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, place), 0)
    finally:
        os.close(place)


def _forbid_calls(library: ctypes.CDLL) -> None:
    """seccomp: no socket, no other program, no hand on another process."""
    program = filters.program(platform.machine())
    if program is None:
        return
    instructions = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HP", len(program) // filters.INSTRUCTION, ctypes.addressof(instructions))
    library.prctl(_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_FILTER), described, ctypes.c_ulong(0), ctypes.c_ulong(0))


def _prctl(library: ctypes.CDLL, option: int, value: int) -> None:
    library.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
