"""Texts of the kinds that are embedded, and some that nobody should send."""

PASSAGES = [
    "La factura 2026-118 vence el 30 de abril; el importe pendiente, 1.452,00 €, se cargará en la cuenta habitual.",
    "Comparecen de una parte doña Elvira Sanz, como arrendadora, y de otra Talleres Beltrán S.L., como arrendataria.",
    "The shipment left our warehouse on Monday and should reach you within three working days.",
    "Adjunto le remito el presupuesto para la renovación de la instalación eléctrica del local de la calle Mayor.",
    "Us recordem que la reunió de la comunitat de propietaris serà dijous a les vuit del vespre.",
    "Informamos que o pagamento da última prestação não foi recebido até à data de hoje.",
    "NIF: B-84127395\tTfno. 91 555 01 72\nC/ Alcalá, 117 — 28009 Madrid",
    "Se convoca Junta General Ordinaria en primera convocatoria. Orden del día: examen de cuentas y ruegos.",
    "ok",
    "El trabajador causará baja voluntaria con efectos del día 15, previo aviso de quince días. " * 6,
]
QUERIES = [
    "¿cuándo me llega el pedido?",
    "quiero darme de baja",
    "invoice overdue",
    "pressupost de la reforma",
    "IVA",
    "como faço para alterar a minha morada de faturação?",
    "contrato de alquiler de un local de negocio con opción a compra",
    "nº de cuenta para domiciliar recibos",
]
STRANGE = [
    "",
    " ",
    "   dos  espacios   y más   ",
    "línea\r\nnueva\ttabulada\x00nula",
    "日本語のテキストです。請求書を送ってください。",
    "هذه فاتورة باللغة العربية",
    "👩‍👩‍👧 emoji 😀😀 y más",
    "ﬁrma ½ ① ﷺ Ｆｕｌｌ　ｗｉｄｔｈ",
    "<s> </s> <pad> <unk> <mask>",
    "▁▁ barra",
    "x" * 100,
    "ñandú" * 40,
    "🜁🜂🜃 𓀀𓀁",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
]
