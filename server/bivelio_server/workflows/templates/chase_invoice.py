"""Chase an overdue invoice: a run waits for each invoice, and writes to the client while it is not paid."""

from typing import Final

from pydantic import Field

from bivelio_server.kit.models import Input
from bivelio_server.kit.text import Text
from bivelio_server.workflows.templates.template import Json, Template, Terms

_DAY: Final = 24 * 3600


class ChaseParameters(Input):
    days_late: int = Field(3, ge=1, le=90)
    every_days: int = Field(7, ge=1, le=60)
    reminders: int = Field(3, ge=1, le=6)
    ask_first: bool = True


def _build(terms: Terms) -> Json:
    parameters = terms.parameters
    return {
        "trigger": {"type": "event", "event": "invoice.created", "if": "{{ input.data.type == 'issued' }}"},
        "concurrency": "many",
        "steps": [
            {
                "id": "overdue",
                "name": terms.say("Esperar al vencimiento", "Wait until it is overdue"),
                "wait": {"until": f"{{{{ addDays(date(string(input.data.due_date)), {parameters.days_late}) }}}}"},
            },
            *_until_paid(terms, "paid_by_then", 60),
            {
                "id": "chase",
                "name": terms.say("Reclamar mientras no se pague", "Remind while it is not paid"),
                "while": f"{{{{ index < {parameters.reminders} }}}}",
                "max": parameters.reminders,
                "steps": [
                    _client(terms),
                    _asked(terms, _letter(terms)),
                    *_until_paid(terms, "paid", parameters.every_days * _DAY),
                ],
            },
        ],
        "output": {"invoice": "{{ input.data.number }}", "paid": False},
    }


def _until_paid(terms: Terms, step_id: str, seconds: int) -> list[Json]:
    """Ends the run as soon as the invoice is paid, at once if it has been since the run began; or goes on later."""
    end = {"id": f"end_{step_id}", "stop": {"output": {"invoice": "{{ input.data.number }}", "paid": True}}}
    return [
        {
            "id": step_id,
            "name": terms.say("Esperar a que se pague", "Wait for the payment"),
            "wait_for_event": {"event": "invoice.paid", "if": "{{ event.data.id == input.data.id }}"},
            "timeout_seconds": seconds,
            "on_error": "continue",
        },
        {
            "id": f"if_{step_id}",
            "name": terms.say("Si está pagada, terminar", "If it is paid, end"),
            "if": f"{{{{ steps.{step_id}.status == 'completed' }}}}",
            "then": [end],
        },
    ]


def _client(terms: Terms) -> Json:
    return {
        "id": "client",
        "name": terms.say("Buscar el correo del cliente", "Look for the client's e-mail"),
        "uses": "contacts.get",
        "with": {"id": "{{ input.data.client.id }}"},
    }


def _asked(terms: Terms, letter: Json) -> Json:
    """The letter, after somebody agreed if that is wanted."""
    if not terms.parameters.ask_first:
        return {"id": "has_email", "if": "{{ steps.client.output.email != null }}", "then": [letter]}
    title = terms.say(
        "¿Enviar un aviso a {{ input.data.client.name }} por la factura {{ input.data.number }}?",
        "Send {{ input.data.client.name }} a reminder of the invoice {{ input.data.number }}?",
    )
    approval = {
        "id": "agreed",
        "name": terms.say("Preguntar", "Ask"),
        "approval": {"title": title, "deadline_seconds": 2 * _DAY, "default": "reject"},
    }
    sent = {"id": "yes", "if": "{{ steps.agreed.output.decision == 'approved' }}", "then": [letter]}
    return {"id": "has_email", "if": "{{ steps.client.output.email != null }}", "then": [approval, sent]}


def _letter(terms: Terms) -> Json:
    total = "{{ formatMoney(input.data.total, input.data.currency) }}"
    due = "{{ formatDate(string(input.data.due_date)) }}"
    body = terms.say(
        f"Hola, {{{{ input.data.client.name }}}}: la factura {{{{ input.data.number }}}}, de {total}, venció el {due}. "
        "Si ya la has pagado, no hagas caso de este aviso.",
        f"Hello {{{{ input.data.client.name }}}}: the invoice {{{{ input.data.number }}}} of {total} was due on {due}. "
        "If you have paid it already, please ignore this reminder.",
    )
    return {
        "id": "letter",
        "name": terms.say("Escribir al cliente", "Write to the client"),
        "uses": "messages.send",
        "with": {
            "channel": "email",
            "to": "{{ steps.client.output.email }}",
            "message": {"type": "text", "body": body},
        },
        "on_error": "continue",
    }


CHASE_INVOICE: Final = Template(
    id="chase_invoice",
    name=Text("Reclamar una factura vencida", "Chase an overdue invoice"),
    description=Text(
        "Por cada factura emitida espera a su vencimiento; mientras no se pague escribe al cliente cada tantos días, "
        "si quieres después de preguntar, y termina en cuanto se paga.",
        "Waits for each issued invoice to be overdue; while it is not paid it writes to the client every so many days, "
        "after asking if you like, and ends as soon as it is paid.",
    ),
    parameters=ChaseParameters,
    labels={
        "days_late": Text("Días de retraso antes del primer aviso", "Days late before the first reminder"),
        "every_days": Text("Días entre un aviso y el siguiente", "Days from one reminder to the next"),
        "reminders": Text("Cuántos avisos como máximo", "How many reminders at most"),
        "ask_first": Text("Preguntar antes de enviar cada uno", "Ask before each one goes out"),
    },
    build=_build,
    besides=frozenset({"invoices.create"}),
)
