"""What the guide's examples leave open: the edges of each function, and how it refuses what does not fit."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bivelio_server.workflows.expressions import EvaluationError, LimitError, evaluate, parse
from bivelio_server.workflows.expressions.conventions import Conventions

VARIABLES = {
    "now": datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
    "rows": [{"n": 2, "t": "b"}, {"n": 1, "t": "b"}, {"n": 3, "t": None}],
    "empty": {},
}
MADRID = Conventions("Europe/Madrid")


def value(source, conventions=MADRID):
    return evaluate(parse(source), VARIABLES, conventions)


def exactly(result, expected):
    return type(result) is type(expected) and str(result) == str(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("round(2.5)", Decimal(3)),
        ("round(-2.5)", Decimal(-3)),
        ("round(2.345, 2)", Decimal("2.35")),
        ("round(10.5, 3)", Decimal("10.500")),
        ("round(7, 2)", 7),
        ("round(1249, -2)", 1200),
        ("round(1e30, 10)", Decimal("1E+30")),
        ("round(0.30000000000000004, 2)", Decimal("0.30")),
        ("math.ceil(-1.2)", Decimal(-1)),
        ("math.floor(7)", 7),
        ("sum([])", 0),
        ("[0.1, 0.2].sum()", Decimal("0.3")),
        ("sum([duration('1h'), duration('90m')])", "9000s"),
        ("avg([1, 2, 2])", Decimal("1.666666666666666666666666666666667")),
        ("min('b', 'a')", "a"),
        ("[now, now + duration('1s')].max()", "2026-03-29T00:30:01Z"),
        ("[3, 1.5, 2].sort()", [Decimal("1.5"), 2, 3]),
        ("rows.sortBy(r, r.t == null ? '' : r.t).map(r, r.n)", [3, 2, 1]),
        ("[1, 1.0, true, '1', [1], [1.0], {'a': 1}, {'a': 1.0}, null].distinct()", [1, True, "1", [1], {"a": 1}, None]),
        ("[[1, [2, [3]]]].flatten(9)", [1, 2, 3]),
        ("[1].flatten()", [1]),
        ("lists.range(-1)", []),
        ("[].first()", None),
        ("sets.contains([], [])", True),
        ("{'a': 1, 'b': 2}.merge({'b': 3})", {"a": 1, "b": 3}),
        ("[[1], [1.0]].indexOf([1.0])", 0),
        ("[1, 2, 1].lastIndexOf(1)", 2),
        ("[1].lastIndexOf(2)", -1),
        ("'abc'.lastIndexOf('')", 3),
        ("'İ'.lower() + 'ß'.upper()", "i̇SS"),
        ("'a'.padStart(1) + 'ab'.padEnd(1)", "aab"),
        ("'abc'.truncate(3) + 'abcd'.truncate(3, '')", "abcabc"),
        ("urlEncode('/?&=ñ~-_.')", "%2F%3F%26%3D%C3%B1~-_."),
        ("'%s'.format([rows])", "[{n: 2, t: b}, {n: 1, t: b}, {n: 3, t: null}]"),
        ("'%.0f %.1f'.format([2.5, 0.05])", "3 0.1"),
        ("'%.2f'.format([-0.001])", "0.00"),
        ("'%s'.format([1e400]).size()", 401),
        ("regex.extract('abc', 'z')", None),
        ("regex.extract('abc', 'a(z)?')", None),
        ("regex.extractAll('áéí', '.')", ["á", "é", "í"]),
        ("regex.extractAll('ab', '')", ["", "", ""]),
        ("regex.replace('ab', '', '-')", "-a-b-"),
        ("regex.replace('aaa', 'a', 'b', 2)", "bba"),
        ("regex.replace('x-y', '(.)-(.)', r'\\2\\\\\\1\\0')", "y\\xx-y"),
        ("json.encode([1.50, 'ñ\"', null, now])", '[1.50,"ñ\\"",null,"2026-03-29T00:30:00Z"]'),
        ("json.decode(json.encode(rows)) == rows", True),
        ("json.encode(optional.none())", "null"),
        ("coalesce(null, optional.of(null), optional.none())", None),
        ("empty.?a.?b.c.d", None),
        ("rows[2].t.?x.orValue('none')", "none"),
        ("rows.transformMapEntry(i, r, i > 0, {string(i): r.n})", {"1": 1, "2": 3}),
        ("rows.groupBy(r, coalesce(r.t, '')).transformMap(k, v, size(v))", {"b": 2, "": 1}),
    ],
)
def test_the_edges_of_functions(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # The clocks go forward at 01:00 UTC on this day.
        ("date(now)", "2026-03-29"),
        ("date(now, 'UTC')", "2026-03-29"),
        ("date('2026-03-28T23:30:00Z')", "2026-03-29"),
        ("date('2026-03-28')", "2026-03-28"),
        ("now.addDays(1)", "2026-03-29T23:30:00Z"),
        ("now.addDays(1, 'UTC')", "2026-03-30T00:30:00Z"),
        ("now.addDays(-29).addMonths(1, 'UTC')", "2026-03-28T00:30:00Z"),
        ("now.startOf('day')", "2026-03-28T23:00:00Z"),
        ("now.endOf('day')", "2026-03-29T21:59:59Z"),
        ("now.startOf('week', 'UTC')", "2026-03-23T00:00:00Z"),
        ("'2026-03-29'.startOf('week') + '/' + '2026-03-29'.endOf('week')", "2026-03-23/2026-03-29"),
        ("'2026-12-31'.startOf('quarter') + '/' + '2026-01-01'.endOf('year')", "2026-10-01/2026-12-31"),
        ("timestamp('2026-03-29 02:30', 'Europe/Madrid')", "2026-03-29T01:30:00Z"),
        ("timestamp('2026-10-25T02:30:00', 'Europe/Madrid')", "2026-10-25T00:30:00Z"),
        ("timestamp('2026-10-25T01:30:00Z').addDays(0)", "2026-10-25T01:30:00Z"),
        ("'2024-02-29'.addYears(-1)", "2023-02-28"),
        ("'2026-01-31'.addMonths(-2)", "2025-11-30"),
        ("'2026-12-31'.addMonths(2)", "2027-02-28"),
        ("'2026-04-03'.addWorkdays(1)", "2026-04-06"),
        ("'2026-04-04'.addWorkdays(-1, ['2026-04-03'])", "2026-04-02"),
        ("'2026-04-04'.addWorkdays(0)", "2026-04-04"),
        ("daysBetween('2026-03-28T23:30:00Z', '2026-03-29')", 0),
        ("daysBetween('2026-03-28T23:30:00Z', '2026-03-29', 'UTC')", 1),
        ("'2026-03-29'.getDayOfWeek() + '2026-03-29T00:30:00Z'.getMinutes()", 30),
        ("formatDate('0099-01-02', 'yy yyyy y')", "99 0099 99"),
        ("formatDate(now, 'h:mm a', 'en', 'UTC') + formatDate(now, 'H', 'es', 'UTC')", "12:30 AM0"),
        ("formatDate(now, \"'it''s' ''\")", "it's '"),
        (
            "parseDate('29 sept 2026', 'd MMM yyyy') + parseDate('May 1, 2026', 'MMM d, yyyy', 'en')",
            "2026-09-292026-05-01",
        ),
        ("parseDate('2026', 'yyyy')", "2026-01-01"),
    ],
)
def test_days_are_counted_as_a_calendar_does(source, expected):
    assert exactly(value(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("formatNumber(1234567.5)", "1.234.567,5"),
        ("formatNumber(-1234.5, null, 'en')", "-1,234.5"),
        ("formatNumber(-0.4, 0)", "0"),
        ("formatNumber(1e20)", "100.000.000.000.000.000.000"),
        ("formatMoney(0.005)", "0,01\u00a0€"),
        ("formatMoney(-5)", "-5,00\u00a0€"),
        ("formatMoney(1234.567, 'KWD', 'en')", "KWD\u00a01,234.567"),
        ("formatMoney(-5, 'USD', 'en') + formatMoney(5, 'USD')", "-$5.005,00\u00a0US$"),
        ("formatMoney(5, 'JPY', 'en') + formatMoney(5, 'XAU')", "¥55\u00a0XAU"),
        ("parseNumber('1234,5')", Decimal("1234.5")),
        ("parseNumber('-1.234')", Decimal(-1234)),
        ("parseNumber('EUR 12', 'en') + parseNumber('−$1,000.5', 'en')", Decimal("-988.5")),
    ],
)
def test_numbers_are_written_and_read_as_people_do(source, expected):
    result = value(source)
    assert result == expected
    assert type(result) is type(expected)


def test_the_settings_of_an_organisation_count_where_nothing_is_named():
    source = parse("[date(now), formatMoney(1), formatDate(now, 'long'), string(now.getHours())]")
    assert evaluate(source, VARIABLES) == ["2026-03-29", "1,00\u00a0€", "29 de marzo de 2026", "0"]
    there = Conventions(timezone="America/New_York", locale="en", currency="USD")
    assert evaluate(source, VARIABLES, there) == ["2026-03-28", "$1.00", "March 28, 2026", "0"]


@pytest.mark.parametrize(
    ("source", "column", "word"),
    [
        ("round('a')", 1, "string"),
        ("round(1.5, 99)", 1, "34"),
        ("rows.sum()", 6, "map"),
        ("[1, 'a'].sort()", 10, "int, string"),
        ("[].max()", 4, "empty"),
        ("avg([])", 1, "empty"),
        ("rows.sortBy(r, r)", 6, "map"),
        ("rows.groupBy(r, r.n)", 6, "int"),
        ("rows.transformMap(k, v, v)", 6, "int"),
        ("[{}].transformMapEntry(i, r, {i: i})", 30, "int"),
        ("rows.transformMapEntry(i, r, {'k': i})", 6, "repeated"),
        ("math.sqrt(-1)", 6, "negative"),
        ("[1].slice(0, 2)", 5, "1 items"),
        ("[1].flatten(-1)", 5, "zero or more"),
        ("optional.none().value()", 17, "empty"),
        ("[?1]", 1, "int"),
        ("{?'a': 1}", 1, "int"),
        ("1.orValue(2)", 3, "int"),
        ("rows[0].n.?x", 12, "int"),
        ("cel.bind(x, 1 / 0, x + 1)", 15, "zero"),
        ("'%z'.format([])", 6, "“%z”"),
        ("'%d'.format(['a'])", 6, "string"),
        ("'%s %s'.format([1])", 9, "Value 2"),
        ("'%.101f'.format([1])", 10, "100"),
        ("'a'.padStart(3, '')", 5, "single"),
        ("'abc'.truncate(0)", 7, "0 characters"),
        ("regex.extract('a', '(a)(b)')", 7, "group"),
        ("regex.replace('a', 'a', r'\\1')", 7, "group"),
        ("regex.replace('a', '(', '')", 7, "RE2"),
        ("json.decode('{\"a\":}')", 6, "JSON"),
        ('json.decode(\'{"a":1,"a":2}\')', 6, "repeated"),
        (r"json.decode('\"\\ud800\"')", 6, "surrogate"),
        ("date('tomorrow')", 1, "timestamp"),
        ("'2026-02-30'.addDays(1)", 14, "date"),
        ("now.addDays(9999999)", 5, "out of range"),
        ("now.addMonths(9223372036854775807)", 5, "out of range"),
        ("now.startOf('fortnight')", 5, "quarter"),
        ("now.addDays(1, 'Mars')", 5, "time zone"),
        ("timestamp('9 am', 'UTC')", 1, "date"),
        ("formatDate(now, 'dd/mmm')", 1, "“mmm”"),
        ('formatDate(now, "\'open")', 1, "open"),
        ("formatDate(now, '')", 1, "short"),
        ("formatDate(now, 'short', 'fr')", 1, "es"),
        ("formatMoney(1, 'euros')", 1, "EUR"),
        ("formatNumber(1, 101)", 1, "100"),
        ("parseNumber('1.23,4')", 1, "number"),
        ("parseNumber('doce')", 1, "number"),
        ("parseDate('31/02/2026', 'dd/MM/yyyy')", 1, "date"),
        ("parseDate('1/2/2026 ', 'd/M/yyyy')", 1, "date"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(source, column, word):
    with pytest.raises(EvaluationError) as caught:
        value(source)
    assert caught.value.column == column
    assert word in caught.value.message_en
    assert caught.value.message_es
    assert caught.value.message_es != caught.value.message_en


def test_long_texts_and_days_are_beyond_the_limits():
    for source in ("'a'.padEnd(9223372036854775807)", "lists.range(99999999)", "now.addWorkdays(99999999)"):
        with pytest.raises(LimitError):
            value(source)
