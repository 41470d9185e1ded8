"""Whatever a user writes takes less than 100 ms of a processor and less than 64 MB, and every function has its case."""

import json
import subprocess
import sys
from pathlib import Path

from bivelio_server.workflows.expressions.functions import FUNCTIONS, METHODS
from bivelio_server.workflows.expressions.macro_forms import MACRO_FORMS
from tests.workflows.expressions.worst_cases import WORST

MAX_SECONDS = 0.1
MAX_BYTES = 64 * 1024 * 1024
REFERENCE_SECONDS = 0.02  # `measuring.reference` on the machine the first figure is promised for
SERVER = Path(__file__).parents[3]


def test_every_function_and_macro_has_a_worst_case():
    assert set(WORST) == set(FUNCTIONS) | set(METHODS) | set(MACRO_FORMS)


def test_nothing_takes_long_or_much_memory():
    measured = _measured()

    limit = MAX_SECONDS * max(1, measured["reference"] / REFERENCE_SECONDS)
    slow = {name: case["seconds"] for name, case in measured["cases"].items() if case["seconds"] > limit}
    assert slow == {}
    assert measured["grown"] < MAX_BYTES
    reached = [name for name, case in measured["cases"].items() if "more than" in case["outcome"]]
    assert len(reached) > len(measured["cases"]) / 2, "else they would not be the worst"


def _measured():
    """By a process of its own. It takes long, so it is done once."""
    command = [sys.executable, "-m", "tests.workflows.expressions.measuring"]
    done = subprocess.run(command, cwd=SERVER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
