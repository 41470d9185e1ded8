"""How much an expression may be and do. A replay spends its budget alike: neither clock nor cache counts."""

from datetime import tzinfo

from bivelio_server.workflows.expressions.conventions import USUAL, Conventions
from bivelio_server.workflows.expressions.errors import LimitError

MAX_SOURCE = 4096  # bytes of UTF-8
MAX_NODES = 1000
MAX_DEPTH = 50  # of the tree, and of brackets in the text

MAX_TEMPLATE = 65_536  # characters
MAX_TEMPLATE_SOURCE = 8192  # characters of expressions in one template
CACHED_SOURCE = 512  # characters; what is longer is parsed each time, so that the caches stay small
CACHED_TEMPLATE = 2048
HOLE_SOURCE = 16  # what each expression counts besides its own characters

MAX_STEPS = 100_000
MAX_BYTES = 1_048_576  # of everything built on the way, the result included
MAX_DATA_DEPTH = 64

CONTAINER_BYTES = 64
MEMBER_BYTES = 16
STRING_BYTES = 48
CHARACTERS_PER_STEP = 128
CHARACTERS_PER_CASE_STEP = 2  # of a text beyond ASCII whose characters are changed one by one
IDENTITY_BYTES = 64
OPERATION_STEPS = 2  # on top of the step of every node, as the others here
CALL_STEPS = 3
ROUND_STEPS = 1  # for each member a macro goes through
BINDING_STEPS = 4
SOURCE_STEPS = 8  # for each character of an expression inside a template, parsed or found in a cache
ABSORBED_STEPS = 25  # for a failed clause that another may make up for
TIME_STEPS = 25  # for reading a timestamp or a duration
TIME_TEXT_STEPS = 5
DAY_STEPS = 2
MAX_DATE_PATTERN = 60  # characters
MAX_DECIMALS = 100
JSON_STEPS = 30
JSON_MEMBER_STEPS = 2
ROUNDING_STEPS = 4
FORMAT_STEPS = 15  # for each value written for people, or by a clause of `format`
COMPARISON_STEPS = 4  # for each pair of members
SEARCH_LENGTH = 64  # up to here a search in a text may take as many steps as the text and the part have together
WALK_STEPS = 6  # for each member of a value that is rendered

MAX_DIGITS = 34
MAX_EXPONENT = 400  # a double reaches 308
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)
MAX_NUMBER_TEXT = 500

MAX_PATTERN = 500  # characters
PATTERN_MEMORY = 131_072  # bytes RE2 may use for a program and its states
PATTERN_STEPS = 3000  # for compiling one, or refusing it
MATCH_STEPS = 12
PATTERN_WORK_PER_STEP = 24  # RE2's slowest engine takes about 12 ns per instruction and byte

ZONE_STEPS = 500  # for finding a time zone, once in an evaluation


class Budget:
    """What is left of the steps and bytes of one evaluation, what it has paid for already, and whose it is."""

    __slots__ = ("bytes", "conventions", "patterns", "steps", "zones")

    def __init__(self, conventions: Conventions = USUAL, steps: int = MAX_STEPS, allocation: int = MAX_BYTES) -> None:
        self.conventions = conventions
        self.steps = steps
        self.bytes = allocation
        self.patterns: set[str] = set()
        self.zones: dict[str, tzinfo] = {}

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise LimitError(
                f"La expresión necesita más de {MAX_STEPS} pasos.",
                f"The expression needs more than {MAX_STEPS} steps.",
            )

    def scan(self, characters: int) -> None:
        """Pay for reading text, so that long texts in a loop cost what they take."""
        if characters >= CHARACTERS_PER_STEP:
            self.spend(characters // CHARACTERS_PER_STEP)

    def search(self, text: str, part: str) -> None:
        """Pay for looking for a part in a text."""
        self.scan(len(text) * min(len(part), SEARCH_LENGTH) + len(part))

    def allocate(self, size: int) -> None:
        """Pay for memory before it is taken."""
        self.bytes -= size
        if self.bytes < 0:
            raise LimitError(
                f"La expresión produce más de {MAX_BYTES} bytes.",
                f"The expression produces more than {MAX_BYTES} bytes.",
            )

    def allocate_text(self, characters: int) -> None:
        self.allocate(characters + STRING_BYTES)

    def allocate_members(self, count: int) -> None:
        self.allocate(CONTAINER_BYTES + count * MEMBER_BYTES)


def too_deep(column: int = 0) -> LimitError:
    return LimitError(
        f"Los datos o la expresión se anidan más de {MAX_DATA_DEPTH} niveles.",
        f"The data or the expression nest more than {MAX_DATA_DEPTH} levels.",
        column,
    )
