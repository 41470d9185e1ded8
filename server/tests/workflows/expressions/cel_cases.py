"""One construct a line, to be answered as Google's CEL does."""

CASES = r"""
1 == 1.0
1 < 1.5
true < false
'a' < 1
null == 1
null < null
[1, 'a'] < [2]
[1, 2] == [1.0, 2]
{'a': 1} == {'a': 1.0}
1 < 2 < 3
1 == 1 == true
-7 / 2
-7 % 3
7 % -3
7 / -2
1 / 0
1 % 0
9223372036854775807 + 1
9223372036854775807 * 2
-9223372036854775808 - 1
-9223372036854775808 / -1
-9223372036854775808 % -1
-(-9223372036854775808)
- 9223372036854775808
9223372036854775808
0xff
1.
.5
1.5e3
--1
!!true
!-1
-!true
-'a'
1 ? 1 : 2
true ? 1 : 2 / 0
(1 / 0 == 0) && false
false && (1 / 0 == 0)
(1 / 0 == 0) || true
(1 / 0 == 0) || false
1 && false
1 || true
1 && true
'a' || false
[1, 0].all(x, 1 / x > 5)
[1, 0].all(x, 1 / x > 0)
[0, 2].exists(x, 1 / x == 0)
[0, 2].exists(x, 1 / x == 9)
[0, 2].exists_one(x, 1 / x == 0)
[1, true].exists(x, x)
[1, 2].all(x, x)
[1].all(x, 'a')
[].all(x, x)
[1, 2].map(x, x > 1, x * 2)
[1, 2].map(x, x, x * 2)
[1, 2].filter(x, 1)
[[1]].map(x, x.map(x, x))
m.map(k, k).size()
m.exists(k, k == 'a')
1.map(x, x)
has(m.a)
has(m.z)
has(m.b.z)
has(m.z.z)
has(i.a)
has(m)
m.import
m.b.c
m.b.c.d
m['a']
m['z']
m.in
m.true
i.a
l[0]
l[3]
l[-1]
l[1.0]
l[1.5]
l['a']
m[1]
1 in l
3.0 in l
'a' in m
1 in m
'a' in 'abc'
1 in 1
[1] + [2]
{'a': 1} + {'b': 2}
'a' + 1
[1, 2,]
{'a': 1,}
{'a': 1, 'a': 2}
[] in m
null in m
1.0 in m
true in m
'a' 'b'
import
unknown
unknown || true
size('ñandú')
size([1, 2])
size({'a': 1})
size(1)
'abc'.size()
s.contains('año')
s.startsWith('hola')
s.endsWith('')
s.contains(1)
'abc'.matches('b')
'abc'.matches('^b')
'abc'.matches('(')
matches('abc', 'b$')
'ñA'.lowerAscii()
'ña'.upperAscii()
' \u00a0a\t\u2003'.trim()
'\u001ca'.trim()
'abc'.substring(1)
'abc'.substring(3)
'abc'.substring(4)
'abc'.substring(2, 1)
'abc'.substring(-1)
'añob'.substring(1, 3)
'abc'.replace('', '-')
'abab'.replace('a', 'x', 1)
'abab'.replace('a', 'x', 0)
'abab'.replace('a', 'x', -1)
'a,b,c'.split(',')
'a,b,c'.split(',', 2)
'a,b,c'.split(',', 0)
'a,b,c'.split(',', 1)
'a,b,c'.split(',', -1)
'abc'.split('')
'abc'.split('', 2)
''.split('')
''.split(',')
words.join()
words.join('-')
[].join('-')
['a', 1].join(',')
int('42')
int('-42')
int('x')
int('9223372036854775808')
int(1.9)
int(-1.9)
int(1e30)
int('1.5')
double('1.5')
double('x')
double(3)
string(1)
string(true)
string('a')
string(null)
string([1])
bool('true')
bool('x')
bool(1)
'\x41\101\u0041\U00000041\?'
'\ud800'
'\q'
r'\n'
R"\n"
'''a'b'''
1//c
timestamp('2024-01-01T00:00:00Z')
timestamp('2024-01-01T00:00:00.123456Z')
timestamp('2024-01-01T00:00:00+02:00')
timestamp('2024-01-01')
timestamp('2024-02-30T00:00:00Z')
timestamp('2024-01-01T24:00:00Z')
timestamp(0)
timestamp(timestamp(5))
int(timestamp('2024-01-01T00:00:00Z'))
string(timestamp('2024-01-01T00:00:00.5Z'))
string(duration('1h1.5s'))
string(duration('-0.25s'))
duration('1d')
duration('0')
duration('')
duration('1.5h')
duration('-1m1s')
duration('1h-1m')
duration('90000000h')
timestamp('2024-01-01T00:00:00Z') + duration('1h')
duration('1h') + timestamp('2024-01-01T00:00:00Z')
timestamp('2024-01-01T00:00:00Z') - duration('1h')
timestamp('2024-01-01T00:00:00Z') - timestamp('2023-01-01T00:00:00Z')
duration('1h') - duration('2h')
duration('1h') * 2
duration('1h') - timestamp(0)
timestamp('9999-12-31T23:59:59Z') + duration('1h')
timestamp(0) < timestamp(1)
duration('1s') < duration('2s')
duration('60s') == duration('1m')
timestamp('2024-02-29T13:45:59.789Z').getFullYear()
timestamp('2024-02-29T13:45:59.789Z').getMonth()
timestamp('2024-02-29T13:45:59.789Z').getDate()
timestamp('2024-02-29T13:45:59.789Z').getDayOfMonth()
timestamp('2024-02-29T13:45:59.789Z').getDayOfWeek()
timestamp('2024-02-29T13:45:59.789Z').getDayOfYear()
timestamp('2024-02-29T13:45:59.789Z').getHours()
timestamp('2024-02-29T13:45:59.789Z').getMinutes()
timestamp('2024-02-29T13:45:59.789Z').getSeconds()
timestamp('2024-02-29T13:45:59.789Z').getMilliseconds()
timestamp('2024-02-29T23:45:59Z').getDate('Europe/Madrid')
timestamp('2024-02-29T13:45:59Z').getHours('-05:30')
timestamp('2024-02-29T13:45:59Z').getHours('Nowhere')
duration('3661.5s').getHours()
duration('3661.5s').getMinutes()
duration('3661.5s').getSeconds()
duration('3661.5s').getMilliseconds()
duration('-3661.5s').getMinutes()
duration('-3661.5s').getMilliseconds()
duration('1h').getFullYear()
'%s'.format(['a'])
'%s %s %s'.format([1, true, null])
'%s'.format([[1, 'a', [null]]])
'%s'.format([{'b': 1, 'a': 'x'}])
'%s'.format([timestamp('2024-01-01T00:00:00Z')])
'%s %s'.format([duration('1h1.5s'), duration('90m')])
'%d'.format([12])
'%d'.format(['a'])
'%f'.format([2.5])
'%f'.format([2])
'%.2f'.format([2.567])
'%.0f'.format([2.6])
'%.2f'.format([12])
'%.f'.format([2.5])
'%.100f'.format([2.5])
'%e'.format([1234.5])
'%.2e'.format([1234.5])
'%e'.format([0.00012])
'%e'.format([5])
'%e'.format([0.0])
'%b %b'.format([5, -5])
'%b'.format([true])
'%x'.format([255])
'%X'.format([-255])
'%x'.format(['hola'])
'%X'.format(['ñ'])
'%o'.format([8])
'%x'.format([1.5])
'%x'.format([true])
'%f'.format(['a'])
'%%'.format([])
'100%'.format([])
'%z'.format([1])
'%s'.format([])
'%s'.format([1, 2])
'%s'.format(1)
'%5d'.format([1])
'%.3d'.format([1])
'ñ%sñ'.format(['ñ'])
math.round(2.5)
math.round(-2.5)
math.round(2.4)
math.round('a')
math.ceil(-1.2)
math.ceil(1.2)
math.floor(-1.2)
math.floor(1.2)
math.trunc(-1.7)
math.trunc(1.7)
math.abs(-1.5)
math.abs(-3)
math.abs(-9223372036854775808)
math.abs('a')
math.sign(-1.5)
math.sign(-3)
math.sign(0)
math.sign(0.0)
math.sqrt(4)
math.sqrt(6.25)
math.sqrt('a')
math.greatest(1)
math.greatest()
math.greatest([1, 2.5])
math.greatest([])
math.greatest(1, 'a')
math.greatest(['a'])
math.greatest(1, 1.0)
math.greatest(1.0, 1)
math.greatest(l)
math.greatest(words)
math.greatest(3, 1, 2)
math.least(1, 1.0)
math.least([3, 1, 2])
math.least(3, 1.5, 2)
math.nope(1)
'abc'.charAt(0)
'abc'.charAt(3)
'abc'.charAt(4)
'abc'.charAt(-1)
'abc'.charAt(1.0)
'añb'.charAt(1)
'abcabc'.indexOf('c')
'abcabc'.indexOf('c', 3)
'abcabc'.indexOf('', 3)
'abcabc'.indexOf('', 6)
'abcabc'.indexOf('', 7)
'abcabc'.indexOf('z')
'abcabc'.indexOf('c', -1)
'abcabc'.indexOf('c', 6)
'abc'.indexOf('abcd')
'abcabc'.lastIndexOf('c')
'abcabc'.lastIndexOf('c', 5)
'abcabc'.lastIndexOf('c', 4)
'abcabc'.lastIndexOf('bc', 1)
'abcabc'.lastIndexOf('')
'abcabc'.lastIndexOf('', 2)
'abcabc'.lastIndexOf('a', -1)
'abcabc'.lastIndexOf('a', 6)
'abcabc'.lastIndexOf('a', 7)
'abcabc'.lastIndexOf('abcabcabc')
''.lastIndexOf('')
'añb'.reverse()
''.reverse()
strings.quote('a\n\t"\\b\a')
strings.quote('ñ')
strings.quote(1)
strings.nope(1)
optional.of(1).hasValue()
optional.none().hasValue()
optional.none().value()
optional.of(1).value()
optional.of(1).or(optional.of(2)).value()
optional.none().or(optional.of(2)).value()
optional.none().or(1)
optional.of(1).orValue(2)
optional.none().orValue(2)
optional.ofNonZeroValue(0).hasValue()
optional.ofNonZeroValue(0.0).hasValue()
optional.ofNonZeroValue('').hasValue()
optional.ofNonZeroValue([]).hasValue()
optional.ofNonZeroValue({}).hasValue()
optional.ofNonZeroValue(null).hasValue()
optional.ofNonZeroValue(false).hasValue()
optional.ofNonZeroValue(duration('0s')).hasValue()
optional.ofNonZeroValue(1).hasValue()
m.?a.value()
m.?z.hasValue()
m.?import.hasValue()
m.?import.orValue(3)
m.?b.c.value()
m.?b.z.hasValue()
m.?z.b.hasValue()
m.?z.b.c.d.orValue('no')
m.?b['c'].value()
m.?l[0].hasValue()
l[?0].value()
l[?5].hasValue()
l[?-1].hasValue()
l[?'a'].hasValue()
m[?'a'].value()
m[?1].hasValue()
i.?a
[?optional.of(1), ?optional.none(), 3]
[?m.?a, ?m.?z]
[?1]
{?'a': optional.of(1), ?'b': optional.none()}
{?'a': m.?a, 'b': 2, ?'c': m.?z}
{?'a': 1}
has(m.?b.c)
has(m.?b.z)
has(m.?z.z)
optional.of(1).optMap(x, x + 1).value()
optional.none().optMap(x, x + 1).hasValue()
optional.of(1).optFlatMap(x, optional.of(x + 1)).value()
optional.of(1).optFlatMap(x, optional.none()).hasValue()
optional.of(1).optMap(x, 1 / 0)
[1].optMap(x, x)
optional.of([1]).map(x, x)
optional.of(1) == optional.of(1)
optional.of(1) == optional.of(1.0)
optional.of(1) == optional.of(2)
optional.of(1) == 1
optional.none() == optional.none()
optional.of(optional.of(1)).value().value()
optional.of(1) + 1
optional.of(1) < optional.of(2)
size(optional.of('a'))
optional.unwrap([optional.of(1), optional.none()])
[optional.of(1), optional.none()].unwrapOpt()
[1].unwrapOpt()
l.first().value()
[].first().hasValue()
l.last().orValue(9)
s.first()
1.orValue(2)
cel.bind(x, 1, x + 1)
cel.bind(x, 1 / 0, 3)
cel.bind(x, 1 / 0, x)
cel.bind(x, 1 / 0, x == 1 || true)
cel.bind(x, 1, cel.bind(x, 2, x) + x)
cel.bind(x, 1)
cel.bind(1, 1, 1)
[1].map(x, cel.bind(y, x, y))
cel.bind(x, [1, 2], x.map(y, y + size(x)))
cel.nope(1)
dyn(1)
dyn([1])
""".strip().splitlines()
