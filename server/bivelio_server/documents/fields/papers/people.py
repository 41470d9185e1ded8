"""The parties of a contract or a deed: names that stand before their tax ids in the running text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stdnum.es import nif

from bivelio_server.documents.fields.flow import Flow
from bivelio_server.documents.fields.found import CHECK_DIGIT, LABEL_WEAK, SHAPE, Found, Tree, doubted, found
from bivelio_server.documents.fields.names import agrees, legal_form

_ID: Final = re.compile(
    r"(?<![a-z0-9])([a-z]-?\d{2}[. ]?\d{3}[. ]?\d{2}[0-9a-j]|[xyz]-?\d{7}-?[a-z]"
    r"|\d{2}[. ]?\d{3}[. ]?\d{3}[- ]?[a-z])(?![a-z0-9])"
)
_TITLE: Final = r"(?:d\.|don|dna\.|dona|d\.a|do\.a|dn\.|sr\.|sra\.|mr\.?|mrs\.?|ms\.?)"
_PERSON: Final = re.compile(
    rf"(?<![a-z]){_TITLE}\s+([a-z'·-]+(?:\s[a-z'·-]+){{1,5}}?)(?=\s?,|\s+con\s|\s+mayor|\s+provist|\s+titular|\s+\("
    rf"|\s+en\s|\s+holder|\s+with|\.)"
)
_COMPANY: Final = re.compile(
    r"(?:(?<=[,.:;(])|(?<=\bde )|(?<=\bde la )|(?<=\bmercantil )|(?<=\bsociedad )"
    r"|(?<=\bparte ))\s*([^,.:;()]{3,70}?)\s*,?\s*$"
)
#: What a company is called before its name; "Sociedad Cooperativa Sol" begins with its own.
_CALLED: Final = re.compile(
    r"(?:(?:la|el|una)\s+)?(?:(?:compania|sociedad)\s+)?(?:mercantil|sociedad|entidad|empresa|compania|company)\s+"
    r"(?!anonima|limitada|cooperativa|civil|de\b)"
)
_REACH: Final = 420
#: Where one party ends and the next begins.
_PARTS: Final = re.compile(
    r"\bde una parte\b|\b(?:y )?(?:de|por) (?:la )?otra(?: parte)?\b|\bon the one (?:hand|part)\b"
    r"|\bon the other (?:hand|part)\b"
    r"|\bcomparecen?\b|\bd'una part\b|\bd'altra(?: part)?\b|\bde outra parte\b"
)
_END: Final = re.compile(
    r"\bmanifiestan\b|\bexponen\b|\bestipulaciones\b|\bclausulas\b|\bintervienen\b"
    r"|\brecitals\b|\bexposen\b"
)


@dataclass(frozen=True, slots=True)
class Named:
    name: Found | None
    nif: Found
    company: bool
    part: int

    def tree(self) -> Tree:
        return {"name": self.name, "nif": self.nif}


def parties(running: Flow) -> list[Named]:
    """One for each part of the head: its company, where somebody acts for one, else its person. Where the text names no
    parts, everybody whose tax id holds."""
    end = _END.search(running.plain)
    stop = end.start() if end else len(running.plain)
    everybody = list(_everybody(running, stop)) or list(_everybody(running, len(running.plain)))
    parts: dict[int, list[Named]] = {}
    for one in everybody:
        parts.setdefault(one.part, []).append(one)
    if len(parts) < 2:
        return everybody
    return [next((one for one in part if one.company), part[0]) for part in parts.values()]


def _everybody(running: Flow, stop: int) -> Iterator[Named]:
    seen: set[str] = set()
    begin = 0
    for match in _ID.finditer(running.plain, 0, stop):
        number = re.sub(r"[^a-z0-9]", "", match[1]).upper()
        if number in seen or not nif.is_valid(number):
            continue
        seen.add(number)
        company = not number[0].isdigit() and number[0] not in "XYZKLM"
        name = _name(running, max(begin, match.start() - _REACH), match.start(), number, company=company)
        begin = match.end()
        parts = len(_PARTS.findall(running.plain, 0, match.start()))
        yield Named(
            name, found(number, running.span(*match.span(1)), CHECK_DIGIT, SHAPE, verified=True), company, parts
        )


def _name(running: Flow, start: int, end: int, number: str, *, company: bool) -> Found | None:
    return _company_name(running, start, end, number) if company else _person_name(running, start, end)


def _person_name(running: Flow, start: int, end: int) -> Found | None:
    matches = list(_PERSON.finditer(running.plain, start, end))
    if not matches:
        return None
    span = running.span(*matches[-1].span(1))
    return found(span.text, span, 0.75, 0.5 if len(matches) == 1 else 0.0)


def _company_name(running: Flow, start: int, end: int, number: str) -> Found | None:
    """The last words before the id that end in a legal form."""
    for stop in sorted({at + offset for at, offset in _forms(running.plain, start, end)}, reverse=True):
        match = _COMPANY.search(running.plain[start:stop].rstrip())
        begin = start + match.start(1) if match else None
        form = re.search(
            r"(?:mercantil|sociedad|entidad|empresa|compania|representacion de(?: la)?"
            r"|company)\s+(?=[^,;:]*$)",
            running.plain[start:stop],
        )
        if form is not None and (begin is None or start + form.end() > begin):
            begin = start + form.end()
        form_start = re.search(r"[^,;:()]{3,70}?,?\s*\S+$", running.plain[start:stop])
        if begin is None and form_start is not None:
            begin = start + form_start.start()
        if begin is None or stop - begin > 90:
            continue
        called = _CALLED.match(running.plain, begin, stop)
        begin = called.end() if called else begin
        span = running.span(begin, stop)
        checks = [LABEL_WEAK, 0.5] + ([0.7] if agrees(running.plain[begin:stop], number) else [])
        item: Found | None = found(span.text.strip(" ,"), span, *checks)
        return item if agrees(running.plain[begin:stop], number) is not False else doubted(item, 0.5)
    return None


def _forms(plain: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start
    while (form := legal_form(plain[position:end])) is not None and form[0] > 0:
        yield position, form[0]
        position += form[0]
