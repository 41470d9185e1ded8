"""Boxes full of made-up passages: words as frequent as in a language, vectors as near to one another as those of e5."""

import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from bivelio_server.boxes.retrieval.analysis import terms_of
from bivelio_server.boxes.retrieval.segments import stored
from bivelio_server.kit.ids import new_id

MODEL: Final = "multilingual-e5-small"
DIMENSION: Final = 384
#: Passages of a file, and words of a passage.
FILE: Final = 100
WORDS: Final = 110
_VOCABULARY: Final = 60_000
#: How many different texts there are; each passage has one word more, which is its own.
_TEXTS: Final = 4000
#: The cosine of two passages, and of two of the same file.
_ANY: Final = 0.80
_SAME_FILE: Final = 0.87

Floats = NDArray[np.float32]
_FILES: Final = "(select g, 'file_' || right(%(box)s, 20) || g as id from generate_series(1, %(files)s) g) f"
_OTHERS: Final = (
    "insert into box_files (org_id, environment, id, box_id, file_name, mime_type, bytes, sha256, file, state, progress,"
    " revision, ready_revision, seq, created_by, version, created_at, updated_at) select %(org)s, 'live', f.id, %(box)s,"
    f" 'other.pdf', 'text/plain', 1, '', '{{}}', 'ready', 1, 1, 1, g, 'bench', 1, now(), now() from {_FILES}",
    "insert into box_chunks select %(org)s, 'live', f.id, 1, s.n, sha256((f.id || ':' || s.n)::bytea), null, s.text, 1, 1,"
    f" 1000 * s.n, 1000 * s.n + length(s.text), now() from {_FILES}, sample s",
    "insert into box_vectors select %(org)s, 'live', %(model)s, sha256((f.id || ':' || s.n)::bytea), s.vector, now()"
    f" from {_FILES}, sample s",
    "insert into box_segments select %(org)s, 'live', %(box)s, 1, f.g, f.id, 1, %(chunks)s, %(vectors)s, %(terms)s, now()"
    f" from {_FILES}",
)


@dataclass(frozen=True)
class Filled:
    """A box, and some of its passages' vectors and texts."""

    id: str
    vectors: Floats
    texts: list[str]


