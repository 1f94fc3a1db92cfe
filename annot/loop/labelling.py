"""What an annotator does: hand in answers and get the next items. Constant time in the size of the pool.

Must not load a model: guesses and reasons come from rows the worker wrote.
"""

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

from annot.errors import BadInput
from annot.records import Event, Kind, Label, Lease, Project, Relation, Split, User
from annot.settings import GROUPS, ProjectSettings
from annot.store import Store

MOST_EVENTS = 500
MOST_ITEMS = 50
LONGEST_NOTE = 10_000
TWIN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Progress:
    """``labelled`` and ``pool`` count items of the pool, ``mine_today`` this person's answers since midnight UTC."""

    mine_today: int
    labelled: int
    pool: int


@dataclass(frozen=True, slots=True)
class Staleness:
    """Which model ranked the queue, with how many labels, and how many labels came since."""

    model: int
    labels: int
    behind: int


@dataclass(frozen=True, slots=True)
class Synced:
    saved: list[str]
    refused: list[tuple[str, str]]
    leases: list[Lease]
    stale: list[int]
    progress: Progress
    ranking: Staleness | None
    setup: int


def setup_stamp(project: Project, labels: Sequence[Label]) -> int:
    """Return a number that changes with what an annotator is shown besides texts: labels, guidelines, options."""
    settings = ProjectSettings.parse(project.settings).as_dict()
    shown = [project.name, project.guidelines, [settings[name] for name in GROUPS["The labelling page"]]]
    return zlib.crc32(json.dumps([*shown, [astuple(label) for label in labels]]).encode())


def check_size(events: int, hold: int) -> None:
    """Raise BadInput where a request brings more than a panel ever holds: before anything in it is read, as others wait meanwhile."""
    if events > MOST_EVENTS or hold > 4 * MOST_ITEMS:
        raise BadInput(f"Send at most {MOST_EVENTS} events and {4 * MOST_ITEMS} held leases at once.")


def sync(store: Store, project: Project, user: User, tab: str, *, events: Sequence[Event], hold: Sequence[int], want: int) -> Synced:
    """Store the events, then fill the tab up to ``want`` leased items. Raises BadInput on a request no panel makes."""
    if not 0 < len(tab) <= 100:
        raise BadInput("A tab id has 1 to 100 characters.")
    check_size(len(events), len(hold))
    settings = ProjectSettings.parse(project.settings)
    now = time.time()
    allowed, refused = _allowed(store, project, settings, events)
    saved = []
    if allowed:
        for event, why in zip(allowed, store.answers.record(project.id, user.id, allowed, now), strict=True):
            if why is None:
                saved.append(event.uid)
            else:
                refused.append((event.uid, why))
    leases, stale = store.queue.hold(
        project.id,
        user.id,
        tab,
        hold,
        want=max(0, min(want, MOST_ITEMS)),
        seconds=settings.lease_minutes * 60,
        overlap=settings.overlap,
        now=now,
    )
    if settings.suggestions == "off" and not settings.likely_first:  # what must not lead an annotator does not reach the browser
        leases = [replace(lease, guesses=()) for lease in leases]
    twins = store.twins.offered([lease.id for lease in leases], overlap=settings.overlap, now=now, characters=TWIN_CHARACTERS)
    leases = [replace(lease, twins=tuple(twins.get(lease.id, ())[:MOST_ITEMS])) for lease in leases]
    ranking = staleness(store, project.id)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    labelled = ranking.labels + ranking.behind if ranking else store.answers.labels(project.id)
    progress = Progress(store.answers.count_by(project.id, user.id, midnight), labelled, store.items.count(project.id, Split.POOL))
    return Synced(saved, refused, leases, stale, progress, ranking, setup_stamp(project, store.projects.labels(project.id)))


def _allowed(
    store: Store, project: Project, settings: ProjectSettings, events: Sequence[Event]
) -> tuple[list[Event], list[tuple[str, str]]]:
    """Part the events into those the project's settings allow and (uid, reason) of the others."""
    if not any(event.kind is Kind.LABEL for event in events):
        return list(events), []
    inner = set() if settings.allow_inner else {label.parent for label in store.projects.labels(project.id)}
    allowed, refused = [], []
    for event in events:
        if event.relation is Relation.NOT and not settings.allow_not:
            refused.append((event.uid, "This project does not take answers that rule a label out."))
        elif event.relation is Relation.EITHER and not settings.allow_either:
            refused.append((event.uid, "This project does not take answers between several labels."))
        elif event.relation is not Relation.NOT and inner & set(event.labels):
            refused.append((event.uid, "This project takes answers at the lowest level of the tree only."))
        else:
            allowed.append(event)
    return allowed, refused


def staleness(store: Store, project: int) -> Staleness | None:
    stamp = store.queue.ranking(project)
    if stamp is None:
        return None
    ranking, _ = stamp
    return Staleness(ranking.model, ranking.labels, store.queue.behind(project))


def parse_event(raw: object) -> Event:
    """Build an event from a JSON value. Raises BadInput naming the field and what was expected."""
    if not isinstance(raw, dict):
        raise BadInput("An event is a JSON object.")
    try:
        event = Event(
            uid=_text(raw, "uid", 8, 100),
            kind=Kind(str(raw.get("kind"))),
            item=_whole(raw, "item"),
            labels=tuple(_whole({"labels": one}, "labels") for one in raw.get("labels") or ()),
            relation=Relation(str(raw.get("relation") or Relation.IS)),
            lease=None if raw.get("lease") is None else _whole(raw, "lease"),
            target=None if raw.get("target") is None else _text(raw, "target", 8, 100),
            copy_of=None if raw.get("copy_of") is None else _text(raw, "copy_of", 8, 100),
            note="" if raw.get("note") is None else _text(raw, "note", 0, LONGEST_NOTE),
            shown_at=_number(raw, "shown_at"),
            seconds=_number(raw, "seconds"),
            suggestion=None if raw.get("suggestion") is None else _text(raw, "suggestion", 0, 20),
        )
    except (ValueError, TypeError) as fault:
        raise BadInput(f"An event could not be read: {fault}.") from None
    return event


def _text(raw: dict[str, object], name: str, shortest: int, longest: int) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not shortest <= len(value) <= longest or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadInput(f"Event field {name!r} must be a text of {shortest} to {longest} whole characters.")
    return value


def _whole(raw: dict[str, object], name: str) -> int:
    value = raw.get(name)
    if type(value) is not int or not 0 <= value < 2**63:
        raise BadInput(f"Event field {name!r} must be a whole number, got {value!r}.")
    return value


def _number(raw: dict[str, object], name: str) -> float | None:
    value = raw.get(name)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise BadInput(f"Event field {name!r} must be a number, got {value!r}.")
    return float(value)  # type: ignore[arg-type]
