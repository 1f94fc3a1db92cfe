"""What holds a model back, found in a project as it is: confusions, scarce labels, texts passed over, drift, calibration, and advice.

Must not estimate quality or decide whether to go on.
"""

from collections.abc import Sequence

import numpy as np

from annot.loop.report.look import Look
from annot.loop.report.record import Confused, Drifted, HeldBack
from annot.quality.calibration import calibration
from annot.quality.confusion import recalls
from annot.quality.diagnosis import Disagreement, Scarce, Skips, advice, skips, too_few
from annot.quality.drift import drift
from annot.records import Answer, Kind, Reason, Relation, Split

PAIRS, LONGEST = 12, 500


def find_held_back(look: Look) -> HeldBack:
    judged = look.judged
    found = look.confused
    words = found.words(look.names, len(found.pairs))
    told = calibration(judged.truth, np.clip(judged.proba, 0, 1), look.settings.seed)
    passed = passed_over(look)
    return HeldBack(
        confusion=tuple(Confused(line, _texts(look, pair.items)) for line, pair in zip(words[:PAIRS], found.pairs[:PAIRS], strict=True)),
        judged=found.n,
        scarce=tuple((one.words(look.names), one) for one in _scarce(look)),
        skips=passed,
        skip_words=(*passed.words(look.names), *audit_skips(look)),
        drift=find_drift(look),
        calibration=told,
        calibration_words=told.words(),
    )


def hints(look: Look) -> tuple[str, ...]:
    judged = look.judged
    said = judged.predicted(look.project.exclusive)
    apart = disagreements(look.answers, [label for label, _ in look.labels])
    return advice(recalls(judged.truth, said), _scarce(look), look.confused, look.names, apart)


def _scarce(look: Look) -> tuple[Scarce, ...]:
    trained = look.draft.labelled.targets[look.draft.labelled.train].sum(axis=0).astype(np.int64)
    free = look.draft.free()
    seen = look.predicted[free].sum(axis=0) * look.whole / max(1, len(look.draft.pool.ids))
    return too_few(trained, np.round(seen).astype(np.int64))


def audit_skips(look: Look) -> tuple[str, ...]:
    """Say how many audit items were skipped, and how much lower quality is at worst: nobody knows whether the model has them right."""
    labelled = set(look.draft.labelled.items.tolist())
    skipped = {one.item for one in look.answers if one.kind is Kind.SKIP and one.reason is Reason.AUDIT} - labelled
    judged = len(look.judged.truth)
    if not skipped or look.judged.source != "audit":
        return ()
    worst = 100 * len(skipped) / (len(skipped) + judged)
    were = f"{len(skipped)} audit texts were skipped and not judged"
    return (f"{were}: had the model all of them wrong, {worst:.0f} points fewer were right",)


def passed_over(look: Look) -> Skips:
    flagged = {item for item, *_ in look.store.answers.flags(look.project.id, limit=1000)}
    shown: dict[int, bool] = {}
    for answer in look.answers:
        if answer.split is Split.POOL and answer.reason is not Reason.IMPORTED:
            shown[answer.item] = shown.get(answer.item, False) or answer.kind is Kind.SKIP or answer.item in flagged
    shown |= dict.fromkeys(flagged - set(shown), True)
    items = np.array(sorted(shown), np.int64)
    places = look.draft.pool.places(items)
    top = np.where(places >= 0, look.learned.proba[np.maximum(places, 0)].argmax(axis=1), -1) if len(items) else np.empty(0, np.int64)
    return skips(top, np.array([shown[int(one)] for one in items], bool), items.tolist())


def find_drift(look: Look) -> tuple[Drifted, ...]:
    """Compare the newest import with what was there before, where there were several."""
    first = look.store.items.newest_import_from(look.project.id)
    ids, matrix = look.plain.ids, look.plain.matrix
    if first is None or not len(ids):
        return ()
    new = ids >= first
    old, fresh = np.flatnonzero(~new), np.flatnonzero(new)
    if not len(old) or not len(fresh):
        return ()
    rng = np.random.default_rng(look.settings.seed)
    old, fresh = (np.sort(rng.choice(one, min(len(one), 2_000), replace=False)) for one in (old, fresh))
    found = drift(np.asarray(matrix[old], np.float32), np.asarray(matrix[fresh], np.float32), ids[fresh].tolist(), look.settings.seed)
    words = found.words("the texts imported last", "those that were there before")
    return (Drifted(words, found.found, _texts(look, found.typical) if found.found else ()),)


def not_audited(look: Look) -> str:
    """Say that texts were imported after most audit items had been drawn, so that quality speaks for the others; empty where it does not.

    The share of the newest import among audit items should be its share of what people were not asked about.
    """
    first = look.store.items.newest_import_from(look.project.id)
    if first is None or look.judged.source != "audit":
        return ""
    audit = look.judged.items
    fresh, wanted = int((audit >= first).sum()), float((look.draft.pool.ids >= first).mean())
    if fresh >= wanted * len(audit) / 2:
        return ""
    return f"{fresh} of {len(audit)} audit items are of the texts imported last, which are {100 * wanted:.0f} % of the pool"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _texts(look: Look, items: Sequence[int]) -> tuple[tuple[int, str], ...]:
    return tuple(zip(items, (_short(text) for text in look.store.items.texts(list(items))), strict=True))


def disagreements(answers: Sequence[Answer], labels: Sequence[int]) -> tuple[Disagreement, ...]:
    """Return for each pair of ``labels`` (by place) how often several people chose differently between them."""
    by_item: dict[int, dict[str, set[int]]] = {}
    for answer in answers:
        if answer.kind is Kind.LABEL and answer.relation is Relation.IS:
            by_item.setdefault(answer.item, {})[answer.user] = set(answer.labels)
    column = {label: at for at, label in enumerate(labels)}
    several = [set.union(*people.values()) for people in by_item.values() if len(people) > 1]
    used = np.zeros((len(several), len(labels)), np.int64)
    for row, given in enumerate(several):
        used[row, [column[label] for label in given if label in column]] = 1
    both, own = used.T @ used, used.sum(axis=0)
    return tuple(
        Disagreement(one, other, int(both[one, other]), int(own[one] + own[other] - both[one, other]))
        for one in range(len(labels))
        for other in range(one + 1, len(labels))
        if own[one] + own[other] > 0
    )