class Stocker:
    """Fills the boxes of one organisation, by COPY as the owner of the database."""

    def __init__(self, owner_url: str, org_id: str, user_id: str) -> None:
        self._connection = psycopg.connect(owner_url, autocommit=True)
        self._org, self._user = UUID(org_id), UUID(user_id)
        self._random = np.random.default_rng(7)
        self._mean = _unit(self._random.normal(size=DIMENSION).astype(np.float32))
        self._texts = [self._text() for _ in range(_TEXTS)]
        self._terms = [terms_of(text) for text in self._texts]
        self._now = datetime.now(UTC)

    def box(self, passages: int) -> Filled:
        """A box with so many passages, each of its own."""
        box_id = self._empty_box(passages)
        vectors, texts = [], []
        for seq, first in enumerate(range(0, passages, FILE), 1):
            size = min(FILE, passages - first)
            drawn = self._random.integers(0, _TEXTS, size)
            own = [f"ref{box_id[-4:]}{first + n}" for n in range(size)]
            file_texts = [f"{self._texts[text]} {name}" for text, name in zip(drawn, own, strict=True)]
            file_vectors = self._vectors(size)
            terms = [self._terms[text] + Counter(terms_of(name)) for text, name in zip(drawn, own, strict=True)]
            self._file(box_id, seq, file_texts, file_vectors, stored(file_vectors, terms))
            vectors.append(file_vectors)
            texts += file_texts
        return Filled(box_id, np.concatenate(vectors), texts)

    def others(self, passages: int, boxes: int = 50) -> None:
        """So many passages in boxes that nobody asks, made in the database: all of the same hundred texts."""
        if not passages:
            return
        vectors = self._vectors(FILE)
        segment = stored(vectors, self._terms[:FILE])
        self._connection.execute("create temp table sample (n int, text text, vector bytea)")
        with self._connection.cursor().copy("copy sample from stdin") as copy:
            for n in range(FILE):
                copy.write_row((n, self._texts[n], vectors[n].astype("<f2").tobytes()))
        for _ in range(boxes):
            values = {
                "org": self._org, "box": self._empty_box(passages // boxes), "files": -(-passages // boxes // FILE),
                "chunks": segment.chunks, "vectors": segment.vectors, "terms": segment.terms, "model": MODEL,
            }  # fmt: skip
            for statement in _OTHERS:
                self._connection.execute(statement, values)

    def settle(self) -> None:
        """As the database would be after a while."""
        for table in ("box_files", "box_chunks", "box_vectors", "box_segments", "box_members", "boxes", "box_indexes"):
            self._connection.execute(f"vacuum analyze {table}")

    def size(self) -> int:
        """Bytes of all passages, with their vectors and indexes."""
        tables = "('box_chunks'), ('box_vectors'), ('box_segments')"
        row = self._connection.execute(f"select sum(pg_total_relation_size(t::regclass)) from (values {tables}) v(t)")
        return int(row.fetchone()[0])  # type: ignore[index]  # a sum is always there

    def _empty_box(self, passages: int) -> str:
        box_id = new_id("box")
        here = (self._org, "live", box_id)
        self._connection.execute(
            "insert into boxes values (%s, %s, %s, 'Bench', null, 'bench', 1, now(), now(), null)", here
        )
        self._connection.execute("insert into box_members values (%s, %s, %s, %s, 'owner', now())", (*here, self._user))
        version = -(-passages // FILE)
        self._connection.execute(
            "insert into box_indexes values (%s, %s, %s, %s, 1, %s, null, null, now())", (*here, version, MODEL)
        )
        return box_id

    def _file(self, box_id: str, seq: int, texts: list[str], vectors: Floats, segment: Any) -> None:
        file_id, org, now = new_id("file"), str(self._org), self._now.isoformat()
        self._connection.execute(
            "insert into box_files (org_id, environment, id, box_id, file_name, mime_type, bytes, sha256, file, state,"
            " progress, revision, ready_revision, seq, created_by, version, created_at, updated_at) values (%s, 'live',"
            " %s, %s, %s, 'text/plain', 1, '', '{}', 'ready', 1, 1, 1, %s, 'bench', 1, now(), now())",
            (org, file_id, box_id, f"manual-{seq}.pdf", seq),
        )
        digests = [hashlib.sha256(f"{file_id}:{n}".encode()).digest() for n in range(len(texts))]
        offset, chunks, rows = 0, io.StringIO(), io.StringIO()
        for n, (text, digest) in enumerate(zip(texts, digests, strict=True)):
            page, key = 1 + n // 3, f"\\\\x{digest.hex()}"
            places = f"{page}\t{page}\t{offset}\t{offset + len(text)}"
            chunks.write(f"{org}\tlive\t{file_id}\t1\t{n}\t{key}\t\\N\t{text}\t{places}\t{now}\n")
            rows.write(f"{org}\tlive\t{MODEL}\t{key}\t\\\\x{vectors[n].astype('<f2').tobytes().hex()}\t{now}\n")
            offset += len(text) + 2
        with self._connection.transaction():
            for table, written in (("box_chunks", chunks), ("box_vectors", rows)):
                with self._connection.cursor().copy(f"copy {table} from stdin") as copy:
                    copy.write(written.getvalue())
            self._connection.execute(
                "insert into box_segments values (%s, 'live', %s, 1, %s, %s, 1, %s, %s, %s, now())",
                (org, box_id, seq, file_id, segment.chunks, segment.vectors, segment.terms),
            )

    def _vectors(self, size: int) -> Floats:
        topic = _unit(self._random.normal(size=DIMENSION).astype(np.float32))
        own = _unit(self._random.normal(size=(size, DIMENSION)).astype(np.float32))
        parts = (self._mean * _ANY**0.5, topic * (_SAME_FILE - _ANY) ** 0.5, own * (1 - _SAME_FILE) ** 0.5)
        return _unit(parts[0] + parts[1] + parts[2])

    def _text(self) -> str:
        """Words by Zipf's law."""
        numbers = np.minimum(self._random.zipf(1.15, WORDS), _VOCABULARY)
        return " ".join(_word(int(number)) for number in numbers)


def near(vector: Floats, random: np.random.Generator) -> Floats:
    """A question about a passage: a vector not far from it."""
    noise = _unit(random.normal(size=DIMENSION).astype(np.float32))
    return _unit(vector + 0.35 * noise)


def _word(number: int) -> str:
    """The same for the same number, of consonants and vowels; the frequent ones are short."""
    word = ""
    while number or not word:
        number, rest = divmod(number, 90)
        word += "bcdfglmnprstvzjqhx"[rest // 5] + "aeiou"[rest % 5]
    return word


def _unit(vectors: Floats) -> Floats:
    found: Floats = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return found
