"""Whatever is done to a sealed file, it is found out."""

import io
from collections.abc import Callable

import pytest

from bivelio_server.upkeep import sealing
from bivelio_server.upkeep.sealing import MAGIC, SealedReader, SealedWriter, WrongPassphrase

PIECE = 64
HEADER = len(MAGIC) + 16 + 7
SEALED_PIECE = PIECE + 16


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_PIECE_BYTES", PIECE)
    monkeypatch.setattr(sealing, "_SCRYPT_COST", 16)


def sealed(content: bytes) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, "phrase")
    for start in range(0, len(content), 50):
        writer.write(content[start : start + 50])
    writer.close()
    return target.getvalue()


def opened(content: bytes, passphrase: str = "phrase") -> bytes:
    reader = SealedReader(io.BytesIO(content), passphrase)
    return b"".join(iter(lambda: reader.read(33), b""))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 1000])
def test_what_was_sealed_opens(size: int) -> None:
    content = bytes(number % 251 for number in range(size))

    assert opened(sealed(content)) == content


@pytest.mark.parametrize(
    "tampered",
    [
        lambda whole: whole[: HEADER + SEALED_PIECE],
        lambda whole: whole[: HEADER + 2 * SEALED_PIECE],
        lambda whole: whole[:-1],
        lambda whole: whole + b"x",
        lambda whole: whole[:HEADER] + whole[HEADER + SEALED_PIECE :],
        lambda whole: (
            whole[:HEADER]
            + whole[HEADER + SEALED_PIECE : HEADER + 2 * SEALED_PIECE]
            + whole[HEADER : HEADER + SEALED_PIECE]
            + whole[HEADER + 2 * SEALED_PIECE :]
        ),
        lambda whole: whole[: HEADER - 1] + bytes([whole[HEADER - 1] ^ 1]) + whole[HEADER:],
    ],
    ids=["one piece", "two pieces", "a byte less", "a byte more", "first left out", "exchanged", "another header"],
)
def test_what_was_tampered_with_does_not(tampered: Callable[[bytes], bytes]) -> None:
    with pytest.raises(WrongPassphrase):
        opened(tampered(sealed(bytes(3 * PIECE - 5))))


def test_another_passphrase_does_not_open_it() -> None:
    with pytest.raises(WrongPassphrase):
        opened(sealed(b"content"), "another")
