"""`bivelio-server worker`, by a clock that is ahead of the true one by so many seconds, as that of the tests may be."""

import sys
from datetime import UTC, datetime, timedelta

from bivelio_server.cli import main
from bivelio_server.kit.clock import Clock


def live_ahead(seconds: float) -> None:
    Clock.now = lambda _: datetime.now(UTC) + timedelta(seconds=seconds)  # type: ignore[method-assign] # for this process


if __name__ == "__main__":
    live_ahead(float(sys.argv[1]))
    main(["worker"])
