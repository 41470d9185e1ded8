from pathlib import Path

import pytest

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from bivelio_server.ai.port import Label

pytestmark = pytest.mark.anyio

BOOKING = Label(
    "booking",
    "Wants to book or move an appointment",
    ("¿Me dais hora para el lunes?", "Tengo que cambiar la cita de mañana", "Can I come in on Thursday at ten?"),
)
FAULT = Label(
    "fault",
    "Something is broken or does not work",
    ("La caldera no enciende", "No puedo entrar en mi cuenta, da error", "The printer stopped working"),
)
JOB = Label(
    "job",
    "Is looking for work",
    ("Adjunto mi currículum", "¿Necesitáis camareros este verano?", "I'd like to apply for the vacancy"),
)
LABELS = (BOOKING, FAULT, JOB)


@pytest.fixture(scope="module")
def ai(models: Path) -> EmbeddedAI:
    return EmbeddedAI(models)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Necesitaría que me dierais cita con la doctora la semana que viene", "booking"),
        ("El ascensor se ha quedado parado otra vez y no funciona", "fault"),
        ("Soy electricista con experiencia y busco trabajo en la zona", "job"),
        ("Poderiam marcar-me uma consulta para terça-feira?", "booking"),
    ],
)
async def test_a_text_has_the_label_that_it_is_about(ai: EmbeddedAI, text: str, label: str) -> None:
    classified = await ai.classify(text, LABELS)
    assert classified.label == label
    assert classified.confidence == max(classified.scores.values()) >= 0.5
    assert (classified.engine, classified.model) == ("embedded", "multilingual-e5-small")


async def test_a_text_about_something_else_has_no_label(ai: EmbeddedAI) -> None:
    classified = await ai.classify("Sofríe la cebolla y añade el tomate rallado.", LABELS)
    assert classified.label is None
    assert classified.confidence < 0.5
    assert sum(classified.scores.values()) < 1


async def test_descriptions_alone_will_do(ai: EmbeddedAI) -> None:
    labels = [Label("invoice", "Factura"), Label("notarial_deed"), Label("payslip", "Nómina de un trabajador")]
    classified = await ai.classify("Ante mí, notario de Cuenca, comparecen para otorgar escritura de poder", labels)
    assert max(classified.scores, key=classified.scores.__getitem__) == "notarial_deed"


@pytest.mark.parametrize("text", ["", " \n "])
async def test_nothing_has_no_label(ai: EmbeddedAI, text: str) -> None:
    classified = await ai.classify(text, LABELS)
    assert (classified.label, classified.confidence) == (None, 0.0)
    assert classified.usage.total == 0


async def test_without_labels_there_is_none(ai: EmbeddedAI) -> None:
    assert (await ai.classify("hola", [])).label is None


async def test_labels_are_learnt_once(ai: EmbeddedAI) -> None:
    labels = (*LABELS, Label("thanks", "Gives thanks"))
    first = await ai.classify("gracias por todo", labels)
    again = await ai.classify("gracias por todo", labels)
    assert again.scores == first.scores
    assert again.usage.prompt < first.usage.prompt
