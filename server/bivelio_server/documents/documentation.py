"""How the OpenAPI document tells of the download of documents."""

from typing import Any, Final

from bivelio_server.documents.downloads import PATH
from bivelio_server.kit.errors import InternalError, NotFound, TooManyRequests, Unavailable
from bivelio_server.kit.openapi import error_replies

_ANY: Final = {
    "application/octet-stream": {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
}


def download_paths(refs: dict[Any, Any]) -> dict[str, Any]:
    return {
        PATH: {
            "get": {
                "operationId": "documents.download",
                "tags": ["documents"],
                "summary": "Download a document, by the address that documents.get gave",
                "description": "Descarga un documento. The token is the credential, for an hour.",
                "security": [],
                "parameters": [
                    {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "Range", "in": "header", "required": False, "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {"description": "The file, of the type that it is.", "content": _ANY},
                    "206": {"description": "The part that was asked for.", "content": _ANY},
                    "416": {"description": "The file has no such part."},
                    **error_replies([NotFound, TooManyRequests, InternalError, Unavailable], refs),
                },
            }
        }
    }
