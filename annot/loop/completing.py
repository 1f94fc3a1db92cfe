"""What "not" and "either" answers teach a head: partial labels, made whole by what the head itself expects of them.

Over arrays, for ``learning``; only where labels exclude each other. Must not fit anything, nor read the store.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from annot.learners.head import Head
from annot.selftraining import tempering
from annot.situation import Situation

# Less of an item than this is no share of it: a head weighs rare labels up, and would take a trace of one for the label itself.
LEAST = 0.01
# An item that is spread over more labels than this says too little: where many labels are left and few have examples, learning from
# such items cost up to 4.7 points (trec50, 60 labels and 60 "not" answers). It is the inverse of the sum of squared shares.
MOST_SPREAD = 3.0
# Labelled items, the newest, that tell how sure a head may be.
JUDGED_ON = 1_000


def complete(situation: Situation, head: Head) -> NDArray[np.float64]:
    """Return soft targets (m, k) for the items known in part: rows that sum to 1 over what may hold, or to 0 where it cannot tell.

    One step of expectation maximisation (Jin and Ghahramani, "Learning with Multiple Labels", NIPS 2002) from ``head``, fitted without
    them. What it expects is made as sure as it is right (``tempering``), and as frequent as people's labels are, since it weighs all
    labels alike. A label nobody has given yet is as likely as those it is named with.
    """
    partial = situation.partial
    assert partial is not None, "fit() completes nothing where nothing is known in part"
    newest, said = situation.labelled[-JUDGED_ON:], situation.targets[-JUDGED_ON:]
    known = replace(situation, proba=head.proba(np.asarray(situation.vectors[newest])), labelled=np.arange(len(newest)), targets=said)
    power = tempering.exponent(known)
    given = situation.targets.sum(axis=0) + 1
    expected = tempering.temper(head.proba(np.asarray(situation.vectors[partial.rows])), power) * given / given.sum()
    named = partial.one_of.any(axis=1, keepdims=True)
    may = np.where(named, partial.one_of, ~partial.ruled_out)
    unseen = (partial.one_of & ~np.isfinite(head.bias)).any(axis=1, keepdims=True)
    shares = np.where(may & unseen, 1.0, np.where(may & np.isfinite(head.bias), expected, 0.0))
    shares[shares < LEAST * shares.sum(axis=1, keepdims=True)] = 0
    completed: NDArray[np.float64] = shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    completed[(completed**2).sum(axis=1) < 1 / MOST_SPREAD] = 0
    return completed
