"""Welcome a client: note it, write to them where there is a way, look some days later whether anything is missing."""

from typing import Any, Final

from pydantic import Field

from bivelio_server.kit.models import Input, Tag
from bivelio_server.kit.text import Text
from bivelio_server.workflows.templates.template import Json, Template, Terms


class WelcomeParameters(Input):
    client_tag: Tag = "cliente"
    days: int = Field(3, ge=1, le=60)
    missing_tag: Tag = "faltan datos"


def _build(terms: Terms) -> Json:
    tag = terms.parameters.client_tag
    return {
        "trigger": {"type": "event", "event": "contact.created", "if": f"{{{{ {_quoted(tag)} in input.data.tags }}}}"},
        "concurrency": "many",
        "steps": [
            _stage("start", terms.say("Anotar la bienvenida", "Note the welcome"), "welcome"),
            *([_greeting(terms)] if terms.has("messages.send") else []),
            {
                "id": "some_days",
                "name": terms.say("Dejar pasar unos días", "Let some days pass"),
                "wait": {"seconds": terms.parameters.days * 24 * 3600},
            },
            {
                "id": "client",
                "name": terms.say("Mirar la ficha", "Look at the contact"),
                "uses": "contacts.get",
                "with": {"id": "{{ input.data.id }}"},
            },
            {
                "id": "complete",
                "name": terms.say("¿Están su correo y su teléfono?", "Are e-mail and phone there?"),
                "if": "{{ steps.client.output.email != null && steps.client.output.phone != null }}",
                "then": [_stage("done", terms.say("Dar por terminada", "Call it done"), "complete")],
                "else": [_ask_for_data(terms)],
            },
        ],
        "output": {"complete": "{{ steps.complete.output.branch == 'then' }}"},
    }


def _stage(step_id: str, name: str, stage: str) -> Json:
    fields: dict[str, Any] = {"onboarding": stage, f"onboarding_{stage}_at": "{{ now }}"}
    return {
        "id": step_id,
        "name": name,
        "uses": "contacts.update",
        "with": {"id": "{{ input.data.id }}", "custom_fields": fields},
    }


def _greeting(terms: Terms) -> Json:
    body = terms.say(
        "Hola, {{ input.data.name }}: gracias por confiar en nosotros. Si necesitas algo, responde a este correo.",
        "Hello {{ input.data.name }}: thank you for your trust. If you need anything, just reply to this e-mail.",
    )
    send = {
        "id": "greeting",
        "name": terms.say("Darle la bienvenida por correo", "Welcome them by e-mail"),
        "uses": "messages.send",
        "with": {"channel": "email", "to": "{{ input.data.email }}", "message": {"type": "text", "body": body}},
        "on_error": "continue",
    }
    return {"id": "can_write", "if": "{{ input.data.email != null }}", "then": [send]}


def _ask_for_data(terms: Terms) -> Json:
    return {
        "id": "missing",
        "name": terms.say("Marcar que faltan datos", "Mark that data is missing"),
        "uses": "contacts.update",
        "with": {
            "id": "{{ input.data.id }}",
            "tags": f"{{{{ steps.client.output.tags + [{_quoted(terms.parameters.missing_tag)}] }}}}",
        },
    }


def _quoted(text: str) -> str:
    """As a text within an expression."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


WELCOME_CLIENT: Final = Template(
    id="welcome_client",
    name=Text("Dar la bienvenida a un cliente", "Welcome a client"),
    description=Text(
        "Cuando se crea un contacto con la etiqueta de cliente, lo anota, le escribe si hay cómo, y unos días después "
        "mira si faltan su correo o su teléfono.",
        "When a contact with the client's tag is created, it notes that, writes to them if there is a way, and some "
        "days later looks whether their e-mail or phone is missing.",
    ),
    parameters=WelcomeParameters,
    labels={
        "client_tag": Text("La etiqueta que hace cliente a un contacto", "The tag that makes a contact a client"),
        "days": Text(
            "A los cuántos días se mira si falta algo", "After how many days to look whether anything is missing"
        ),
        "missing_tag": Text(
            "La etiqueta de quien no tiene correo o teléfono", "The tag of who has no e-mail or no phone"
        ),
    },
    build=_build,
)
