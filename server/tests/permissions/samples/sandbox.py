"""sandbox.*: only sandbox credentials may."""

from dataclasses import replace
from typing import Any, Final

from bivelio_server.kit.caller import Environment
from tests.permissions.sample import Sample, Samples, fixed


def _there(data: dict[str, Any]) -> Sample:
    return replace(fixed(data), environment=Environment.sandbox)


SAMPLES: Final[Samples] = {
    "sandbox.get_clock": _there({}),
    "sandbox.advance_clock": _there({"seconds": 60}),
    "sandbox.reset": _there({}),
    "sandbox.list_messages": _there({}),
}
