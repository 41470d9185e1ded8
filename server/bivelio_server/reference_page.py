"""The interactive reference at `/docs`, served whole from this machine, and `/openapi.json` behind it."""

import asyncio
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bivelio_server.kit import json

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = b"""<!doctype html>
<html lang="es"><head><meta charset="utf-8"><title>BiVelio API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
_START: Final = b"""SwaggerUIBundle({url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null,
  tryItOutEnabled: true, persistAuthorization: false});
"""


def reference_routes(document: Callable[[], dict[str, Any]]) -> list[BaseRoute]:
    """`document` makes what is behind the reference. That takes half a second, so it waits for who asks first."""

    @cache
    def rendered() -> bytes:
        return json.dumps(document())

    async def openapi(_request: Request) -> Response:
        return Response(await asyncio.to_thread(rendered), media_type="application/json")

    return [
        Route("/openapi.json", openapi),
        Route("/docs", _page),
        Route("/docs/start.js", _start),
        Mount("/docs/assets", StaticFiles(directory=_assets())),
    ]


async def _page(_request: Request) -> Response:
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


async def _start(_request: Request) -> Response:
    return Response(_START, media_type="text/javascript")


def _assets() -> Path:
    """The folder of Swagger UI's files, found without importing the package that carries them."""
    found = find_spec("swagger_ui")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "static"
