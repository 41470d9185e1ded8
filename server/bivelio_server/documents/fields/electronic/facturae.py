"""Facturae 3.2, the Spanish format for invoices to public bodies; of a batch, its first invoice."""

from decimal import Decimal
from typing import Final

from lxml import etree

from bivelio_server.documents.fields.electronic.elements import day, each, iban, number, one, tax_id, text
from bivelio_server.documents.fields.electronic.invoice import ElectronicInvoice, Line, Party, Tax

_ZERO: Final = Decimal(0)


def read(root: etree._Element) -> ElectronicInvoice:
    invoice = one(root, "Invoices/Invoice")
    totals = one(invoice, "InvoiceTotals")
    series = text(invoice, "InvoiceHeader/InvoiceSeriesCode")
    code = text(invoice, "InvoiceHeader/InvoiceNumber")
    surcharges = [number(tax, "EquivalenceSurchargeAmount/TotalAmount") for tax in each(invoice, "TaxesOutputs/Tax")]
    return ElectronicInvoice(
        number=f"{series}{code}" if series and code and not code.startswith(series) else code,
        date=day(invoice, "InvoiceIssueData/IssueDate"),
        due_date=day(invoice, "PaymentDetails/Installment/InstallmentDueDate"),
        currency=text(invoice, "InvoiceIssueData/InvoiceCurrencyCode"),
        issuer=_party(one(root, "Parties/SellerParty")),
        recipient=_party(one(root, "Parties/BuyerParty")),
        lines=[_line(line) for line in each(invoice, "Items/InvoiceLine")],
        taxes=[_tax(tax) for tax in each(invoice, "TaxesOutputs/Tax")],
        charged=(number(totals, "TotalGeneralSurcharges") or _ZERO)
        - (number(totals, "TotalGeneralDiscounts") or _ZERO),
        subtotal=number(totals, "TotalGrossAmountBeforeTaxes", "TotalGrossAmount"),
        withheld=number(totals, "TotalTaxesWithheld") or None,
        total=number(totals, "InvoiceTotal"),
        surcharge=sum((part for part in surcharges if part), _ZERO) or None,
        iban=iban(text(invoice, "PaymentDetails/Installment/AccountToBeCredited/IBAN")),
    )  # fmt: skip


def _tax(node: etree._Element) -> Tax:
    rate, base = number(node, "TaxRate"), number(node, "TaxableBase/TotalAmount")
    return Tax(rate, base, number(node, "TaxAmount/TotalAmount"))


def _party(node: etree._Element | None) -> Party:
    person = one(node, "Individual")
    parts = (text(person, "Name"), text(person, "FirstSurname"), text(person, "SecondSurname"))
    name = text(node, "LegalEntity/CorporateName") or " ".join(part for part in parts if part) or None
    return Party(name, tax_id(text(node, "TaxIdentification/TaxIdentificationNumber")))


def _line(node: etree._Element) -> Line:
    discounts = sum(
        (number(part, "DiscountAmount") or _ZERO for part in each(node, "DiscountsAndRebates/Discount")), _ZERO
    )
    charges = sum((number(part, "ChargeAmount") or _ZERO for part in each(node, "Charges/Charge")), _ZERO)
    return Line(
        description=text(node, "ItemDescription"),
        quantity=number(node, "Quantity"),
        unit_price=number(node, "UnitPriceWithoutTax"),
        tax_rate=number(node, "TaxesOutputs/Tax/TaxRate"),
        net=number(node, "GrossAmount", "TotalCost"),
        adjusted=charges - discounts,
    )  # fmt: skip
