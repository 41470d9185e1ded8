import pytest

from bivelio_server.ai.languages import language_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Buenos días, ¿me podéis enviar la factura de marzo?"),
        ("en", "Good morning, could you send me the March invoice?"),
        ("pt", "Não recebemos ainda a fatura de março, podem voltar a enviá-la?"),
        ("ca", "Bon dia, em podríeu enviar la factura del març?"),
    ],
)
async def test_the_four_languages_are_told_apart(language: str, text: str) -> None:
    assert await language_of(text) == language


@pytest.mark.parametrize("text", ["", "ok", "12345678901234567890", "IBAN ES91", "???"])
async def test_too_little_text_is_not_judged(text: str) -> None:
    assert await language_of(text) is None
