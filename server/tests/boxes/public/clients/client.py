"""Speaks to the public API as its known client for Python does: the same calls, the same fields of the replies, the
same handling of errors. Prints what it saw as one JSON object."""

import json
import os
from typing import Any

import requests

BASE_URL, BOX_ID, QUERY = (os.environ[name] for name in ("BASE_URL", "BOX_ID", "QUERY"))
FILES = json.loads(os.environ["FILE_IDS"])


class Client:
    def __init__(self, key: str) -> None:
        self.session = requests.Session()
        self.session.headers.update({"Authorization": f"Bearer {key}", "Content-Type": "application/json"})

    def request(self, method: str, endpoint: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self.session.request(method, f"{BASE_URL}/{endpoint}", json=body)
            response.raise_for_status()
            reply = response.json()
            if not reply.get("success"):
                error = reply.get("error", {"summary": "Unknown API error"})
                raise ValueError(f"API Error ({error.get('code')}): {error.get('summary')} - {error.get('cause')}")
            return reply.get("data") or reply
        except requests.exceptions.RequestException as error:
            raise ConnectionError(f"Request failed: {error}") from error

    def search(self, box: str, query: str, sources: list[str] | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"query": query}
        if sources:
            body["sources"] = sources
        return self.request("POST", f"boxes/{box}/retrieve-documents", body)

    def full_documents(self, box: str, sources: list[str]) -> dict[str, Any]:
        return self.request("POST", f"boxes/{box}/retrieve-full-documents", {"sources": sources})

    def failure_of_search(self, box: str, query: str) -> str | None:
        try:
            self.search(box, query)
        except (ConnectionError, ValueError) as error:
            return str(error)
        return None


client, stranger = Client(os.environ["API_KEY"]), Client("bbfe_wrong_key")
health = client.request("GET", "check")
found = client.search(BOX_ID, QUERY, FILES)
everywhere = client.search(BOX_ID, QUERY)
full = client.full_documents(BOX_ID, FILES)

print(
    json.dumps(
        {
            "message": health.get("message"),
            "passages": len(found["documents"][0]["documents"]),
            "passages_everywhere": len(everywhere["documents"][0]["documents"]),
            "best": found["documents"][0]["documents"][0],
            "units": found["usage"]["intelligence_units_consumed"],
            "documents": full["usage"]["documents_retrieved"],
            "pages": full["usage"]["total_pages"],
            "files": [[document["fileName"], len(document["pages"])] for document in full["documents"]],
            "errors": [
                stranger.failure_of_search(BOX_ID, QUERY),
                client.failure_of_search("box_of_nobody", QUERY),
                client.failure_of_search(BOX_ID, ""),
            ],
        }
    )
)
