"""A program that labels over HTTP as the panel does: each request hands in what was answered and takes the next items.

Must not measure.
"""

import http.client
import json
import uuid
from typing import Any

# What a request may fail with while the server is away; anything else is a fault in the benchmark.
AWAY = (OSError, http.client.HTTPException)


class Client:
    """One connection of one person; opened again after it was cut."""

    def __init__(self, port: int, project: int, token: str, tab: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._path = f"/api/projects/{project}/sync"
        self._headers = {"Authorization": f"Bearer {token}", "X-Annot": "1", "Content-Type": "application/json"}
        self._tab = tab

    def sync(self, events: list[dict[str, object]]) -> Any:
        """Return the server's reply; raises what AWAY names, and ValueError where it is no JSON."""
        try:
            body = {"tab": self._tab, "events": events, "hold": [], "want": 1}
            self._connection.request("POST", self._path, json.dumps(body), self._headers)
            return json.loads(self._connection.getresponse().read())
        except AWAY:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()


def answer(item: dict[str, Any], label: int) -> dict[str, object]:
    """Return the event that labels an item as a reply offered it."""
    return {"uid": uuid.uuid4().hex, "kind": "label", "item": item["item"], "lease": item["lease"], "labels": [label]}
