"""The child: one file comes in, one reading or refusal goes out, and the process ends."""

import os
import sys
import traceback
from pathlib import Path

import orjson

from bivelio_server.reading import wire
from bivelio_server.reading.child.confinement import allow_processor_time, confine, end_with_parent
from bivelio_server.reading.child.kinds import read
from bivelio_server.reading.child.task import Refused, Task
from bivelio_server.reading.port import Limits, Reading

#: Seconds of processor for whatever has no time of its own.
_SECONDS = 15


def main() -> None:
    source, answer = sys.stdin.buffer, _only_for_the_answer()
    head = orjson.loads(source.read(int.from_bytes(source.read(wire.LENGTH), "big")))
    limits = Limits(**head["limits"])
    confine(limits.memory, limits.longest)
    task = Task(
        source.read(head["size"]), head["filename"], limits, head["ocr"],
        tell=lambda progress: _send(answer, [wire.framed(wire.progress_head(progress))]),
    )  # fmt: skip
    end_with_parent(source.fileno())
    allow_processor_time(_SECONDS)
    _send(answer, _outcome(task))
    os._exit(0)


def _only_for_the_answer() -> int:
    """The pipe of the answer; what libraries print goes nowhere near it."""
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answer


def _outcome(task: Task) -> list[bytes]:
    try:
        reading = read(task)
    except Refused as refused:
        return [wire.framed(wire.refusal_head(refused.constraint, refused.values))]
    except MemoryError:
        return [wire.framed(wire.refusal_head("max_memory", {}))]
    except RecursionError:
        return [wire.framed(wire.refusal_head("max_depth", {}))]
    except Exception as error:  # noqa: BLE001 - whatever a library makes of a hostile file, the answer is a refusal
        return [wire.framed(wire.refusal_head("damaged", {}, _place_of(error)))]
    return _reply(reading, task.limits)


def _place_of(error: Exception) -> str:
    """For the log: where it happened, and nothing of what is in the file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"


def _reply(reading: Reading, limits: Limits) -> list[bytes]:
    if sum(len(each.content) for each in reading.attachments) > limits.bytes:
        return [wire.framed(wire.refusal_head("max_bytes", {"allowed": limits.bytes}))]
    head = wire.framed(wire.reading_head(reading))
    if len(head) > wire.MAX_HEAD:
        return [wire.framed(wire.refusal_head("max_text", {}))]
    return [head, *(each.content for each in reading.attachments)]


def _send(answer: int, parts: list[bytes]) -> None:
    for part in parts:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(answer, rest) :]


if __name__ == "__main__":
    main()
