"""Structured logs, one JSON object a line, that hold no secret."""

import logging
import re
import sys
from typing import Final

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

_SECRET_NAMES: Final = re.compile(r"password|secret|token|authorization|api[-_]?key|credential|cookie", re.IGNORECASE)
_SECRET_VALUES: Final = re.compile(
    r"bv_(?:live|test)_[ps]k_\w+|bbfe_\w+|whsec_\S+|v1\.[\w-]{20,}|eyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"
)
_MASK: Final = "***"


def configure_logging(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[library_handler()], force=True)


def library_handler() -> logging.Handler:
    """Where libraries write: the same lines, the same redaction."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    return handler


def redact(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """Mask values under telling names, and secrets inside any text."""
    return {name: _redacted(name, value) for name, value in entry.items()}


def masked(text: str) -> str:
    """The text without the secrets that can be told by their form."""
    return _SECRET_VALUES.sub(_MASK, text)


def _redacted(name: str, value: object) -> object:
    if _SECRET_NAMES.search(name):
        return _MASK
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _redacted(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(name, item) for item in value]
    return value
