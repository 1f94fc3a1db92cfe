"""What leaves Annot: the labels people gave, each with where it came from. Pseudo-labels are never among them.

Must not invent or settle anything: one row is one person's standing answer.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from annot.records import Answer, Kind, Project, Split
from annot.store import Store

COLUMNS = (
    "item_id", "text", "text_sha256", "split", "labels", "relation", "kind", "annotator", "at", "seconds",
    "reason", "selector", "model", "score", "probability", "suggestion", "note", "uid", "copy_of", "metadata",
)  # fmt: skip
TEXTS_AT_ONCE = 500


def export_rows(store: Store, project: Project, split: Split | None = Split.POOL, *, skips: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row per person and item with the standing label, oldest first; with ``skips`` the standing skips too.

    ``labels`` is a list of label names, ``at`` UTC in ISO 8601, ``seconds`` the time on screen, ``reason`` why the item was asked and
    ``selector`` by which strategy, ``model`` the run that ranked it, ``score`` its score there, and ``probability`` its chance of being
    drawn where it was sampled, ``suggestion`` whether the model's guess was shown, ``copy_of`` the answer a twin's repeats, and
    ``metadata`` the file's other columns. A skip says nothing of labels: its ``relation`` is empty.
    """
    names = {label.id: label.name for label in store.projects.labels(project.id)}
    batch: list[Answer] = []
    for answer in store.answers.current(project.id, split):
        if answer.kind is Kind.LABEL or skips:
            batch.append(answer)
        if len(batch) == TEXTS_AT_ONCE:
            yield from _rows(store, batch, names)
            batch = []
    yield from _rows(store, batch, names)


def _rows(store: Store, answers: list[Answer], names: dict[int, str]) -> Iterator[dict[str, Any]]:
    items = store.items.several(list({answer.item for answer in answers}))
    for answer in answers:
        text = items[answer.item].text
        yield {
            "item_id": answer.external_id,
            "text": text,
            "text_sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
            "split": answer.split.value,
            "labels": [names[label] for label in answer.labels],
            "relation": answer.relation.value if answer.kind is Kind.LABEL else "",
            "kind": answer.kind.value,
            "annotator": answer.user,
            "at": datetime.fromtimestamp(answer.at, UTC).isoformat(timespec="milliseconds"),
            "seconds": answer.seconds,
            "reason": answer.reason.value if answer.reason else None,
            "selector": answer.selector,
            "model": answer.model,
            "score": answer.score,
            "probability": answer.probability,
            "suggestion": answer.suggestion,
            "note": answer.note,
            "uid": answer.uid,
            "copy_of": answer.copy_of,
            "metadata": items[answer.item].metadata,
        }
