"""A gate: random text over random data never gets anything out but a JSON value or ExpressionError."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from bivelio_server.workflows.expressions import (
    ExpressionError,
    evaluate,
    parse,
    parse_template,
    references,
    references_of,
    render,
    render_value,
)
from bivelio_server.workflows.expressions.functions import FUNCTIONS, METHODS
from bivelio_server.workflows.expressions.macro_forms import MACRO_FORMS

ROUNDS = 4000


def called(name, function, method):
    """Calls with every number of arguments that a function takes, up to three."""
    for count in range(function.least, min(function.most, 3 - method) + 1):
        arguments = ",".join(["{}"] * count)
        yield f"{{}}.{name}({arguments})" if method else f"{name}({arguments})"


MADE_SHAPES = [
    *(shape for name, function in FUNCTIONS.items() for shape in called(name, function, False)),
    *(shape for name, function in METHODS.items() for shape in called(name, function, True)),
    *(f"{{}}.{name}(x,{{}})" for name, form in MACRO_FORMS.items() if 1 in form.variables),
    *(f"{{}}.{name}(x,y,{{}})" for name, form in MACRO_FORMS.items() if 2 in form.variables),
    *(f"{{}}.{name}(x,{{}},{{}})" for name in ("map",)),
]
VOCABULARY = r"""
    a b input steps now wait x true false null in has cel.bind optional.none() __class__ 0 1 -1 2.5 .5 1e3 1e400 34
    9223372036854775807 0xF 'a' "" '1h' '(' '(a)' 'UTC' 'Europe/Madrid' 'month' 'EUR' 'es' r'\d+' '%s' '%.2f %d'
    '2026-01-01T00:00:00Z' '2026-01-31' 'dd/MM/yyyy' '{"a":1}' ( ) [ ] { } . , : ? .? [? ! - + * / % < <= > >= == != &&
    || "{{" {{ }} ' " # $ @ \ ñ // '''
"""
CALLABLE = sorted({*FUNCTIONS, *METHODS, *MACRO_FORMS, "or", "orValue"})
WORDS = [*VOCABULARY.split(), *CALLABLE, *(f".{name}(" for name in CALLABLE)]

LEAF_TEXT = """
    a b.c a[0] a.?c a[?1] x now wait 1 -2 1.5 1e400 'a' '1h' '(' '+02:00' true null [] {} 0 input '2026-01-31' 'month'
    'dd/MM/yyyy' '{"a":[1]}' '%s' '(a)|b' optional.none() 'en' 'USD'
"""
LEAVES = LEAF_TEXT.split()
SHAPE_TEXT = """
    ({}+{}) ({}-{}) ({}*{}) ({}/{}) ({}%{}) ({}<{}) ({}<={}) ({}=={}) ({}!={}) ({}&&{}) ({}||{}) !({}) -({}) [{},{}]
    [?{},{}] [{}][{}] {}[?{}] {}.?a {{'k':{}}}.k {{?'k':{}}} has({}.a) ({}?{}:{}) cel.bind(x,{},{}) {}.or({})
    {}.orValue({})
"""
SHAPES = [*SHAPE_TEXT.split(), *MADE_SHAPES]

SCALARS = [
    *(None, True, False, 0, -1, 7, 2**63 - 1, -(2**63), 2**70, 10**200, 0.0, -0.0, 1.5, 5e-324, 1.7e308),
    *(float("nan"), float("inf"), Decimal("1.10"), Decimal("NaN"), Decimal("sNaN"), Decimal("1e9999"), Decimal("-0")),
    *("", "a", "ñ", "{{ a }}", "\ud800", "\x00", "1h", "2026-01-01T00:00:00Z", "-5", "(", "a,b", "x" * 500),
    *(datetime(2026, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)),
    *(timedelta(0), timedelta.max, timedelta.min, timedelta(microseconds=-1), object(), (1,), b"a"),
]


def tokens(chance):
    return chance.choice(["", " "]).join(chance.choices(WORDS, k=chance.randrange(25)))


def characters(chance):
    return "".join(
        chr(chance.choice([chance.randrange(128), chance.randrange(0x11000)])) for _ in range(chance.randrange(30))
    )


def expression(chance, depth=4):
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(LEAVES)
    shape = chance.choice(SHAPES)
    return shape.format(*(expression(chance, depth - 1) for _ in range(3)))


def data(chance, depth=3):
    if depth == 0 or chance.random() < 0.5:
        return chance.choice(SCALARS)
    items = [data(chance, depth - 1) for _ in range(chance.randrange(4))]
    return items if chance.random() < 0.5 else dict(zip(["a", "c", ""], items, strict=False))


def is_json(value):
    if isinstance(value, list):
        return all(is_json(item) for item in value)
    if isinstance(value, dict):
        return all(type(key) is str and is_json(item) for key, item in value.items())
    return value is None or type(value) in {bool, int, Decimal, str}


def check(act, *arguments):
    """True when there was a value."""
    failure = None
    try:
        result = act(*arguments)
    except ExpressionError as error:
        failure = error
    if failure is None:
        assert is_json(result), arguments
        return True
    assert failure.column > 0, arguments
    assert failure.message_es, arguments
    assert failure.message_en, arguments
    return False


def evaluated(source, variables):
    parsed = parse(source)
    assert isinstance(references(parsed), set)
    return evaluate(parsed, variables)


def rendered(text, variables):
    return render(parse_template(text), variables)


@pytest.mark.parametrize("write", [tokens, characters, expression])
def test_random_sources_over_random_data(write):
    chance = random.Random(f"sources {write.__name__}")
    for _ in range(ROUNDS):
        variables = {name: data(chance) for name in ("a", "b", "x", "now", "wait", "input")}
        check(evaluated, write(chance), variables)


def test_random_templates_over_random_data():
    chance = random.Random("templates")
    for _ in range(ROUNDS):
        variables = {name: data(chance) for name in ("a", "b", "x")}
        inside = chance.choice([tokens, expression, characters])(chance)
        check(rendered, f"{characters(chance)}{{{{ {inside} }}}}{tokens(chance)}", variables)
        check(rendered, f"{{{{{inside}}}}}", variables)


def test_random_values_to_render():
    chance = random.Random("values")
    for _ in range(ROUNDS):
        value = [data(chance), "{{ a }}", {"k": "x{{ a }}"}]
        check(render_value, value, {"a": data(chance)})
        check(lambda value: sorted(map(".".join, references_of(value))), value)


def test_the_expressions_are_not_all_refused():
    chance = random.Random("values there are")
    found = sum(check(evaluated, expression(chance), {"a": [1, "b"], "b": {"c": "1h"}, "x": 2}) for _ in range(1000))
    assert found > 100


sources = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.tuples(st.sampled_from(SHAPES), inner, inner, inner).map(
        lambda parts: parts[0].format(*parts[1:])
    ),
    max_leaves=12,
)
values = st.recursive(
    st.sampled_from(SCALARS) | st.text(max_size=20) | st.decimals() | st.integers() | st.floats() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["a", "c", "k", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)
gate = settings(
    max_examples=300, deadline=None, database=None, derandomize=False, suppress_health_check=list(HealthCheck)
)


@seed(20260301)
@gate
@given(source=sources, a=values, b=values, x=values)
def test_any_expression_of_the_grammar(source, a, b, x):
    variables = {"a": a, "b": b, "x": x, "now": datetime(2026, 1, 31, tzinfo=UTC), "wait": timedelta(hours=1)}
    check(evaluated, source, variables)
    check(rendered, f"«{{{{ {source} }}}}» {{{{ {source} }}}}", variables)


@seed(20260301)
@gate
@given(words=st.lists(st.sampled_from(WORDS), max_size=20), a=values)
def test_any_sequence_of_tokens(words, a):
    check(evaluated, " ".join(words), {"a": a})
    check(rendered, f"{{{{{''.join(words)}}}}}", {"a": a})
