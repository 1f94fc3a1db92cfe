"""What may be said about quality, from labels the model did not choose, and how sure it is.

Pure functions over arrays. Must not read the store, and must not be given actively chosen labels to call the result quality.
"""

from annot.quality.estimates import Interval, accuracy, macro_f1, paired_difference, wilson
from annot.quality.pool import LabelQuality, PoolSample, confidence, label_quality, pool_accuracy

__all__ = [
    "Interval",
    "LabelQuality",
    "PoolSample",
    "accuracy",
    "confidence",
    "label_quality",
    "macro_f1",
    "paired_difference",
    "pool_accuracy",
    "wilson",
]
