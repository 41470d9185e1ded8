"""How the OpenAPI document tells of the download of files."""

from typing import Any, Final

from bivelio_server.jobs.downloads import PATH
from bivelio_server.kit.errors import InternalError, NotFound, TooManyRequests, Unavailable
from bivelio_server.kit.openapi import error_replies

_ANY: Final = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


def download_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    return {
        PATH: {
            "get": {
                "operationId": "jobs.download",
                "tags": ["jobs"],
                "summary": "Download what a job has made, by the address that jobs.get gave",
                "description": "Descarga lo que un trabajo ha hecho. The token is the credential, for an hour.",
                "security": [],
                "parameters": [{"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {
                    "200": {"description": "The file.", "content": {"text/csv": _ANY, "application/json": _ANY}},
                    **error_replies([NotFound, TooManyRequests, InternalError, Unavailable], refs),
                },
            }
        }
    }
