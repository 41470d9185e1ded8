"""Whatever a user writes: no way out but a value or ExpressionError. What it takes is in `test_worst_cases`."""

from decimal import Decimal

import pytest

from bivelio_server.workflows.expressions import ExpressionError, LimitError, evaluate, parse, parse_template, render
from tests.workflows.expressions.attacks import REFUSED, REFUSED_TEMPLATES, VARIABLES

HARMLESS = {
    "catastrophic backtracking": ('t.matches("(a+)+$")', False),
    "overlapping alternatives": ('"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa".matches("^(a|a|aa)+$")', True),
    "deep parentheses": ("(" * 49 + "1" + ")" * 49, 1),
    "many clauses": ("&&".join(["true"] * 490), True),
    "zero with an exponent": ("0e999999 == 0", True),
    "long decimal text": ("size(string(1e400) + string(1e-400))", 803),
    "code in text": ("\"__import__('os').system('id')\"", "__import__('os').system('id')"),
    "format text": ("'%s' + '{0.__class__}'", "%s{0.__class__}"),
}


def attempt(source):
    return evaluate(parse(source), VARIABLES)


def attempt_template(text):
    return render(parse_template(text), VARIABLES)


ATTACKS = [
    *(pytest.param(attempt, text, id=name) for name, text in REFUSED.items()),
    *(pytest.param(attempt_template, text, id=f"template: {name}") for name, text in REFUSED_TEMPLATES.items()),
]


@pytest.mark.parametrize(("act", "text"), ATTACKS)
def test_an_attack_is_refused(act, text):
    with pytest.raises(ExpressionError) as caught:
        act(text)
    assert caught.value.column > 0


@pytest.mark.parametrize(("source", "expected"), HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_an_attack_has_a_value(source, expected):
    assert attempt(source) == expected


def test_the_budget_does_not_depend_on_what_ran_before():
    source = "l.all(i, 'x'.matches('a' + string(i)) || true)"
    outcomes = set()
    for _ in range(2):
        with pytest.raises(LimitError) as caught:
            attempt(source)
        outcomes.add(str(caught.value))
    assert len(outcomes) == 1


def test_a_caller_deep_in_its_own_stack_gets_the_same_error():
    def descend(levels):
        return descend(levels - 1) if levels else attempt("(" * 48 + "1 + [2][0]" + ")" * 48)

    outcomes = []
    for levels in range(300, 960, 60):
        try:
            outcomes.append(descend(levels))
        except ExpressionError:
            outcomes.append("refused")
        except RecursionError:
            break  # the test's own frames
        parse.__globals__["_parse"].cache_clear()
    assert set(outcomes) <= {3, "refused"}


def test_decimals_from_data_are_bounded():
    with pytest.raises(ExpressionError):
        evaluate(parse("x"), {"x": Decimal("1e999999")})
    assert evaluate(parse("x"), {"x": Decimal("1." + "3" * 5000)}) == Decimal("1." + "3" * 33)
