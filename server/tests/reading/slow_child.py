"""A child that has recognised one page of two, and then takes its time."""

import sys
import time

from bivelio_server.reading import wire
from bivelio_server.reading.port import Reading


def say(head: wire.Head) -> None:
    sys.stdout.buffer.write(wire.framed(head))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    say(wire.progress_head(wire.Progress(1, 2, 1)))
    time.sleep(1.5)
    say(wire.reading_head(Reading("application/pdf", 2, (), "slow", (), "none")))
