"""The vector cache keeps what was acknowledged, whatever the moment a writer is killed at."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from annot.errors import BadInput, WorkspaceError
from annot.vectors import Rows, VectorCache, content_hash

D = 4


def keys(n: int, start: int = 0) -> list[bytes]:
    return [content_hash(f"text {place}") for place in range(start, start + n)]


def vectors(n: int, start: int = 0) -> np.ndarray:
    # Below 1,000, where float16 holds every whole number.
    return (np.arange(start, start + n) % 1000).astype(np.float16)[:, None] * np.ones(D, np.float16)


def filled(folder: Path, n: int) -> VectorCache:
    cache = VectorCache(folder, D)
    cache.append(keys(n), vectors(n))
    return cache


def test_any_string_has_a_hash_of_16_bytes() -> None:
    assert {len(content_hash(text)) for text in ("", "a\0b", "\ud800", "🤷", "x" * 100_000)} == {16}
    assert content_hash("") != content_hash("\0")


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    filled(tmp_path, 5).append(keys(3, 5), vectors(3, 5))
    cache = VectorCache(tmp_path, D)
    assert len(cache) == 8
    rows = cache.rows([*keys(8)[::-1], content_hash("absent")])
    assert rows.tolist() == [7, 6, 5, 4, 3, 2, 1, 0, -1]
    assert cache.matrix[rows[:8]][:, 0].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert isinstance(cache.matrix, np.memmap)


@pytest.mark.parametrize("rows", [[3, 4, 5], [5, 3, 4], [0, 7, 2], [2, 2, 4], [6], []])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_chosen_rows_read_like_an_array_and_come_whole_in_blocks(rows: list[int], size: int) -> None:
    matrix = vectors(8)
    seen = Rows(matrix, np.array(rows, np.int64))
    assert (seen.shape, seen.dtype, len(seen)) == ((len(rows), D), np.float16, len(rows))
    assert np.array_equal(seen[1:], matrix[rows][1:])
    assert np.array_equal(np.asarray(seen, np.float32), matrix[rows].astype(np.float32))
    blocks = list(seen.blocks(size))
    assert sorted(place for places, _ in blocks for place in places.tolist()) == list(range(len(rows)))
    assert all(np.array_equal(read(), seen[places]) and len(places) <= size for places, read in blocks)


def test_rows_that_lie_together_are_not_copied() -> None:
    matrix = vectors(8)
    ((places, read),) = Rows(matrix, np.array([4, 2, 3])).blocks(10)
    assert places.tolist() == [1, 2, 0]
    assert np.shares_memory(read(), matrix)


def test_a_vector_that_is_no_number_is_kept_as_zeros(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, D)
    found = vectors(3, 5)
    found[1, 2], found[2, 0] = np.nan, np.inf
    cache.append(keys(3), found)
    assert cache.matrix.tolist() == [[5] * D, [0] * D, [0] * D]


def test_keys_may_come_as_an_array(tmp_path: Path) -> None:
    cache = filled(tmp_path, 3)
    array = np.array([np.void(key) for key in keys(4)], "V16")
    assert cache.rows(array).tolist() == [0, 1, 2, -1]
    cache.append(array, vectors(4))
    assert len(cache) == 4


def test_an_empty_cache_knows_nothing(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "not" / "there", D)
    assert cache.rows(keys(2)).tolist() == [-1, -1]
    assert cache.rows([]).tolist() == []
    assert cache.matrix.shape == (0, D)
    cache.append([], np.empty((0, D), np.float16))
    assert len(cache) == 0


def test_duplicates_are_kept_once(tmp_path: Path) -> None:
    cache = filled(tmp_path, 2)
    cache.append([*keys(3), *keys(3)], np.concatenate([vectors(3), vectors(3)]))
    assert len(cache) == 3
    assert cache.matrix[:, 0].tolist() == [0, 1, 2]


def test_a_reader_sees_another_writers_rows_after_refresh(tmp_path: Path) -> None:
    reader = VectorCache(tmp_path, D)
    filled(tmp_path, 3)
    assert reader.rows(keys(1)).tolist() == [-1]
    reader.refresh()
    assert reader.rows(keys(3)).tolist() == [0, 1, 2]


def test_keys_that_share_their_first_half_are_told_apart(tmp_path: Path) -> None:
    alike = [b"samesame" + bytes([last] * 8) for last in (3, 1, 2)]
    cache = VectorCache(tmp_path, D)
    cache.append(alike[:2], vectors(2))
    cache.append(alike[2:], vectors(1, 2))
    assert cache.rows([*alike, b"samesame" + bytes(8)]).tolist() == [0, 1, 2, -1]


@pytest.mark.parametrize("torn_keys", [0, 1, 15, 16, 17, 31, 32])
@pytest.mark.parametrize("torn_vectors", [0, 1, 2 * D - 1, 2 * D, 2 * D + 1])
def test_a_torn_tail_is_cut_off_and_written_anew(tmp_path: Path, torn_keys: int, torn_vectors: int) -> None:
    filled(tmp_path, 5)
    for name, size in (("keys.bin", 5 * 16 - torn_keys), ("vectors.f16", 5 * 2 * D - torn_vectors)):
        os.truncate(tmp_path / name, size)
    whole = min((5 * 16 - torn_keys) // 16, (5 * 2 * D - torn_vectors) // (2 * D))
    cache = VectorCache(tmp_path, D)
    assert cache.rows(keys(5)).tolist() == [*range(whole), *[-1] * (5 - whole)]
    cache.append(keys(7)[::-1], vectors(7)[::-1])
    for seen in (cache, VectorCache(tmp_path, D)):
        assert seen.matrix[seen.rows(keys(7))][:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_garbage_after_the_whole_rows_is_cut_off(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    with (tmp_path / "vectors.f16").open("ab") as file:
        file.write(b"\xff" * 100)
    cache = VectorCache(tmp_path, D)
    cache.append(keys(1, 2), vectors(1, 2))
    assert cache.matrix[:, 0].tolist() == [0, 1, 2]
    assert (tmp_path / "vectors.f16").stat().st_size == 3 * 2 * D


def _write_for_ever(folder: Path) -> None:
    cache = VectorCache(folder, D)
    for start in range(0, 10**6, 7):
        cache.append(keys(7, start), vectors(7, start))


def test_a_killed_writer_leaves_only_right_rows(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for pause in (0.05, 0.11, 0.17):
        writer = context.Process(target=_write_for_ever, args=(tmp_path,))
        writer.start()
        time.sleep(pause)
        assert writer.pid
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        cache = VectorCache(tmp_path, D)
        rows = cache.rows(keys(len(cache)))
        assert sorted(rows.tolist()) == list(range(len(cache)))
        assert np.array_equal(cache.matrix[rows], vectors(len(cache)))
    assert len(cache) > 0


def _write(folder: Path, start: int) -> None:
    cache = VectorCache(folder, D)
    for place in range(start, start + 60, 3):
        cache.append(keys(6, place), vectors(6, place))


def test_two_writers_take_turns(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, start)) for start in (0, 30)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    cache = VectorCache(tmp_path, D)
    assert len(cache) == 93
    assert np.array_equal(cache.matrix[cache.rows(keys(93))], vectors(93))


def test_a_million_lookups_are_quick(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, 1)
    many = np.random.default_rng(0).bytes(16 * 10**6)
    array = np.frombuffer(many, "V16")
    cache.append(array, np.zeros((10**6, 1), np.float16))
    started = time.process_time()
    assert (cache.rows(array) >= 0).all()
    assert time.process_time() - started < 2  # 0.4 s when measured; a loop would take more than 2


def test_vectors_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="shape"):
        VectorCache(tmp_path, D).append(keys(2), np.zeros((2, D + 1), np.float16))
    with pytest.raises(BadInput, match="16 bytes"):
        VectorCache(tmp_path, D).rows([b"short"])


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        VectorCache(tmp_path / "file" / "vectors", D)
