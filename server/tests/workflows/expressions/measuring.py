"""Run as a process of its own: what every attack and every worst case takes, as JSON on standard output.

    {"reference": seconds, "grown": bytes, "cases": {name: {"seconds", "outcome"}}}

`grown` is by how much the process was larger at its largest than before the first case.
"""

import json
import resource
import sys
import time
from functools import partial

from bivelio_server.workflows.expressions import (
    ExpressionError,
    LimitError,
    evaluate,
    parse,
    parse_template,
    render,
    render_value,
)
from bivelio_server.workflows.expressions import parser as expression_parser
from bivelio_server.workflows.expressions import template as expression_template
from bivelio_server.workflows.reference_checking import UNKNOWN, Reading, TooMuchToRead
from tests.workflows.expressions import attacks, worst_cases

ENOUGH = 0.06


def evaluated(variables, source):
    evaluate(parse(source), variables)


def rendered(variables, text):
    render(parse_template(text), variables)


def value_rendered(variables, value):
    render_value(value, variables, "with")


def value_checked(value):
    """As when a workflow is saved."""
    try:
        list(Reading().value(value, "with", {"l": UNKNOWN, "rows": UNKNOWN, "now": UNKNOWN}))
    except TooMuchToRead as error:
        raise LimitError(error.text.es, error.text.en) from None


def cases():
    for name, source in attacks.REFUSED.items():
        yield f"attack: {name}", partial(evaluated, attacks.VARIABLES, source)
    for name, text in attacks.REFUSED_TEMPLATES.items():
        yield f"template: {name}", partial(rendered, attacks.VARIABLES, text)
    for name, sources in (worst_cases.WORST | worst_cases.OTHERS).items():
        for source in sources:
            yield f"{name}: {source}", partial(evaluated, worst_cases.VARIABLES, source)
    for name, value in worst_cases.TREES.items():
        yield f"tree: {name}", partial(value_rendered, worst_cases.VARIABLES, value)
        yield f"checked: {name}", partial(value_checked, value)


def outcome_of(act):
    try:
        act()
    except ExpressionError as error:
        return str(error)
    return ""


def measured(act):
    """The best of up to three attempts, each as if the text had never been seen."""
    best = 60.0
    for _ in range(3):
        expression_parser._parse.cache_clear()
        expression_template._parse_template.cache_clear()
        started = time.process_time()
        outcome = outcome_of(act)
        best = min(best, time.process_time() - started)
        if best < ENOUGH:
            break
    return {"seconds": best, "outcome": outcome}


def reference():
    """How long this machine, as busy as it is, takes over something that is always the same."""
    started = time.process_time()
    counts = {}
    for number in range(200_000):
        counts[number % 1000] = counts.get(number % 1000, 0) + number
    return time.process_time() - started


def largest():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    before = largest()
    found = {name: measured(act) for name, act in cases()}
    grown = largest() - before
    sys.stdout.write(json.dumps({"reference": min(reference() for _ in range(5)), "grown": grown, "cases": found}))
