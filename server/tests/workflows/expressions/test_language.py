"""What each construct of the language answers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bivelio_server.workflows.expressions import EvaluationError, ExpressionSyntaxError, LimitError, evaluate, parse

VARIABLES = {
    "input": {"plan": "pro", "total": 150.5, "count": 3, "my-key": "x", "none": None, "import": 1},
    "rows": [{"n": 1, "name": "Ana"}, {"n": 2, "name": "Luis"}],
    "now": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
    "wait": timedelta(minutes=90),
}


def value(source):
    return evaluate(parse(source), VARIABLES)


def exactly(result, expected):
    return type(result) is type(expected) and str(result) == str(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", 1),
        ("0xFf", 255),
        ("-9223372036854775808", -9223372036854775808),
        ("1.50", Decimal("1.50")),
        (".5", Decimal("0.5")),
        ("1e3", Decimal("1E+3")),
        ("true", True),
        ("null", None),
        ("'it\\'s'", "it's"),
        (r'"\x41\u00f1\U0001F600\101\n\?"', "Añ😀A\n?"),
        (r"r'\n'", "\\n"),
        ('"""a\n"b"""', 'a\n"b'),
        ("'''a\n'b'''", "a\n'b"),
        ('""', ""),
        ("[1, 'a', [], ]", [1, "a", []]),
        ("{'a': 1, 'b': {},}", {"a": 1, "b": {}}),
        ("1 // one\n + 1", 2),
    ],
)
def test_literals(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("0.1 + 0.2", Decimal("0.3")),
        ("input.total * 2", Decimal("301.0")),
        ("10 / 4.0", Decimal("2.5")),
        ("1 / 3.0", Decimal("0." + "3" * 34)),
        ("5.5 % 2", Decimal("1.5")),
        ("- -1", 1),
        ("-(1.5)", Decimal("-1.5")),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
    ],
)
def test_arithmetic_is_exact_and_truncates(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 == 1.0", True),
        ("1 < 1.5", True),
        ("true == 1", False),
        ("1 != true", True),
        ("null == null", True),
        ("'a' < 'b'", True),
        ("false < true", True),
        ("[1, {'a': 2}] == [1.0, {'a': 2.0}]", True),
        ("{'a': 1} == {'b': 1}", False),
        ("[true] == [1]", False),
        ("3 >= 3", True),
        ("2 <= 1", False),
        ("2 in [1, 2.0]", True),
        ("'plan' in input", True),
        ("1 in input", False),
        ("!true", False),
        ("1 < 2 == true", True),
        ("input.plan == 'pro' && input.total > 100", True),
        ("false || input.plan == 'x'", False),
        ("input.count > 2 ? 'many' : 'few'", "many"),
        ("false ? 1 : true ? 2 : 3", 2),
    ],
)
def test_conditions(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.nope == 1 || true", True),
        ("true || input.nope == 1", True),
        ("input.nope == 1 && false", False),
        ("1 && false", False),
        ("[1, 0].all(x, 1 / x > 5)", False),
        ("[0, 2].exists(x, 1 / x == 0)", True),
        ("[1, true].exists(x, x)", True),
    ],
)
def test_a_failed_clause_counts_only_when_no_other_settles(source, expected):
    assert value(source) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input['my-key']", "x"),
        ("input.import", 1),
        ("rows[1].name", "Luis"),
        ("rows[0.0].n", 1),
        ("has(input.plan)", True),
        ("has(input.nope)", False),
        ("has(input.none)", True),
        ("rows.map(r, r.n * 10)", [10, 20]),
        ("rows.map(r, r.n > 1, r.name)", ["Luis"]),
        ("rows.filter(r, r.name.startsWith('A'))[0].n", 1),
        ("rows.all(r, r.n > 0)", True),
        ("rows.exists(r, r.n == 2)", True),
        ("rows.exists_one(r, r.n > 0)", False),
        ("[].all(x, x)", True),
        ("{'a': 1, 'b': 2}.filter(k, {'a': 1, 'b': 2}[k] > 1)", ["b"]),
        ("[[1, 2], [3]].map(x, x.map(x, x + 1))", [[2, 3], [4]]),
        ("[1].map(input, input)[0] + input.count", 4),
    ],
)
def test_data_and_macros(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("size('año') + [1].size() + size({'a': 1})", 5),
        ("'hola'.contains('ol')", True),
        ("'hola'.endsWith('la')", True),
        ("'abc123'.matches('^[a-z]+[0-9]+$')", True),
        ("matches('abc', 'b')", True),
        ("'ÑandÚ Á'.lowerAscii()", "ÑandÚ Á"),
        ("'ñandú'.upperAscii()", "ñANDú"),
        (r"' \u00a0a\t'.trim()", "a"),
        ("'banana'.replace('a', 'o')", "bonono"),
        ("'banana'.replace('a', 'o', 2)", "bonona"),
        ("'ab'.replace('', '-')", "-a-b-"),
        ("'a,b,c'.split(',')", ["a", "b", "c"]),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'a,b,c'.split(',', 0)", []),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'abc'.split('', 2)", ["a", "bc"]),
        ("''.split('')", [""]),
        ("['a', 'b'].join('-') + [].join()", "a-b"),
        ("'abcdef'.substring(2) + 'abc'.substring(0, 1)", "cdefa"),
        ("int('-42') + int(1.9) + int(-1.9)", -42),
        ("double('1.10')", Decimal("1.10")),
        ("double(2)", Decimal(2)),
        ("string(1.50) + string(7) + string(true) + string('x')", "1.507truex"),
        ("string(1e20)", "100000000000000000000"),
        ("string(0.0 * -1)", "0.0"),
        ("bool('true')", True),
    ],
)
def test_functions(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("now", "2026-03-01T08:30:00Z"),
        ("wait", "5400s"),
        ("now + wait", "2026-03-01T10:00:00Z"),
        ("now - duration('24h')", "2026-02-28T08:30:00Z"),
        ("now - timestamp('2026-03-01T07:30:00+01:00')", "7200s"),
        ("timestamp('2026-01-01T00:00:00.5Z')", "2026-01-01T00:00:00.500Z"),
        ("string(duration('-1m0.25s'))", "-60.250s"),
        ("duration('1.5h') > duration('89m')", True),
        ("timestamp(0)", "1970-01-01T00:00:00Z"),
        ("int(timestamp('2024-01-01T00:00:00Z'))", 1704067200),
        ("now.getFullYear()", 2026),
        ("now.getMonth()", 2),
        ("now.getDate()", 1),
        ("now.getDayOfMonth()", 0),
        ("now.getDayOfWeek()", 0),
        ("now.getDayOfYear()", 59),
        ("now.getHours('+05:30')", 14),
        ("now.getHours('Europe/Madrid')", 9),
        ("now.getMinutes()", 30),
        ("now.getSeconds() + now.getMilliseconds()", 0),
        ("duration('3661.5s').getHours()", 1),
        ("duration('3661.5s').getMinutes()", 61),
        ("duration('3661.5s').getMilliseconds()", 500),
    ],
)
def test_times(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "column", "word"),
    [
        ("inptu.plan", 1, "inptu"),
        ("input.nope", 7, "nope"),
        ("1 + 'a'", 3, "int, string"),
        ("1 + 'a'", 3, "To join texts"),
        ("'a'.length", 5, "type string"),
        ("input.none.x", 12, ".?x"),
        ("rows[2]", 5, "position 2"),
        ("input.plan.x", 12, ".x"),
        ("input.none.x", 12, "null"),
        ("1 / 0", 3, "zero"),
        ("1 % 0.0", 3, "zero"),
        ("9223372036854775807 + 1", 21, "64 bits"),
        ("-9223372036854775808 / -1", 22, "64 bits"),
        ("-(-9223372036854775808)", 1, "64 bits"),
        ("1 ? 2 : 3", 3, "int"),
        ("true && 1", 6, "&&"),
        ("!1", 1, "!"),
        ("'a'.matches('(')", 5, "RE2"),
        ("'a'.substring(2)", 5, "range"),
        ("int('x')", 1, "“x”"),
        ("string(null)", 1, "null"),
        ("{1: 2}", 1, "int"),
        ("{'a': 1, 'a': 2}", 1, "repeated"),
        ("[1, 2].join(',')", 8, "list"),
        ("timestamp('2026-02-30T00:00:00Z')", 1, "timestamp"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1h')", 35, "out of range"),
        ("duration('1 day')", 1, "duration"),
        ("now.getHours('Mars/Olympus')", 5, "time zone"),
        ("now.getHours('../../etc/passwd')", 5, "time zone"),
        ("has(input.nope.x)", 11, "nope"),
        ("has(rows.x)", 10, "list"),
        ("[0, 2].exists_one(x, 1 / x == 0)", 24, "zero"),
        ("1e300 * 1e300", 7, "range"),
    ],
)
def test_data_that_do_not_fit_are_refused_where_they_fail(source, column, word):
    expression = parse(source)
    with pytest.raises(EvaluationError) as caught:
        evaluate(expression, VARIABLES)
    assert caught.value.column == column
    assert word in caught.value.message_en
    assert caught.value.message_es
    assert caught.value.message_es != caught.value.message_en


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("", 1),
        ("   ", 4),
        ("1 +", 4),
        ("(1", 3),
        ("1 2", 3),
        ("'abc", 1),
        ("a b", 3),
        ("a.'b'", 3),
        ("a.true", 3),
        ("import", 1),
        ("nope(1)", 1),
        ("'a'.nope()", 5),
        ("size()", 1),
        ("'a'.split()", 5),
        ("has()", 1),
        ("has(a)", 1),
        ("has(a['b'])", 1),
        ("a.all(x)", 3),
        ("a.all(1, true)", 3),
        ("12abc", 1),
        ("1u", 1),
        ("9223372036854775808", 1),
        ("1e999999", 1),
        (r"'\q'", 1),
        (r"'\ud800'", 1),
        (r"'\u0000'", 1),
        ("'\ud800'", 2),
        ("b'a'", 2),
        ("-!true", 2),
        ("a ? b", 6),
        ("[1", 3),
        ("{'a' 1}", 6),
        ("#", 1),
        ("a = 1", 3),
    ],
)
def test_text_that_is_no_expression_is_refused_where_it_breaks(source, column):
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)
    assert caught.value.column == column
    assert caught.value.message_es
    assert caught.value.message_en


