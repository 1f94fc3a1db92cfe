"""The baseline nobody here wrote: small-text's own loop on the same pool, first labels, seed and encoder.

Its PoolBasedActiveLearner, its transformer classifier, its breaking ties. Must not use Annot's selectors, head or fine-tuning.
"""

import random
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import encoders, quality
from annot.loop.learning import predict
from annot.simulate.cell import Cell
from annot.simulate.data import Dataset
from annot.simulate.replay import Point, balanced

# small-text's defaults, but for the learning rate: at its 2e-5 a model this small does not leave the ground in 10 epochs of 130 texts.
LEARNING_RATE = 1e-4
EPOCHS = 10
MAX_TOKENS = 128


def small_text_loop(cell: Cell, dataset: Dataset) -> list[Point]:
    """Run small-text's active learner as its examples do, retraining after every query; judge it at the same label counts."""
    import torch
    from small_text import AMPArguments, BreakingTies, LabelCardinalityInconsistency, PoolBasedActiveLearner
    from small_text.integrations.transformers.classifiers.classification import TransformerModelArguments
    from small_text.integrations.transformers.classifiers.factories import TransformerBasedClassificationFactory
    from small_text.integrations.transformers.datasets import TransformersDataset
    from transformers import AutoTokenizer

    started = time.perf_counter()
    _seed(cell.seed)
    path = str(encoders.identify(cell.encoder).path)
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    # small-text pads every text to this length: no longer than the longest.
    longest = min(MAX_TOKENS, max(len(ids) for ids in tokenizer(dataset.texts)["input_ids"]))
    given = _theirs(dataset.targets, dataset.exclusive)
    known = np.arange(len(dataset.labels))
    pool, test = (
        TransformersDataset.from_arrays(dataset.texts[part], given[part], tokenizer, target_labels=known, max_length=longest)
        for part in (slice(dataset.pool), dataset.test)
    )
    factory = TransformerBasedClassificationFactory(
        TransformerModelArguments(path, predict_batch_size=64, show_progress_bar=False),
        len(dataset.labels),
        {
            "multi_label": not dataset.exclusive,
            "num_epochs": EPOCHS,
            "lr": LEARNING_RATE,
            "device": encoders.best_device(),
            "amp_args": AMPArguments(True, torch.device(encoders.best_device()).type, torch.bfloat16),
            "verbosity": 0,
        },
    )
    # Its breaking ties know one label an item only.
    asks = BreakingTies() if dataset.exclusive else LabelCardinalityInconsistency()
    learner = PoolBasedActiveLearner(factory, asks, pool)
    places = np.array(balanced(dataset, cell.first, np.random.default_rng(cell.seed)), np.int64)
    learner.initialize(places)
    points, most = [], min(cell.labels, dataset.pool)
    while True:
        points.append(_judge(learner, test, dataset, len(places), time.perf_counter() - started))
        if len(places) >= most:
            return points
        asked = learner.query(num_samples=min(cell.query, most - len(places)))
        learner.update(given[asked])
        places = np.concatenate([places, asked])


def _judge(learner: Any, test: Any, dataset: Dataset, labels: int, seconds: float) -> Point:
    proba = learner.classifier.predict_proba(test)
    dense = proba if dataset.exclusive else proba.toarray()
    said = predict(np.asarray(dense, np.float32), dataset.exclusive)
    truth = dataset.targets[dataset.test]
    accuracy, macro_f1 = (round(float(one.value), 4) for one in (quality.accuracy(truth, said), quality.macro_f1(truth, said)))
    return Point(labels, accuracy, macro_f1, 1, 0, round(seconds, 1))


def _theirs(targets: NDArray[np.float32], exclusive: bool) -> Any:
    from scipy.sparse import csr_matrix

    return targets.argmax(axis=1) if exclusive else csr_matrix(targets.astype(np.int64))


def _seed(seed: int) -> None:
    """small-text, torch and scikit-learn draw from the global generators of this process."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
