"""Invoices that are data: read whole, sure only where their sums hold, and harmless whatever they contain."""

from decimal import Decimal

import pytest

from bivelio_server.documents.fields import classify, extract
from tests.documents.fields.paper import paper, with_attachment, xml

UBL = """<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
  xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <cbc:ID>F-2026-7</cbc:ID><cbc:IssueDate>2026-04-01</cbc:IssueDate><cbc:DueDate>2026-05-01</cbc:DueDate>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cac:AccountingSupplierParty><cac:Party><cac:PartyName><cbc:Name>Talleres Sol S.L.</cbc:Name></cac:PartyName>
    <cac:PartyTaxScheme><cbc:CompanyID>ESB12345674</cbc:CompanyID></cac:PartyTaxScheme></cac:Party></cac:AccountingSupplierParty>
  <cac:AccountingCustomerParty><cac:Party>
    <cac:PartyTaxScheme><cbc:CompanyID>ESA58818501</cbc:CompanyID></cac:PartyTaxScheme>
    <cac:PartyLegalEntity><cbc:RegistrationName>Nova S.A.</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party></cac:AccountingCustomerParty>
  <cac:TaxTotal><cbc:TaxAmount currencyID="EUR">42.00</cbc:TaxAmount><cac:TaxSubtotal>
    <cbc:TaxableAmount currencyID="EUR">200.00</cbc:TaxableAmount><cbc:TaxAmount currencyID="EUR">42.00</cbc:TaxAmount>
    <cac:TaxCategory><cbc:Percent>21</cbc:Percent></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
  <cac:LegalMonetaryTotal><cbc:LineExtensionAmount>200.00</cbc:LineExtensionAmount>
    <cbc:TaxExclusiveAmount>200.00</cbc:TaxExclusiveAmount><cbc:TaxInclusiveAmount>TOTAL</cbc:TaxInclusiveAmount></cac:LegalMonetaryTotal>
  <cac:InvoiceLine><cbc:InvoicedQuantity>2</cbc:InvoicedQuantity><cbc:LineExtensionAmount>200.00</cbc:LineExtensionAmount>
    <cac:Item><cbc:Name>Revisión</cbc:Name><cac:ClassifiedTaxCategory><cbc:Percent>21.0</cbc:Percent></cac:ClassifiedTaxCategory></cac:Item>
    <cac:Price><cbc:PriceAmount>100.00</cbc:PriceAmount></cac:Price></cac:InvoiceLine>
</Invoice>"""
CII = """<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
  xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
  xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
  <rsm:ExchangedDocument><ram:ID>R-9</ram:ID><ram:IssueDateTime><udt:DateTimeString format="102">20260401</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
  <rsm:SupplyChainTradeTransaction>
    <ram:IncludedSupplyChainTradeLineItem><ram:SpecifiedTradeProduct><ram:Name>Papel</ram:Name></ram:SpecifiedTradeProduct>
      <ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>30.00</ram:ChargeAmount><ram:BasisQuantity>10</ram:BasisQuantity></ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
      <ram:SpecifiedLineTradeDelivery><ram:BilledQuantity>5</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
      <ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax><ram:RateApplicablePercent>10</ram:RateApplicablePercent></ram:ApplicableTradeTax>
        <ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>15.00</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
    </ram:IncludedSupplyChainTradeLineItem>
    <ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty><ram:Name>Papelería Sol</ram:Name>
      <ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">ESB12345674</ram:ID></ram:SpecifiedTaxRegistration></ram:SellerTradeParty>
      <ram:BuyerTradeParty><ram:Name>Nova S.A.</ram:Name></ram:BuyerTradeParty></ram:ApplicableHeaderTradeAgreement>
    <ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
      <ram:ApplicableTradeTax><ram:CalculatedAmount>1.50</ram:CalculatedAmount><ram:BasisAmount>15.00</ram:BasisAmount><ram:RateApplicablePercent>10</ram:RateApplicablePercent></ram:ApplicableTradeTax>
      <ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:TaxBasisTotalAmount>15.00</ram:TaxBasisTotalAmount><ram:GrandTotalAmount>16.50</ram:GrandTotalAmount></ram:SpecifiedTradeSettlementHeaderMonetarySummation>
    </ram:ApplicableHeaderTradeSettlement></rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""
FACTURAE = """<fe:Facturae xmlns:fe="http://www.facturae.gob.es/formato/Versiones/Facturaev3_2_2.xml"><Parties>
  <SellerParty><TaxIdentification><TaxIdentificationNumber>12345678Z</TaxIdentificationNumber></TaxIdentification>
    <Individual><Name>Ana</Name><FirstSurname>Gil</FirstSurname><SecondSurname>Mora</SecondSurname></Individual></SellerParty>
  <BuyerParty><TaxIdentification><TaxIdentificationNumber>B12345674</TaxIdentificationNumber></TaxIdentification>
    <LegalEntity><CorporateName>Talleres Sol S.L.</CorporateName></LegalEntity></BuyerParty></Parties>
  <Invoices><Invoice><InvoiceHeader><InvoiceNumber>12</InvoiceNumber><InvoiceSeriesCode>A</InvoiceSeriesCode></InvoiceHeader>
    <InvoiceIssueData><IssueDate>2026-04-01</IssueDate><InvoiceCurrencyCode>EUR</InvoiceCurrencyCode></InvoiceIssueData>
    <TaxesOutputs><Tax><TaxRate>21.00</TaxRate><TaxableBase><TotalAmount>1000.00</TotalAmount></TaxableBase><TaxAmount><TotalAmount>210.00</TotalAmount></TaxAmount></Tax></TaxesOutputs>
    <InvoiceTotals><TotalGrossAmount>1000.00</TotalGrossAmount><TotalGrossAmountBeforeTaxes>1000.00</TotalGrossAmountBeforeTaxes>
      <TotalTaxOutputs>210.00</TotalTaxOutputs><TotalTaxesWithheld>150.00</TotalTaxesWithheld><InvoiceTotal>1060.00</InvoiceTotal></InvoiceTotals>
    <Items><InvoiceLine><ItemDescription>Asesoría</ItemDescription><Quantity>10</Quantity><UnitPriceWithoutTax>100.00</UnitPriceWithoutTax>
      <GrossAmount>1000.00</GrossAmount><TaxesOutputs><Tax><TaxRate>21.00</TaxRate></Tax></TaxesOutputs></InvoiceLine></Items></Invoice></Invoices></fe:Facturae>"""


def test_ubl_is_read_whole_and_for_sure() -> None:
    extraction = extract(xml(UBL.replace("TOTAL", "242.00")))

    assert extraction.document_type == "invoice"
    assert (extraction.source, extraction.confidence) == ("xml", 1.0)
    assert extraction.extracted["issuer"] == {"name": "Talleres Sol S.L.", "nif": "B12345674"}
    assert extraction.extracted["recipient"] == {"name": "Nova S.A.", "nif": "A58818501"}
    assert extraction.extracted["total"] == Decimal("242.00")
    assert extraction.extracted["line_items"] == [
        {"description": "Revisión", "quantity": 2, "unit_price": 100, "tax_rate": 21, "total": 242}
    ]


def test_a_total_that_does_not_add_up_is_given_but_not_believed() -> None:
    extraction = extract(xml(UBL.replace("TOTAL", "999.00")))

    total = next(field for field in extraction.fields if field.path == "total")
    assert total.value == Decimal("999.00")
    assert total.confidence < 0.9


def test_the_invoice_inside_a_pdf_counts_more_than_what_is_printed() -> None:
    extraction = extract(with_attachment(paper("FACTURA X-1\nTotal 99,00 €"), "factur-x.xml", CII))

    assert extraction.source == "xml"
    assert extraction.extracted["invoice_number"] == "R-9"
    assert extraction.extracted["date"] == "2026-04-01"
    assert extraction.extracted["line_items"][0]["unit_price"] == Decimal("30.00")
    assert {field.confidence for field in extraction.fields} == {1.0}


def test_facturae_of_a_person_with_retention() -> None:
    extraction = extract(xml(FACTURAE))

    assert extraction.extracted["invoice_number"] == "A12"
    assert extraction.extracted["issuer"] == {"name": "Ana Gil Mora", "nif": "12345678Z"}
    assert extraction.extracted["withholding"] == Decimal("150.00")
    assert extraction.extracted["total"] == Decimal("1060.00")
    assert extraction.confidence == 1.0


def test_an_electronic_invoice_is_classified_as_one() -> None:
    classification = classify(xml(FACTURAE), ["invoice", "other"])

    assert (classification.label, classification.confidence) == ("invoice", 1.0)
    assert classification.summary == "Factura A12 de Ana Gil Mora a Talleres Sol S.L. por 1.060,00 EUR"


BOMB = """<?xml version="1.0"?><!DOCTYPE Invoice [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<Invoice><ID>&c;&b;</ID></Invoice>"""


@pytest.mark.parametrize(
    "content", [BOMB, "<Invoice>", "<html><body>Factura</body></html>", "<", "<Invoice/>", "<Facturae/>"]
)
def test_what_is_broken_or_hostile_gives_nothing_away(content: str) -> None:
    extraction = extract(xml(content), "invoice")

    assert "root:" not in str(extraction.extracted)
    assert extraction.extracted["total"] is None
