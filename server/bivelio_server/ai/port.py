"""What models of language do for us, whoever runs them.

An adapter is one of a provider's models with its key (`generative/`), or the models that this server carries
(`embedded/`). What an adapter cannot do it refuses with `NeedsGenerativeModel`, never with a made-up answer.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

from bivelio_server.kit.errors import IntegrationRefused
from bivelio_server.kit.providers import Port
from bivelio_server.kit.text import Text

JSONSchema: TypeAlias = Mapping[str, Any]
Vector: TypeAlias = Sequence[float]


class NeedsGenerativeModel(IntegrationRefused):
    """What was asked for needs a model that writes, and none is configured."""

    text = Text(
        "Esto necesita un modelo generativo y no hay ninguno configurado: define BIVELIO_GEMINI_API_KEY, o"
        " BIVELIO_OPENAI_URL para un servidor compatible con OpenAI.",
        "This needs a generative model and none is configured: set BIVELIO_GEMINI_API_KEY, or BIVELIO_OPENAI_URL for a"
        " server that is compatible with OpenAI.",
    )


class UnknownModel(IntegrationRefused):
    """A model was asked for by name, and the provider that is configured has none of that name."""

    def __init__(self, wanted: str, engine: str, configured: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(
            _UNKNOWN_MODEL.format(wanted=wanted, engine=engine, configured=configured),
            details={**(details or {}), "field": "model", "wanted": wanted, "configured": configured},
        )


_UNKNOWN_MODEL: Final = Text(
    "El campo 'model' pide {wanted}, y {engine} no lo tiene; el modelo configurado es {configured}.",
    "The field 'model' asks for {wanted}, which {engine} does not have; {configured} is the model configured.",
)


class NoSuchModel(IntegrationRefused):
    """No vectors of this model are to be had from what is configured."""

    text = Text(
        "El modelo de embeddings con el que se hicieron estos vectores ya no está configurado.",
        "The embedding model that these vectors were made with is not configured any more.",
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or of several: `prompt` includes `cached`, `output` includes `thought`."""

    prompt: int = 0
    output: int = 0
    cached: int = 0
    thought: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.output

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt, self.output + other.output,
            self.cached + other.cached, self.thought + other.thought,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that the model may ask to have done. `parameters` is the JSON schema of its arguments, an object."""

    name: str
    description: str
    parameters: JSONSchema


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model asks for. `arguments` are whatever it wrote: nothing has checked them yet."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What the model is to work on."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What became of a tool call: a JSON value, or why it was not done."""

    call: ToolCall
    content: Any
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said: `text`, or `data` where a schema was asked for, or the `calls` it wants done first.

    `data` is the JSON it wrote, None if it wrote none: whether it fits the schema is for whoever asked to check.
    `raw` is the adapter's own form of this message, which it needs to be shown again in the next prompt.
    """

    engine: str
    model: str
    usage: Usage
    text: str = ""
    data: Any = None
    calls: tuple[ToolCall, ...] = ()
    raw: Any = field(default=None, repr=False, compare=False)


Message: TypeAlias = UserMessage | Reply | ToolResult


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to a model. With `output_schema` it is to answer with JSON of that schema (or call a tool first).

    `timeout_seconds` is for all of it, whatever is tried again; None leaves it to the adapter.
    """

    instructions: str
    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    output_schema: JSONSchema | None = None
    max_tokens: int | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of a text that is being written."""

    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """One of the answers of a classification. The more unlike the exemplars of a label are, the better."""

    name: str
    description: str = ""
    exemplars: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Classified:
    """`label` is None where no label is likely enough; `confidence` is then that of the likeliest. `scores` add up to 1
    at most."""

    label: str | None
    confidence: float
    scores: Mapping[str, float]
    engine: str
    model: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Extracted:
    """Values by the names of the schema's properties; what is not in the text is None."""

    data: dict[str, Any]
    engine: str
    model: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector of unit length for each text. Vectors of different `model` never mix."""

    vectors: Sequence[Vector]
    engine: str
    model: str
    usage: Usage = Usage()


class AI(Protocol):
    """Every method raises IntegrationFailed where the provider fails for now, IntegrationRefused where it refuses for
    good; `details.provider` is what it said."""

    @property
    def engine(self) -> str:
        """`embedded`, `gemini` or `openai`."""

    @property
    def model(self) -> str: ...

    def by(self, model: str) -> "AI":
        """The same by another of the provider's models, or by what this server carries (`embedded`). Raises
        UnknownModel, NeedsGenerativeModel; whether the provider has the model may only be known once it is asked."""

    @property
    def embedding_model(self) -> str:
        """The one that `embed` asks unless it is told another."""

    async def complete(self, prompt: Prompt) -> Reply: ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:
        """The pieces of the text as they come; last, the whole reply."""

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified: ...

    async def extract(self, text: str, schema: JSONSchema) -> Extracted: ...

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"], model: str | None = None
    ) -> Embedded:
        """`model`: the one that other vectors are of, from before another was configured. Raises NoSuchModel where it
        cannot be asked any more."""

    def fits(self, text: str) -> bool:
        """Whether `embed` takes all of the text into account, each part of it as much as any other. The first time it
        may take a second: not in the event loop."""


#: The model that an organisation works with; `embedded` when no other is configured.
LANGUAGE: Final[Port[AI]] = Port("language")
