import pytest

from bivelio_server.workflows.expressions import ExpressionError, parse, references, references_of


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("1 + 2", set()),
        ("now", {("now",)}),
        ("steps.a.output.total", {("steps", "a", "output", "total")}),
        ("steps['my-step'].output", {("steps", "my-step", "output")}),
        ("steps.a.output[0].x", {("steps", "a", "output")}),
        ("steps[input.which].output", {("steps",), ("input", "which")}),
        ("has(steps.a.output)", {("steps", "a", "output")}),
        ("steps.a.output.name.size() > 3 && !input.vip", {("steps", "a", "output", "name"), ("input", "vip")}),
        ("steps.a.output.filter(r, r.n > input.least)", {("steps", "a", "output"), ("input", "least")}),
        ("steps.map(steps, steps.x)", {("steps",)}),
        ("{'k': a ? [b] : -c}", {("a",), ("b",), ("c",)}),
    ],
)
def test_every_static_path_is_found(source, paths):
    assert references(parse(source)) == paths


def test_references_of_a_value_gather_those_of_its_strings():
    found = references_of({"to": "{{ steps.a.output.email }}", "tags": ["x", "n {{ input.n }}"], "n": 1})
    assert found == {("steps", "a", "output", "email"), ("input", "n")}


def test_a_wrong_expression_is_named_by_its_path():
    with pytest.raises(ExpressionError) as caught:
        references_of({"tags": ["ok", "hola {{ input. }}"]}, "with")
    assert (caught.value.path, caught.value.column) == ("with.tags[1]", 16)
