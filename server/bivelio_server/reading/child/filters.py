"""The system calls that a process which reads files has no use for, as a program for Linux's seccomp."""

import errno
import struct
from typing import Final

#: Bytes of one instruction.
INSTRUCTION: Final = 8
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
#: On x86-64, calls from here on are those of another convention, under which every forbidden one has a second number.
_FOREIGN: Final = 0x40000000

#: By machine: how the kernel names it, and the numbers of socket, execve, execveat, ptrace, kill, process_vm_readv,
#: process_vm_writev, io_uring_setup, pidfd_open.
_MACHINES: Final = {
    "x86_64": (0xC000003E, (41, 59, 322, 101, 62, 310, 311, 425, 434)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 129, 270, 271, 425, 434)),
}


def program(machine: str) -> bytes | None:
    """The filter for `machine` as packed instructions; None where the numbers of its calls are not known."""
    if machine not in _MACHINES:
        return None
    architecture, forbidden = _MACHINES[machine]
    tests = [(_JUMP_IF_AT_LEAST, _FOREIGN), *((_JUMP_IF_EQUAL, number) for number in forbidden)]
    refuse_at = len(tests)  # instructions ahead of the first test, if `allow` follows the last
    return b"".join((
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_JUMP_IF_EQUAL, architecture, 0, refuse_at + 2),
        _instruction(_LOAD, _NUMBER_AT),
        *(_instruction(code, value, refuse_at - index, 0) for index, (code, value) in enumerate(tests)),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _REFUSE),
    ))  # fmt: skip


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
