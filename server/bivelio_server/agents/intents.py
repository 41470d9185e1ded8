"""What the classifier that is built in tells apart: intents, what to do about each, and exemplars of it."""

from collections.abc import Sequence
from typing import Final

from bivelio_server.agents.schemas import LabelView


def _intent(name: str, description: str, action: str, *exemplars: str) -> LabelView:
    return LabelView(name=name, description=description, suggested_action=action, exemplars=list(exemplars))


INTENTS: Final[Sequence[LabelView]] = (
    _intent(
        "plan_upgrade", "Quiere contratar un plan superior o ampliar lo que tiene", "route_to_sales",
        "Queremos pasar al plan Enterprise cuanto antes",
        "El cliente quiere subir su suscripción al plan superior",
        "¿Cuánto cuesta mejorar nuestro plan actual?",
        "Necesitamos más usuarios y funciones de las que incluye el plan Pro",
        "Me gustaría ampliar la suscripción que tenemos",
        "We would like to upgrade our subscription",
    ),
    _intent(
        "plan_downgrade", "Quiere un plan inferior o pagar menos por lo que tiene", "route_to_customer_success",
        "Queremos bajar al plan básico, no usamos tantas funciones",
        "Necesito reducir el número de licencias contratadas",
        "¿Es posible pasar a una tarifa más económica?",
        "We want to downgrade to the cheaper plan",
    ),
    _intent(
        "cancellation", "Quiere darse de baja o cancelar el servicio", "route_to_customer_success",
        "Quiero darme de baja del servicio",
        "Cancelad mi suscripción a final de mes, por favor",
        "No vamos a renovar el contrato",
        "¿Cómo anulo mi cuenta?",
        "Please cancel my subscription",
    ),
    _intent(
        "sales_inquiry", "Pregunta por productos, precios o pide un presupuesto o una demostración", "route_to_sales",
        "¿Podéis enviarme un presupuesto para diez personas?",
        "Quisiera información sobre vuestros servicios y precios",
        "¿Hacéis una demostración del producto?",
        "Somos una empresa nueva y buscamos un proveedor como vosotros",
        "Could you send me a quote?",
    ),
    _intent(
        "billing_question", "Duda sobre una factura, un cargo o un importe", "route_to_billing",
        "No entiendo un cargo que aparece en la última factura",
        "¿Me podéis reenviar la factura de marzo?",
        "La factura tiene mal el CIF de la empresa",
        "El importe cobrado no coincide con el acordado",
        "I have a question about my invoice",
    ),
    _intent(
        "payment_notice", "Avisa de un pago hecho, pendiente o que no podrá hacer a tiempo", "route_to_billing",
        "Ya hemos hecho la transferencia de la factura pendiente",
        "Adjunto el justificante del pago",
        "No podremos pagar hasta el día quince, ¿nos dais un aplazamiento?",
        "El recibo domiciliado ha sido devuelto por el banco",
        "The payment has been sent today",
    ),
    _intent(
        "technical_support", "Algo no funciona o no sabe cómo usarlo", "open_support_ticket",
        "No puedo entrar en mi cuenta, me da un error",
        "La aplicación se queda bloqueada al guardar",
        "¿Cómo configuro el correo en el programa?",
        "Desde ayer no se sincronizan los datos",
        "The app crashes when I open it",
    ),
    _intent(
        "complaint", "Está descontento con el servicio o el trato y se queja", "escalate_to_manager",
        "Estoy muy descontento con el servicio recibido",
        "Llevo dos semanas esperando y nadie me contesta, es inaceptable",
        "Quiero poner una reclamación formal",
        "El pedido llegó roto y con retraso",
        "I am very unhappy with your service",
    ),
    _intent(
        "appointment_request", "Quiere concertar, cambiar o anular una cita o reunión", "schedule_meeting",
        "¿Podemos concertar una reunión la semana que viene?",
        "Necesito pedir cita para el martes por la tarde",
        "Tengo que cambiar la hora de nuestra cita",
        "¿Qué días tenéis libres para una llamada?",
        "Can we schedule a call for tomorrow?",
    ),
    _intent(
        "document_request", "Pide o envía un documento, un contrato o un certificado", "route_to_administration",
        "Necesito una copia del contrato firmado",
        "¿Me podéis mandar el certificado de titularidad?",
        "Os adjunto la escritura y el DNI que pedisteis",
        "Falta por enviar la documentación del expediente",
        "Please send me the signed agreement",
    ),
    _intent(
        "contact_update", "Comunica un cambio de sus datos", "update_contact",
        "Hemos cambiado de dirección, la nueva es la siguiente",
        "Mi teléfono ha cambiado, apuntad el nuevo",
        "Actualizad la cuenta bancaria para los recibos",
        "La persona de contacto ahora es mi compañera",
        "My e-mail address has changed",
    ),
    _intent(
        "thanks", "Da las gracias, confirma o saluda sin pedir nada", "no_action",
        "Muchas gracias por la ayuda",
        "Perfecto, todo correcto",
        "De acuerdo, quedamos así",
        "Feliz Navidad a todo el equipo",
        "Thank you, that is all",
    ),
)  # fmt: skip
