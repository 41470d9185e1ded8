"""The sandbox's own address: `/sandbox/v1/…`, `/sandbox/api/…`, and every host whose name begins with `sandbox.`.

The same operations are there, for sandbox credentials only, so that a live key in the wrong place changes nothing. The
address can only take away: whoever forges a host is refused more, and never allowed more.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.errors import InsufficientScope
from bivelio_server.kit.text import Text

_PREFIX: Final = "/sandbox"
_BEHIND: Final = (f"{_PREFIX}/v1/", f"{_PREFIX}/api/")
_HOST: Final = "sandbox."


class SandboxAddress:
    """An ASGI application in front of the whole; what is behind it sees the plain paths."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            has_prefix = path.startswith(_BEHIND)
            Request(scope).state.in_sandbox = has_prefix or _host(scope).startswith(_HOST)
            if has_prefix:
                scope = {**scope, "path": path.removeprefix(_PREFIX)}
        await self._app(scope, receive, send)


def is_sandbox_address(request: Request) -> bool:
    return bool(request.state.in_sandbox)


def require_sandbox(request: Request, environment: Environment) -> None:
    """Raises InsufficientScope for a live credential at the sandbox's address."""
    if environment is Environment.live and is_sandbox_address(request):
        raise InsufficientScope(_LIVE_HERE)


def _host(scope: Scope) -> str:
    return next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()


_LIVE_HERE: Final = Text(
    "Esta dirección es la del sandbox y solo admite credenciales de prueba (bv_test_sk_…).",
    "This is the address of the sandbox, and it takes test credentials only (bv_test_sk_…).",
)
