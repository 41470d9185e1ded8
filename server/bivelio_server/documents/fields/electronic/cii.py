"""Cross Industry Invoice of UN/CEFACT, which Factur-X and ZUGFeRD put inside a PDF."""

from decimal import Decimal

from lxml import etree

from bivelio_server.documents.fields.electronic.elements import content, day, each, iban, number, one, tax_id, text
from bivelio_server.documents.fields.electronic.invoice import ElectronicInvoice, Line, Party, Tax


def read(root: etree._Element) -> ElectronicInvoice:
    document = one(root, "ExchangedDocument", "HeaderExchangedDocument")
    trade = one(root, "SupplyChainTradeTransaction", "SpecifiedSupplyChainTradeTransaction")
    agreement = one(trade, "ApplicableHeaderTradeAgreement", "ApplicableSupplyChainTradeAgreement")
    settlement = one(trade, "ApplicableHeaderTradeSettlement", "ApplicableSupplyChainTradeSettlement")
    totals = one(settlement, "SpecifiedTradeSettlementHeaderMonetarySummation",
                 "SpecifiedTradeSettlementMonetarySummation")  # fmt: skip
    return ElectronicInvoice(
        number=text(document, "ID"),
        date=day(document, "IssueDateTime/DateTimeString", "IssueDateTime/DateTime"),
        due_date=day(settlement, "SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString"),
        currency=text(settlement, "InvoiceCurrencyCode"),
        issuer=_party(one(agreement, "SellerTradeParty")),
        recipient=_party(one(agreement, "BuyerTradeParty")),
        lines=[_line(line) for line in each(trade, "IncludedSupplyChainTradeLineItem")],
        taxes=[_tax(part) for part in each(settlement, "ApplicableTradeTax")],
        charged=_adjustments(settlement),
        subtotal=number(totals, "TaxBasisTotalAmount", "LineTotalAmount"),
        withheld=None,
        total=number(totals, "GrandTotalAmount", "DuePayableAmount"),
        iban=iban(text(settlement, "SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID")),
    )


def _tax(node: etree._Element) -> Tax:
    rate = number(node, "RateApplicablePercent", "ApplicablePercent")
    return Tax(rate, number(node, "BasisAmount"), number(node, "CalculatedAmount"))


def _party(node: etree._Element | None) -> Party:
    """Of several registrations, the VAT one (scheme VA)."""
    numbers = {part.get("schemeID"): content(part) for part in each(node, "SpecifiedTaxRegistration/ID")}
    number_ = numbers.get("VA") or next(iter(numbers.values()), None) or text(node, "SpecifiedLegalOrganization/ID")
    return Party(text(node, "Name"), tax_id(number_))


def _line(node: etree._Element) -> Line:
    agreement = one(node, "SpecifiedLineTradeAgreement", "SpecifiedSupplyChainTradeAgreement")
    settlement = one(node, "SpecifiedLineTradeSettlement", "SpecifiedSupplyChainTradeSettlement")
    price = one(agreement, "NetPriceProductTradePrice", "GrossPriceProductTradePrice")
    return Line(
        description=text(node, "SpecifiedTradeProduct/Name", "SpecifiedTradeProduct/Description"),
        quantity=number(node, "SpecifiedLineTradeDelivery/BilledQuantity",
                        "SpecifiedSupplyChainTradeDelivery/BilledQuantity"),
        unit_price=number(price, "ChargeAmount"),
        tax_rate=number(settlement, "ApplicableTradeTax/RateApplicablePercent",
                        "ApplicableTradeTax/ApplicablePercent"),
        net=number(settlement, "SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount",
                   "SpecifiedTradeSettlementMonetarySummation/LineTotalAmount"),
        adjusted=_adjustments(settlement),
        per=number(price, "BasisQuantity") or Decimal(1),
    )  # fmt: skip


def _adjustments(node: etree._Element | None) -> Decimal:
    total = Decimal(0)
    for part in each(node, "SpecifiedTradeAllowanceCharge"):
        amount = number(part, "ActualAmount") or Decimal(0)
        total += amount if text(part, "ChargeIndicator/Indicator") == "true" else -amount
    return total
