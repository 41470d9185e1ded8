"""Whatever a user writes: little time, little memory, and no way out but a value or ExpressionError."""

import time
import tracemalloc
from decimal import Decimal

import pytest

from bivelio_server.workflows.expressions import ExpressionError, LimitError, evaluate, parse, parse_template, render

MAX_SECONDS = 0.5  # the worst takes about 0.1 s of a quiet machine
MAX_MEMORY = 64 * 1024 * 1024

HUGE = "á" * 2_000_000
CYCLE: list[object] = []
CYCLE.append(CYCLE)
DEEP: list[object] = []
for _ in range(500):
    DEEP = [DEEP]

VARIABLES = {
    "l": list(range(50_000)),
    "rows": [{"n": i, "t": f"row {i}", "f": i * 1.1} for i in range(10_000)],
    "rows2": [{"n": i, "t": f"row {i}", "f": i * 1.1} for i in range(10_000)],
    "t": "ab" * 40_000,
    "h": HUGE,
    "h2": HUGE[:-1] + "b",
    "w": ["palabra"] * 50_000,
    "ten": list(range(10)),
    "m": {str(i): i for i in range(50_000)},
    "control": "\x01" * 900_000,
    "cycle": CYCLE,
    "deep": DEEP,
}

REFUSED = {
    "nested map": "l.map(a, l.map(b, l.map(c, c)))",
    "nested map over little": "ten.map(a, ten.map(b, ten.map(c, ten.map(d, ten.map(e, ten.map(f, a + f))))))",
    "nested all": "l.all(a, l.all(b, a + b >= 0))",
    "absorbed errors": "l.exists(a, a.nope == 1)",
    "absorbed types": "l.all(a, 1)",
    "nested absorbed errors": "l.exists(a, l.exists(b, 1 / 0 == 1))",
    "absorbed errors at depth": "l.exists(a, " + "[1].exists(b, " * 20 + "a.x" + ")" * 21,
    "string doubling": "['aaaaaaaaaaaaaaaa']" + ".map(x, x + x)" * 40,
    "list doubling": "[[1, 1, 1, 1, 1, 1, 1, 1]]" + ".map(x, x + x)" * 40,
    "20,000 terms": "+".join(["1"] * 20_000),
    "900 terms": "+".join(["1"] * 900),
    "parentheses": "(" * 2000 + "1" + ")" * 2000,
    "lists in lists": "[" * 2000 + "]" * 2000,
    "maps in maps": '{"a":' * 600 + "1" + "}" * 600,
    "ternaries": "true ? 1 : " * 340 + "1",
    "minus signs": "-" * 4000 + "1",
    "bangs": "!" * 4000 + "true",
    "dots": "a" + ".a" * 1500,
    "patterns": 't.matches("(.{0,100}){3}x")',
    "patterns in a loop": 'l.all(i, "abababababababab".matches("(a?b?){100}x") || true)',
    "compiling patterns": 'l.all(i, "x".matches("(.{0,50}){3}" + string(i)) || true)',
    "refused patterns": r'l.all(i, "x".matches("(\\pL{100}){10}" + string(i)) || true)',
    "repeated repetitions": '"x".matches("((((a{30}){30}){30}){30}){30}")',
    "text as pattern": "t.matches(t)",
    "dunder field": '"".__class__.__mro__',
    "dunder method": "l.__len__()",
    "dunder index": 'l["__class__"]',
    "dunder of a map": "m.__class__.__base__.__subclasses__()",
    "huge literal": "1e999999",
    "huge product": "1e400 * 1e400",
    "tiny quotient": "1e-400 / 1e400",
    "long decimals": "l.map(i, string(1e-400))",
    "decimal loop": "l.map(i, (1.1 + i) / 3.7 * 1.3)",
    "impossible remainders": "l.exists(i, 1e400 % 3.7 == 1.0)",
    "integer overflow": "9223372036854775807 * 9223372036854775807",
    "long integer": "9" * 4000,
    "number in a long text": "double(h) + int(h)",
    "replace amplification": 't.replace("", t)',
    "replace chain": '"aaaaaaaaaa"' + '.replace("a", "aaaaaaaaaa")' * 20,
    "replace in a long text": 'h.replace("á", "b")',
    "split on empty": 'h.split("")',
    "split into many": 't.split("a")',
    "join amplification": "w.join(t)",
    "join in a loop": 'ten.map(i, w.join(","))',
    "search in a loop": 'l.all(i, !h.contains("ááááááááááááááááb"))',
    "long comparison": "l.all(i, h != h2 && h2 < h)",
    "substrings": 'l.all(i, h.substring(1, 10) != "")',
    "equality of data": "rows == rows2",
    "membership": "l.all(i, !(-1 in l))",
    "long keys": "l.all(i, !(h in m))",
    "keys of a map": "m.all(k, m.all(j, true))",
    "copies of data": "ten.map(a, rows)",
    "copies of text": "ten.map(a, h)",
    "cycle": "cycle",
    "cycle equality": "cycle == cycle",
    "deep data": "deep",
    "small maps": 'l.map(i, {"a": {"b": {"c": {}}}})',
    "timestamps": 'l.map(i, timestamp("2024-01-01T00:00:00Z") + duration("1h30m15.5s"))',
    "wrong timestamps": 'l.exists(i, timestamp("2024-99-01T00:00:00Z") == 1)',
    "zones": 'l.map(i, timestamp(i).getHours("Europe/Madrid"))',
    "wrong zones": 'l.exists(i, timestamp(i).getHours("Europe/X" + string(i)) == 1)',
    "absurd duration": 'duration("99999999999999999h")',
    "filter": "rows.filter(r, r.f > 5.5 && r.n >= 0 && r.t != '')",
    "quotes": '"' * 4000,
    "braces": "{{" * 2000,
    "backslashes": '"' + "\\" * 4001,
    "comment": "//" * 2000,
}

REFUSED_TEMPLATES = {
    "control characters as JSON": "x {{ [control] }}",
    "long text": "x {{ h }}",
    "data as JSON": "x {{ rows }}",
    "many expressions": "{{1}}" * 13_000,
    "openings": "{{" * 30_000,
    "open quote": "{{ '''" + "a" * 60_000,
    "comments": "{{ 1 // }}" * 5000,
    "braces": "{{" + "{" * 60_000,
    "blanks": "{{ a" + " " * 60_000 + "}}",
    "cycle": "x{{ cycle }}",
    "too long": "{{ 1 }}" + "a" * 70_000,
}

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
def test_an_attack_is_refused_soon(act, text):
    started = time.process_time()
    with pytest.raises(ExpressionError) as caught:
        act(text)
    assert time.process_time() - started < MAX_SECONDS
    assert caught.value.column > 0


@pytest.mark.parametrize(("source", "expected"), HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_an_attack_has_a_value(source, expected):
    assert attempt(source) == expected


def test_no_attack_takes_much_memory():
    taken = {}
    for case in ATTACKS:
        act, text = case.values
        tracemalloc.start()
        with pytest.raises(ExpressionError):
            act(text)
        taken[case.id] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert {name: peak for name, peak in taken.items() if peak > MAX_MEMORY} == {}


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
