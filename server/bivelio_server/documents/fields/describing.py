"""What a document is, in a label and a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from bivelio_server.documents.fields.classifying import guess
from bivelio_server.documents.fields.document import Document, open_document
from bivelio_server.documents.fields.electronic import electronic_invoice
from bivelio_server.documents.fields.extracting import extract
from bivelio_server.documents.fields.results import Classification, Extraction, Plain
from bivelio_server.documents.fields.sentences import WORDS
from bivelio_server.documents.fields.types import TYPES
from bivelio_server.reading.port import Reading

_MAX_SUMMARY: Final = 240
_SAID: Final = 0.5


def classify(reading: Reading, categories: Sequence[str] | None = None) -> Classification:
    """By rules alone, and only among the categories given (all that we know, if none are). The label is None where the
    rules are not sure."""
    document = open_document(reading)
    if electronic_invoice(reading) is not None:
        label = "invoice" if categories is None or "invoice" in categories else None
        # The tags of XML are English, whatever the language of the invoice.
        language = None if reading.text.lstrip("\ufeff \n\r\t").startswith("<") else document.language
        said = summary(extract(reading, "invoice"), replace(document, language=language))
        return Classification(label, 1.0, "electronic", said, language, {"invoice": 1.0})
    made = guess(document, categories)
    likeliest = max(made.scores, key=lambda label: made.scores[label])
    extraction = (
        extract(reading, likeliest, language=document.language)
        if made.label is not None and likeliest in TYPES
        else None
    )
    return Classification(
        made.label, made.confidence, made.subcategory, summary(extraction, document), document.language, made.scores
    )


def summary(extraction: Extraction | None, document: Document) -> str | None:
    """One sentence in the document's language, made of what it says: its title and its surest fields."""
    language = document.language if document.language in WORDS else "es"
    sentence = _SENTENCES.get(extraction.document_type or "") if extraction is not None else None
    if extraction is not None and sentence is not None:
        return sentence(_known(extraction), WORDS[language or "es"])
    return _opening(document)


def _known(extraction: Extraction) -> dict[str, Plain]:
    return {field.path: field.value for field in extraction.fields if field.confidence >= _SAID}


def _invoice(known: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    return _sentence(
        words["invoice"], known.get("invoice_number"), _with(words["of"], known.get("issuer.name")),
        _with(words["to"], known.get("recipient.name")), _with(words["for"], _money(known, "total", words)),
    )  # fmt: skip


def _receipt(known: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    return _sentence(
        words["receipt"], _with(words["of"], known.get("issuer.name")),

        _with(words["date"], known.get("date")),
        _with(words["for"], _money(known, "total", words)),
    )  # fmt: skip


def _contract(known: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    return _sentence(
        words["contract"], _with(words["between"], _people(known, words)),
        _with(words["date"], known.get("date")),
        _with(words["during"], known.get("duration")), _with(words["for"], _money(known, "amount", words)),
    )  # fmt: skip


def _deed(known: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    return _sentence(
        words["deed"], _with(words["number"], known.get("protocol_number")),
        _with(words["before"], known.get("notary")),

        _with(words["date"], known.get("date")), _with(words["between"], _people(known, words)),
    )  # fmt: skip


def _payslip(known: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    net = _with(words["net"], _money(known, "net", words))
    return _sentence(
        words["payslip"], _with(words["of"], known.get("employee.name")),
        _with(words["until"], known.get("period.end")), f"{words['for']} {net}" if net else None,
    )  # fmt: skip


def _bank_statement(known: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    movements = {path.split(".")[0] for path in known if path.startswith("movements[")}
    return _sentence(
        words["bank_statement"], known.get("iban"), _with(words["until"], known.get("period.end")),
        f"({len(movements)} {words['movements']})" if movements else None,
    )  # fmt: skip


def _id_document(_: Mapping[str, Plain], words: Mapping[str, str]) -> str:
    """Whose it is stays out of a text that is listed and searched."""
    return _sentence(words["id_document"])


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Plain], Mapping[str, str]], str]]] = {
    "invoice": _invoice,
    "receipt": _receipt,
    "contract": _contract,
    "deed": _deed,
    "payslip": _payslip,
    "bank_statement": _bank_statement,
    "id_document": _id_document,
}


def _sentence(*parts: Plain) -> str:
    return " ".join(str(part) for part in parts if part)


def _with(word: str, value: Plain) -> str | None:
    return None if value is None else f"{word} {value}"


def _people(known: Mapping[str, Plain], words: Mapping[str, str]) -> str | None:
    names = [str(value) for path, value in known.items() if path.startswith("parties[") and path.endswith(".name")]
    return f" {words['and']} ".join(names[:2]) or None


def _money(known: Mapping[str, Plain], path: str, words: Mapping[str, str]) -> str | None:
    value = known.get(path)
    if not isinstance(value, Decimal | int):
        return None
    written = f"{value:,.2f}"
    if words["mark"] == ",":
        written = written.replace(",", "·").replace(".", ",").replace("·", ".")
    return _sentence(written, known.get("currency"))


def _opening(document: Document) -> str | None:
    """The first words that are a title or a sentence."""
    text = " ".join(segment.text for segment in document.sheet.segments if len(segment.text) > 3)[: 2 * _MAX_SUMMARY]
    if not text.strip():
        return None
    end = text.rfind(". ", 40, _MAX_SUMMARY)
    return text[: end + 1] if end > 0 else text[:_MAX_SUMMARY].rsplit(" ", 1)[0]
