"""Tasks that need an encoder: found on the machine they run on, or sent there once.

An encoder is known by name and content. Must not choose an encoder, or keep more than a few of those that were sent.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from annot import encoders
from annot.compute import folders
from annot.compute.base import Executor, Handle, Needs, R, Shared
from annot.compute.folders import Files
from annot.encoders import EncoderId
from annot.errors import ModelError
from annot.settings import machine_cache

P = ParamSpec("P")
# Sent encoders a machine keeps on its disk.
KEPT = 4


def stream(
    executor: Executor, work: Callable[Concatenate[EncoderId, ...], R], encoder: EncoderId, calls: Iterable[tuple[Any, ...]], needs: Needs
) -> Iterator[tuple[int, R]]:
    """Yield (place, result) of ``work(encoder, *call)``, the encoder being the one at hand where the task runs.

    Its files are shared when a machine is first found to lack it. Raises ModelError where a machine has another under its name.
    """
    files: Shared[Files] | None = None
    given: dict[int, tuple[Any, ...]] = {}
    again: list[int] = []

    def first() -> Iterator[tuple[Any, ...]]:
        for place, call in enumerate(calls):
            given[place] = call
            yield work, encoder, files, call

    for place, found in executor.stream(_with_encoder, first(), needs):
        if found is not None:
            del given[place]
            yield place, found[0]
            continue
        files = files or executor.share(folders.read(encoder.path))
        again.append(place)
    for turn, found in executor.stream(_with_encoder, ((work, encoder, files, given[place]) for place in again), needs):
        assert found is not None
        yield again[turn], found[0]


def _with_encoder(
    work: Callable[Concatenate[EncoderId, ...], R], encoder: EncoderId, files: Handle[Files] | None, call: tuple[Any, ...]
) -> tuple[R] | None:
    """Run ``work`` as a task; None where its encoder is neither here nor sent along."""
    here = find(encoder) or (receive(encoder, files) if files is not None else None)
    return None if here is None else (work(here, *call),)


def find(encoder: EncoderId) -> EncoderId | None:
    """Return the encoder as it is found on this machine, None where it is not. Raises ModelError where its name means another."""
    for name in (encoder.name if encoder.name in encoders.names() else str(encoder.path), str(_sent(encoder))):
        try:
            here = encoders.identify(name)
        except ModelError:
            continue
        if _content(here) != _content(encoder):
            raise ModelError(
                f"The encoder {encoder.name!r} has another content on {os.uname().nodename} ({here.path}: {here.key}) than where the work "
                f"comes from ({encoder.key}). Install the same requirements on all nodes, or remove that folder."
            )
        return replace(encoder, path=here.path)
    return None


def receive(encoder: EncoderId, files: Handle[Files]) -> EncoderId:
    """Write a sent encoder to this machine's disk, unless another process just did. Raises ModelError where it arrived damaged."""
    folder = _sent(encoder)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            folders.write(files.get(), folder)
            _forget_old(folder.parent)
    found = find(encoder)
    if found is None:
        raise ModelError(
            f"The encoder {encoder.name!r} was sent to {os.uname().nodename} but cannot be read there. Is its folder complete?"
        )
    return found


def _sent(encoder: EncoderId) -> Path:
    return machine_cache() / "encoders" / _content(encoder)


def _content(encoder: EncoderId) -> str:
    return encoder.key.rsplit("-", 1)[-1]


def _forget_old(parent: Path) -> None:
    sent = sorted((path for path in parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in sent[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
