"""Reading elements by their names, whatever namespace a version puts them in."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from lxml import etree
from stdnum.es import nif

#: No amount of money has more.
_MAX_DIGITS: Final = 18


def each(node: etree._Element | None, path: str) -> Iterator[etree._Element]:
    """The elements at a path of local names: `Party/PartyName`. A name alone is that of a child."""
    if node is None:
        return
    first, _, rest = path.partition("/")
    for child in node:
        if isinstance(child.tag, str) and etree.QName(child).localname == first:
            yield from each(child, rest) if rest else (child,)


def one(node: etree._Element | None, *paths: str) -> etree._Element | None:
    """The first element at the first of the paths that leads anywhere."""
    for path in paths:
        for child in each(node, path):
            return child
    return None


def text(node: etree._Element | None, *paths: str) -> str | None:
    for path in paths:
        for child in each(node, path):
            if value := content(child):
                return value
    return None


def content(node: etree._Element) -> str:
    return " ".join("".join(str(part) for part in node.itertext()).split())


def number(node: etree._Element | None, *paths: str) -> Decimal | None:
    value = text(node, *paths)
    if value is None or not re.fullmatch(rf"[+-]?[0-9.]{{1,{_MAX_DIGITS}}}", value):
        return None
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def day(node: etree._Element | None, *paths: str) -> str | None:
    """An ISO date; CII writes 20260401."""
    value = text(node, *paths)
    if value is None:
        return None
    compact = re.sub(r"\D", "", value)[:8]
    try:
        return date(int(compact[:4]), int(compact[4:6]), int(compact[6:8])).isoformat()
    except ValueError:
        return None


def tax_id(value: str | None) -> str | None:
    """Compact; Spanish ones without their ES."""
    if value is None:
        return None
    compact = re.sub(r"[-. /]", "", value).upper()
    return compact[2:] if compact.startswith("ES") and nif.is_valid(compact[2:]) else compact


def iban(value: str | None) -> str | None:
    return None if value is None else value.replace(" ", "").upper()
