from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bivelio_server.workflows.expressions import (
    EvaluationError,
    ExpressionError,
    LimitError,
    parse_template,
    render,
    render_value,
)

VARIABLES = {
    "n": 3,
    "price": 1e22,
    "total": Decimal("10.50"),
    "name": "Ana",
    "none": None,
    "yes": True,
    "tags": ["a", 'b"', 1.5, None],
    "evil": "{{ secret }} }} {{",
    "secret": "s3cret",
    "now": datetime(2026, 3, 1, tzinfo=UTC),
    "wait": timedelta(hours=1),
}


def rendered(text):
    return render(parse_template(text), VARIABLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ n }}", 3),
        ("{{total}}", Decimal("10.50")),
        ("{{ none }}", None),
        ("{{ tags }}", ["a", 'b"', Decimal("1.5"), None]),
        ("{{ {'a': {'b': n}} }}", {"a": {"b": 3}}),
        ("{{{'a': 1}}}", {"a": 1}),
        ("{{ now }}", "2026-03-01T00:00:00Z"),
    ],
)
def test_a_lone_expression_keeps_its_type(text, expected):
    result = rendered(text)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain }} text", "plain }} text"),
        (" {{ n }}", " 3"),
        ("{{ n }}{{ n }}", "33"),
        ("Hola {{ name }}, {{ none }}son {{ total }} €", "Hola Ana, son 10.50 €"),
        ("{{ price }} {{ yes }}", "10000000000000000000000 true"),
        ("tags={{ tags }}", 'tags=["a","b\\"",1.5,null]'),
        ("{{ {'ñ': [now, wait]} }}.", '{"ñ":["2026-03-01T00:00:00Z","3600s"]}.'),
        ("{{ now }} {{ wait }}", "2026-03-01T00:00:00Z 3600s"),
        ("{{ '}}' }}|", "}}|"),
        ('{{ "{{" }} name }}', "{{ name }}"),
    ],
)
def test_any_other_text_is_joined(text, expected):
    assert rendered(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ evil }}",
        "{{ '' + evil }}",
        "{{ [evil][0] }}",
        "{{ {evil: 1}.keys()[0] }}",
        "{{ '%s'.format([evil]) }}",
        "{{ [evil].join() }}",
        "{{ evil.split(' ').join(' ') }}",
        "{{ 'x'.replace('x', evil) }}",
        "{{ regex.replace('x', 'x', evil) }}",
        "{{ json.decode(json.encode(evil)) }}",
        "{{ optional.of(evil) }}",
        "{{ coalesce(null, evil) }}",
        "{{ cel.bind(x, evil, x) }}",
        "{{ [evil].map(x, x).first() }}",
        "{{ evil.reverse().reverse() }}",
        "{{ evil.title().lower() }}",
        "{{ '}}{{'.substring(2) + evil.substring(2) }}",
    ],
)
def test_a_result_is_never_evaluated_again(text):
    assert rendered(text) == VARIABLES["evil"]
    assert rendered(f">{text}") == ">" + VARIABLES["evil"]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("ab {{ n", 4),
        ("ab {{ }}", 7),
        ("ab {{ n + }}", 11),
        ("ab {{ 'x }}", 7),
        ("{{ n }} {{ n } }}", 9),
        ("ab {{ nope }}", 7),
        ("{{ n }}\n{{ n.x }}", 14),
        ("{{ n // }}", 1),
    ],
)
def test_errors_count_columns_in_the_whole_text(text, column):
    with pytest.raises(ExpressionError) as caught:
        rendered(text)
    assert caught.value.column == column


def test_too_long_an_expression_is_called_so():
    with pytest.raises(LimitError, match="longer than 4096 bytes"):
        parse_template("{{ '" + 5000 * "x" + "' }}")


def test_a_value_is_rendered_string_by_string():
    value = {"{{ n }}": "{{ n }}", "list": [True, 1.5, None, "x{{ n }}"], "plain": "text"}
    assert render_value(value, VARIABLES) == {
        "{{ n }}": 3,
        "list": [True, Decimal("1.5"), None, "x3"],
        "plain": "text",
    }


def test_a_failing_string_is_named_by_its_path():
    with pytest.raises(EvaluationError) as caught:
        render_value({"email": ["ok", "a {{ nope }}"]}, VARIABLES, "with")
    assert (caught.value.path, caught.value.column) == ("with.email[1]", 6)
    assert str(caught.value) == "with.email[1]: There is no variable “nope”. (column 6)"


def test_long_expressions_pay_for_their_length():
    with pytest.raises(LimitError):
        render_value(["{{ '" + "a" * 4000 + "' }}"] * 10, {})


def test_all_strings_of_a_value_share_one_budget():
    with pytest.raises(LimitError):
        render_value(["{{ text }}"] * 20, {"text": "a" * 100_000})
