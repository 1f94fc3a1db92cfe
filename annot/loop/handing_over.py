"""The model that leaves Annot: the serving encoder, the head of the newest report, the labels, a card that says how good it is, and a
script that predicts. It is the model whose quality the report tells, so nothing is fitted here. Must not load torch.
"""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from annot import __version__, encoders, formats
from annot.errors import BadInput
from annot.loop.encoding import run_folder
from annot.loop.report.record import Report, earlier
from annot.records import Label, Project
from annot.settings import ROOT, ProjectSettings, Workspace
from annot.store import Store

SCRIPT = ROOT / "models" / "predict.py"
# What a run keeps beside its encoder is about its training, not for use.
LEFT_OUT = ("card.json", "training_items.json", "README.md", "data_config.json")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the model: its path in the folder, and what is in it."""

    name: str
    content: Path | bytes


def parts_of(workspace: Workspace, store: Store, project: Project) -> list[Part]:
    """Return the files of the project's model. Raises BadInput while there is none, or where the encoder was changed since."""
    with store.snapshot():
        stored, head = store.reports.newest(project.id), store.reports.head(project.id)
    report, _ = earlier(stored)
    if stored is None or report is None or not head:
        raise BadInput(
            f"Project {project.name!r} has no model yet. The worker makes one with the first report, once labels of two classes exist "
            "and all texts are encoded. Is `python -m annot worker` (or `make demo`) running?"
        )
    run = stored.model or None
    card = None if run is None else store.runs.get(run).card
    base = ProjectSettings.parse(project.settings).encoder if card is None else card["encoder"]["base"]
    encoder = encoders.identify(base if run is None else str(run_folder(workspace, run)))
    with np.load(io.BytesIO(head)) as arrays:
        if str(arrays.get("encoder", "")) != encoder.key:
            raise BadInput(
                f"The head in the newest report of project {project.name!r} is not known to fit the encoder that serves now. "
                "The worker makes a new report once all texts are encoded: try again then."
            )
    # In the order of the head's columns: what was added since the report it knows nothing of.
    known = {label.id: label for label in store.projects.labels(project.id)}
    labels = [asdict(known.get(row.label) or Label(row.label, row.name, row.name)) for row in report.per_label]
    told = {
        "made_by": f"Annot {__version__}",
        "made_at": datetime.fromtimestamp(report.at, UTC).isoformat(timespec="seconds"),
        "project": project.name,
        "labels_given": report.labels,
        "model": report.model,
        "exclusive": project.exclusive,
        "quality": _quality(report),
        "encoder": {
            "name": base,
            "folder": (Path("encoder") / encoders.transformer_folder(encoder.path).relative_to(encoder.path)).as_posix(),
            "key": encoder.key,
            "pooling": encoder.pooling,
            "max_tokens": encoder.max_tokens,
        },
        "run": card,
    }
    return [
        Part("card.json", _json(told)),
        Part("labels.json", _json(labels)),
        Part("head.npz", head),
        Part("predict.py", SCRIPT),
        *(Part(f"encoder/{name.as_posix()}", encoder.path / name) for name in _files(encoder.path)),
    ]


def save(parts: list[Part], target: Path) -> None:
    """Write the model as a folder, or as a zip file where the name ends so; after a fault there is nothing of it.

    Raises BadInput where there is something already, or it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target} exists and is not an empty folder. Name a new one.")
    try:
        if target.suffix == ".zip":
            _save_zip(parts, target)
        else:
            _save_folder(parts, target)
    except OSError as fault:
        raise BadInput(f"The model cannot be written to {target}: {fault.strerror or fault}.") from None


def _save_folder(parts: list[Part], folder: Path) -> None:
    folder, there = folder.resolve(), folder.exists()  # what is there may be a mount, which nothing can be moved onto
    fresh = (folder if there else folder.parent) / f".{folder.name}.{os.getpid()}.part"
    try:
        for part in parts:
            target = fresh / part.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(part.content, bytes):
                target.write_bytes(part.content)
            else:
                shutil.copyfile(part.content, target)
        if there:
            for made in list(fresh.iterdir()):
                made.replace(folder / made.name)
        else:
            fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _save_zip(parts: list[Part], file: Path) -> None:
    with formats.replacing(file) as bare, zipfile.ZipFile(bare, "w", zipfile.ZIP_STORED) as out:  # weights hardly get smaller
        for part in parts:
            if isinstance(part.content, bytes):
                out.writestr(part.name, part.content)
            else:
                out.write(part.content, part.name)


def _quality(report: Report) -> dict[str, object] | None:
    """Return the newest measured point, by the labels the model did not choose; None before this model has one."""
    newest = report.curve[-1] if report.curve else None
    if newest is None or newest.model != report.model:
        return None
    found = asdict(newest)
    of = "the test split" if report.source == "test" else "the whole pool, whose labelled texts count as right; new texts may be harder"
    return {"metric": report.metric, "source": report.source, "of": of, **{name: found[name] for name in ("value", "low", "high", "n")}}


def _files(folder: Path) -> Iterator[Path]:
    """Return the encoder's files, each once; a run's own notes stay behind."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in LEFT_OUT and not any(part.startswith(".") for part in name.parts):
            yield name


def _json(what: object) -> bytes:
    return json.dumps(what, indent=2, ensure_ascii=False).encode()
