"""Universal Business Language 2.1: Invoice and CreditNote."""

from decimal import Decimal
from typing import Final

from lxml import etree

from bivelio_server.documents.fields.electronic.elements import day, each, iban, number, one, tax_id, text
from bivelio_server.documents.fields.electronic.invoice import ElectronicInvoice, Line, Party, Tax

_LINES: Final = ("InvoiceLine", "CreditNoteLine")
_PERIOD: Final = "InvoicePeriod/EndDate"


def read(root: etree._Element) -> ElectronicInvoice:
    totals = one(root, "LegalMonetaryTotal")
    return ElectronicInvoice(
        number=text(root, "ID"),
        date=day(root, "IssueDate"),
        due_date=day(root, "DueDate", "PaymentMeans/PaymentDueDate"),
        currency=text(root, "DocumentCurrencyCode"),
        issuer=_party(one(root, "AccountingSupplierParty/Party")),
        recipient=_party(one(root, "AccountingCustomerParty/Party")),
        lines=[_line(line) for name in _LINES for line in each(root, name)],
        taxes=_taxes(root),
        charged=_adjustments(root),
        subtotal=number(totals, "TaxExclusiveAmount", "LineExtensionAmount"),
        withheld=number(root, "WithholdingTaxTotal/TaxAmount"),
        total=number(totals, "TaxInclusiveAmount", "PayableAmount"),
        iban=iban(text(root, "PaymentMeans/PayeeFinancialAccount/ID")),
    )


def _taxes(root: etree._Element) -> list[Tax]:
    """Those of the document's currency: a second total may repeat them in another one."""
    currency = text(root, "DocumentCurrencyCode")
    return [
        Tax(number(part, "TaxCategory/Percent", "Percent"), number(part, "TaxableAmount"), number(part, "TaxAmount"))
        for part in each(root, "TaxTotal/TaxSubtotal")
        if (amount := one(part, "TaxAmount")) is not None and amount.get("currencyID", currency) == currency
    ]


def _party(node: etree._Element | None) -> Party:
    name = text(node, "PartyLegalEntity/RegistrationName", "PartyName/Name") or _person(one(node, "Person"))
    return Party(name, tax_id(text(node, "PartyTaxScheme/CompanyID", "PartyLegalEntity/CompanyID",
                                   "PartyIdentification/ID")))  # fmt: skip


def _person(node: etree._Element | None) -> str | None:
    parts = (text(node, "FirstName"), text(node, "MiddleName"), text(node, "FamilyName"))
    return " ".join(part for part in parts if part) or None


def _line(node: etree._Element) -> Line:
    return Line(
        description=text(node, "Item/Name", "Item/Description"),
        quantity=number(node, "InvoicedQuantity", "CreditedQuantity"),
        unit_price=number(node, "Price/PriceAmount"),
        tax_rate=number(node, "Item/ClassifiedTaxCategory/Percent", "TaxTotal/TaxSubtotal/TaxCategory/Percent"),
        net=number(node, "LineExtensionAmount"),
        adjusted=_adjustments(node),
        per=number(node, "Price/BaseQuantity") or Decimal(1),
    )


def _adjustments(node: etree._Element) -> Decimal:
    total = Decimal(0)
    for part in each(node, "AllowanceCharge"):
        amount = number(part, "Amount") or Decimal(0)
        total += amount if text(part, "ChargeIndicator") == "true" else -amount
    return total
