"""Words that only some kinds of documents have, in lower case without accents."""

from collections.abc import Mapping, Sequence
from typing import Final

#: What speaks for a label, and how much: at the head of the document, or anywhere.
HEAD: Final[Mapping[str, Sequence[tuple[float, str]]]] = {
    "invoice": ((0.7, (r"\bfacturas?\b(?! simplificada)|\binvoice\b|\bfatura\b|\bminuta de honorarios\b"
                      r"|\brechnung\b|\bfactuur\b|\bfacture\b")),
                (0.6, r"\bfactura rectificativa\b|\bnota de abono\b|\bcredit note\b")),
    "receipt": ((0.8, r"\bfactura simplificada\b|\bfatura simplificada\b"), (0.6, r"\bti(?:c|qu|k)et?\b|\btique\b|\breceipt\b|\btiquet\b")),
    "contract": ((0.75, (r"\bcontrato\b|\bcontracte\b|\bacuerdo de\b|\b(?:service|lease|employment|rental"
                        r"|non-disclosure) agreement\b|\bcontract\b")),),
    "deed": ((0.6, (r"\bescritura\b|\bacta notarial\b|\bpoder (?:general|especial|notarial)\b|\bdeed\b"
                   r"|\bcopia simple\b")),),
    "payslip": ((0.8, (r"\bnomina\b"
                      r"|\brecibo (?:individual )?(?:justificativo )?(?:del? )?(?:pago )?de salarios?\b"
                      r"|\bpayslip\b|\bpay slip\b|\brebut de salaris?\b")),),
    "bank_statement": ((0.75, (r"\bextracto (?:de )?(?:la )?(?:cuenta|movimientos|mensual|bancario"
                              r"|integrado)?|\b(?:bank|account) statement\b|\bextracte\b"
                              r"|\bmovimientos de (?:la )?cuenta\b")),),
    "report": ((0.7, r"\binforme\b|\breport\b|\brelatorio\b|\bmemoria (?:anual|de)\b|\bestudio de\b"),),
    "id_document": ((0.85, (r"\bdocumento nacional de identidad\b|\bpermiso de residencia\b|\bpasaporte\b"
                           r"|\bpassport\b|\bnational identity card\b|\bcarta de identidad\b")),),
}  # fmt: skip
ANYWHERE: Final[Mapping[str, Sequence[tuple[float, str]]]] = {
    "invoice": ((0.4, r"\bbase imponible\b|\bsubtotal\b|\bbase imposable\b|\btaxable amount\b"),
                (0.45, (r"\b(?:n\.?\s?o|numero|num\.?|number) ?(?:de )?(?:factura|invoice)\b|\bfactura n"
                       r"|\binvoice (?:number|no|date)\b|\bfecha (?:de )?factura\b")),
                (0.35, (r"\bvencimiento\b|\bforma de pago\b|\bdue date\b|\bamount due\b|\btotal due\b"
                       r"|\bbill to\b|\bfacturar a\b")),
                (0.25, r"\bi\.?v\.?a\b|\bvat\b"), (0.3, r"\btotal factura\b|\bimporte total\b|\bliquido a percibir\b")),
    "receipt": ((0.5, (r"\bgracias por su (?:compra|visita|confianza)\b|\bthank you\b|\bmoltes gracies\b"
                      r"|\bobrigad[oa]\b")),
                (0.35, r"\b(?:su )?cambio\b|\bentregado\b|\bchange\b"), (0.3, r"\bi\.?v\.?a\.? incl|\bimpuestos incluidos\b|\bgst\b"),
                (0.25, r"\befectivo\b|\btarjeta\b|\bcash\b|\bcontactless\b"), (0.25, r"\b(?:caja|cajero|mesa|camarero|cashier|tpv|counter)\b"),
                (0.2, r"\b\d\d:\d\d(?::\d\d)?\b")),
    "contract": ((0.6, r"\breunidos\b|\breunits\b"), (0.4, r"\b(?:de|por) una parte\b|\bone (?:hand|part)\b|\bd'una part\b"),
                 (0.5, r"\bclausulas?\b|\bestipulaciones\b|\bclauses\b|\bpactos\b"), (0.3, r"\bambas partes\b|\blas partes\b|\bthe parties\b|\bles parts\b"),
                 (0.3, r"\bmanifiestan\b|\bexponen\b|\bhereinafter\b|\ben adelante\b"), (0.2, r"\barrendador|\bprestador|\bfirman\b|\bin witness whereof\b")),
    "deed": ((0.7, r"\bante mi\b"), (0.4, r"\bnotari[oa]\b"), (0.45, r"\bprotocolo\b"), (0.45, r"\bdoy fe\b"), (0.35, r"\bcomparecen?\b"),
             (0.3, r"\botorgan?\b|\botorgamiento\b"), (0.3, r"\bregistro de la propiedad\b|\bcolegio (?:notarial|de notarios)\b")),
    "payslip": ((0.5, r"\bdevengos\b|\btotal devengado\b|\bgross pay\b"), (0.4, r"\bdeducciones\b|\ba deducir\b|\bdeductions\b"),
                (0.6, r"\bcontingencias comunes\b|\bbase de cotizacion\b|\bbases de cotizacion\b"), (0.4, r"\bliquido (?:total )?a percibir\b|\bnet pay\b"),
                (0.3, r"\btrabajador\b|\bemployee\b"), (0.2, r"\bantiguedad\b|\bcategoria profesional\b|\bgrupo (?:de )?cotizacion\b")),
    "bank_statement": ((0.5, r"\bsaldo (?:anterior|inicial|final|actual)\b|\b(?:opening|closing) balance\b"), (0.35, r"\bf(?:echa|\.)? ?valor\b|\bvalue date\b"),
                       (0.3, r"\bmovimientos?\b|\btransactions?\b"), (0.3, r"\bcargos?\b|\babonos?\b|\bdebe\b|\bhaber\b"), (0.2, r"\bsaldo\b|\bbalance\b")),
    "report": ((0.4, r"\bresumen ejecutivo\b|\bexecutive summary\b"), (0.3, r"\bconclusiones\b|\bconclusions?\b"), (0.3, r"\bintroduccion\b|\bintroduction\b"),
               (0.25, r"\bindice\b|\btable of contents\b|\brecomendaciones\b|\brecommendations\b"), (0.25, r"\bmetodologia\b|\bresultados\b|\bmethodology\b")),
    "id_document": ((0.4, r"\bapellidos\b|\bsurname\b"), (0.4, r"\bfecha de nacimiento\b|\bdate of birth\b|\bnacimiento\b"),
                    (0.35, r"\bnacionalidad\b|\bnationality\b"), (0.3, r"\bvalid[eo]z?\b|\bcaducidad\b|\bdate of expiry\b"), (0.3, r"\bsexo\b|\bsex\b")),
}  # fmt: skip
SUBCATEGORIES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "contract": (("lease", r"\barrendamiento\b|\balquiler\b|\blease\b|\brental\b|\barrendador\b|\blloguer\b"),
                 ("employment", (r"\bcontrato de trabajo\b|\bemployment\b|\bcontrato (?:laboral|indefinido"
                                r"|temporal)\b|\bcontracte de treball\b")),
                 ("nda", r"\b(?:contrato|acuerdo) de confidencialidad\b|\bnon-disclosure\b"),
                 ("sale", r"\bcompraventa\b|\bsale agreement\b|\bpurchase agreement\b|\bcompravenda\b"),
                 ("loan", r"\bcontrato de prestamo\b|\bloan agreement\b"), ("agency", r"\bcontrato de agencia\b|\bagency agreement\b"),
                 ("service_agreement", (r"\bprestacion de servicios\b|\bservices? agreement\b"
                                       r"|\barrendamiento de servicios\b|\bmantenimiento\b"
                                       r"|\bprestacio de serveis\b"))),
    "deed": (("sale", r"\bcompraventa\b"), ("incorporation", r"\bconstitucion de (?:la )?(?:sociedad|compania|mercantil)\b|\bconstitucion\b"),
             ("mortgage", r"\bhipotecari[oa]\b|\bhipoteca\b"), ("power_of_attorney", r"\bpoder\b|\bapoderamiento\b"),
             ("inheritance", r"\bherencia\b|\btestamento\b"), ("donation", r"\bdonacion\b")),
    "invoice": (("credit_note", r"\brectificativa\b|\babono\b|\bcredit note\b"), ("proforma", r"\bproforma\b|\bpro-forma\b"), ("simplified", r"\bfactura simplificada\b")),
    "id_document": (("passport", r"\bpasaporte\b|\bpassport\b|p<[a-z]{3}"), ("nie", r"\bpermiso de residencia\b|\bextranjero\b"), ("dni", r"\bdocumento nacional\b|\bdni\b|idesp")),
    "report": (("financial", r"\bcuentas anuales\b|\bbalance de situacion\b|\bfinancial\b"), ("audit", r"\bauditoria\b|\baudit\b"), ("technical", r"\bperitaje\b|\bpericial\b|\btecnico\b")),
}  # fmt: skip
