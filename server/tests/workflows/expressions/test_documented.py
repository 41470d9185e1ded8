"""The examples of the guide answer what it says, and there is one for every function and macro."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bivelio_server.workflows.expressions import evaluate, parse
from bivelio_server.workflows.expressions.conventions import Conventions
from bivelio_server.workflows.expressions.functions import FUNCTIONS, METHODS
from bivelio_server.workflows.expressions.macro_forms import MACRO_FORMS

GUIDE = (Path(__file__).parents[4] / "docs" / "workflows.md").read_text()
SECTION = GUIDE.partition("\n## Expressions\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", SECTION, re.MULTILINE)
INPUT = json.loads(re.search(r"```json\n(.*?)```", SECTION, re.DOTALL)[1], parse_float=Decimal)
VARIABLES = {"input": INPUT, "now": datetime(2026, 1, 31, 22, 30, tzinfo=UTC)}
MADRID = Conventions("Europe/Madrid")


@pytest.mark.parametrize(("source", "expected"), EXAMPLES)
def test_an_example_of_the_guide(source, expected):
    value = evaluate(parse(source), VARIABLES, MADRID)
    assert plain(value) == json.loads(expected, parse_float=Decimal)


def plain(value):
    return value.replace("\u00a0", " ") if isinstance(value, str) else value


def test_every_function_and_macro_has_an_example():
    calls = re.findall(r"([\w.]+)\(", " ".join(source for source, _ in EXAMPLES))
    shown = {name for call in calls for name in (call, call.rpartition(".")[2])}
    assert {*FUNCTIONS, *METHODS, *MACRO_FORMS} - shown == set()
