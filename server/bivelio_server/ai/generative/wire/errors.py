"""What pydantic-ai raises, as our failures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2
from openai import OpenAIError
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelTimeoutError,
    UserError,
)

from bivelio_server.ai.generative.failures import BROKEN, BUSY, TIMED_OUT, ProviderFailed, ProviderRefused

#: A provider's page of HTML says no more in ten thousand characters.
_MOST_SAID: Final = 1000
#: Refused today, accepted tomorrow: too early, too many, or in conflict with another request.
_FOR_NOW: Final = frozenset({408, 409, 425, 429})


@contextmanager
def as_ours(secret: str | None) -> Iterator[None]:
    """`secret` is never told, whatever the provider says."""
    try:
        yield
    except TimeoutError as error:
        raise ProviderFailed(TIMED_OUT, details={"provider": None, "status": None}) from error
    except (ContentFilterError, UserError) as error:
        raise ProviderRefused(details=_details(str(error), None, secret)) from error
    except ModelAPIError as error:
        raise _failure(error, secret) from error
    except (AgentRunError, OpenAIError, httpx2.HTTPError, ValueError) as error:
        # A reply that is none: the libraries trip over it wherever they happen to look first.
        raise ProviderFailed(BROKEN, details=_details(str(error), None, secret)) from error


def _failure(error: ModelAPIError, secret: str | None) -> ProviderFailed | ProviderRefused:
    status = error.status_code if isinstance(error, ModelHTTPError) else None
    details = _details(said_by(error.body) or str(error), status, secret)
    if isinstance(error, ModelTimeoutError):
        return ProviderFailed(TIMED_OUT, details=details)
    if isinstance(error, (ModelRequestRejectedError, ModelQuotaExceededError)) and status not in _FOR_NOW:
        return ProviderRefused(details=details)
    if isinstance(error, ModelQuotaExceededError):
        return ProviderRefused(details=details)
    if status is None:
        return ProviderFailed(BROKEN, details=details, wait_seconds=error.retry_after)
    if status < 500 and status not in _FOR_NOW:
        return ProviderRefused(details=details)
    text = BUSY if isinstance(error, ModelRateLimitError) or status == 429 else None
    return ProviderFailed(text, details=details, wait_seconds=error.retry_after)


def said_by(body: Any) -> str | None:
    """The sentence in an error's body, in the forms that providers give it."""
    while isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, Mapping):
        inner = body.get("error", body.get("message", body.get("detail")))
        return said_by(inner) if inner is not None else None
    return body if isinstance(body, str) and body else None


def _details(said: str, status: int | None, secret: str | None) -> dict[str, Any]:
    hidden = said.replace(secret, "***") if secret else said
    return {"provider": hidden[:_MOST_SAID], "status": status}
