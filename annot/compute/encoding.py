"""Encoding chunks of texts as tasks. Must not store vectors."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from annot import encoders
from annot.compute import shipping
from annot.compute.base import Executor, Needs
from annot.encoders import Encoder, EncoderId, Setting

# One thread a task, as two processes of one thread do more than one of two.
NEEDS = Needs(cpus=1, gpu=True)


def encode(
    executor: Executor, encoder: EncoderId, chunks: Iterable[Sequence[str]], setting: Setting | None = None
) -> Iterator[tuple[int, NDArray[np.float16]]]:
    """Yield (place of the chunk, its vectors (n, d)) as they are done, in any order; takes chunks as there is room for them.

    ``setting`` goes along, so that all machines compute in one number format. Raises ModelError where the encoder cannot be had or
    loaded, or has another content on a node.
    """
    return shipping.stream(executor, encode_chunk, encoder, ((list(chunk), setting) for chunk in chunks), NEEDS)


def encode_chunk(encoder: EncoderId, texts: Sequence[str], setting: Setting | None = None) -> NDArray[np.float16]:
    """Return the vectors (n, d) of a chunk; the encoder stays loaded in this process for the next one."""
    return _loaded(encoder, setting).encode(texts)


@lru_cache(maxsize=1)
def _loaded(encoder: EncoderId, setting: Setting | None) -> Encoder:
    return encoders.load(encoder, setting=setting)