@pytest.mark.parametrize(
    ("source", "hinted"),
    [
        ("input.a = 1", "“==”"),
        ("input.a and true", "“&&”"),
        ("input.a | upper", "functions follow a dot"),
        ("“a”", "straight quotes"),
        ("len(input.a)", "write size(…)"),
        ("formatmoney(1)", "write formatMoney(…)"),
        ("contains('a', 'b')", "write x.contains(…)"),
        ("input.a.toUpperCase()", "write upper(…)"),
        ("input.año", "input['año']"),
        ("if(a, b, c)", "condition ? value : other"),
    ],
)
def test_the_habits_of_other_languages_get_a_hint(source, hinted):
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)
    assert hinted in caught.value.message_en


@pytest.mark.parametrize("source", ["'" + "ñ" * 2048 + "'", "(" * 51 + "1" + ")" * 51, "+".join(["1"] * 60)])
def test_sources_beyond_the_limits_are_refused(source):
    with pytest.raises(LimitError):
        parse(source)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (1.1, Decimal("1.1")),
        (1e22, Decimal("1E+22")),
        (Decimal("10.50"), Decimal("10.50")),
        (2**63, Decimal(2**63)),
        ([1.5, {"a": None}], [Decimal("1.5"), {"a": None}]),
    ],
)
def test_numbers_enter_without_losing_digits(raw, expected):
    assert exactly(evaluate(parse("x"), {"x": raw}), expected)


class Sneaky(dict):
    pass


@pytest.mark.parametrize(
    "raw",
    [object(), (1,), {1}, b"a", float("nan"), float("inf"), Decimal("NaN"), Sneaky(a=1), 10**100, datetime(2026, 1, 1)],  # noqa: DTZ001 - a naive timestamp is the case
)
def test_anything_but_plain_data_is_refused(raw):
    with pytest.raises(EvaluationError):
        evaluate(parse("[x]"), {"x": raw})


def test_the_result_is_a_copy():
    data = {"list": [1, {"a": 2}]}
    result = evaluate(parse("list"), data)
    result[1]["a"] = 3
    assert data == {"list": [1, {"a": 2}]}
