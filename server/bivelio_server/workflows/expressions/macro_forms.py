"""What the macros look like: `list.map(x, x.total)`, `map.transformMap(key, value, value > 1, value)`."""

from typing import Final, NamedTuple

from bivelio_server.workflows.expressions.errors import ExpressionSyntaxError


class MacroForm(NamedTuple):
    """How many variables a macro may name, and what follows: a result, a condition, or a result after a condition."""

    variables: tuple[int, ...] = (1,)
    result: bool = True
    condition: bool = False
    example: tuple[str, str] = ("lista.{}(x, x.total)", "list.{}(x, x.total)")


_TEST: Final = MacroForm((1, 2), result=False, condition=True, example=("lista.{}(x, x > 1)", "list.{}(x, x > 1)"))
_TRANSFORMATION: Final = MacroForm((2,), condition=True, example=("mapa.{}(k, v, v + 1)", "map.{}(k, v, v + 1)"))
MACRO_FORMS: Final = {
    **dict.fromkeys(("all", "exists", "exists_one", "existsOne"), _TEST),
    "filter": _TEST._replace(variables=(1,)),
    "map": MacroForm(condition=True),
    **dict.fromkeys(("sortBy", "groupBy", "optMap", "optFlatMap"), MacroForm()),
    **dict.fromkeys(("transformList", "transformMap"), _TRANSFORMATION),
    "transformMapEntry": _TRANSFORMATION._replace(example=("mapa.{}(k, v, {{v: k}})", "map.{}(k, v, {{v: k}})")),
}


def wrong_macro(name: str, column: int) -> ExpressionSyntaxError:
    form = MACRO_FORMS[name]
    example_es, example_en = (example.format(name) for example in form.example)
    names_es, names_en = ("dos nombres", "two names") if form.variables == (2,) else ("un nombre", "a name")
    return ExpressionSyntaxError(
        f"«{name}» espera {names_es} y una expresión, como «{example_es}».",
        f"“{name}” expects {names_en} and an expression, such as “{example_en}”.",
        column,
    )
