"""One interface, two executors: the same results here, in processes and on a Ray cluster of two nodes, whatever dies in between."""

import os
import pickle
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from annot import compute, encoders
from annot.compute import Local, Needs, Telling, folders, scoring, shipping
from annot.compute.base import Shared, T
from annot.compute.encoding import encode
from annot.compute.fit import Fit, fit_on
from annot.compute.scoring import PoolScorer
from annot.encoders import EncoderId
from annot.errors import AnnotError, BadInput, ModelError, UnknownName
from annot.learners.finetune import Recipe
from annot.learners.head import Head
from annot.loop import encoding, rounds
from annot.settings import Workspace
from annot.store import Store

from .conftest import Small, add_items

NO_NEEDS = Needs()
# Whoever reaches a cluster without one may run anything on it.
TOKEN = secrets.token_hex(32)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> EncoderId:
    """The packaged encoder with the first of its layers only, as a folder."""
    base = encoders.identify("all-minilm-l6-v2")
    model, tokenizer = encoders.load_parts(base)
    model.encoder.layer = model.encoder.layer[:1]
    model.config.num_hidden_layers = 1
    out = tmp_path_factory.mktemp("encoders") / "one-layer"
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.save_pretrained(out)
    model.save_pretrained(out)
    return encoders.identify(str(out))


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks on the test's nodes have one CPU; a batch, and so the last bit of a vector, depends on the number of threads."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    """A cluster of a head that runs no tasks and two nodes of one CPU."""
    yield from _cluster(2)


def _cluster(nodes: int) -> Iterator[Any]:
    small = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", TOKEN)
        # Only now: ray reads its environment once, when it is first imported.
        pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, **small)
        yield cluster
        cluster.shutdown()


def use(monkeypatch: pytest.MonkeyPatch, cluster: Any) -> None:
    monkeypatch.setenv("ANNOT_COMPUTE", "ray")
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)


def double(number: int) -> int:
    if number < 0:
        raise BadInput(f"{number} is too small")
    return 2 * number


def where(shared: Shared[list[int]], telling: Telling) -> tuple[int, int]:
    telling("here")
    return sum(shared.get()), os.getpid()


@pytest.mark.parametrize("processes", [0, 2])
def test_results_come_with_their_places_and_a_tasks_error_with_its_words(processes: int) -> None:
    with Local(processes) as executor:
        assert dict(executor.stream(double, ((n,) for n in range(20)), NO_NEEDS)) == {n: 2 * n for n in range(20)}
        with pytest.raises(BadInput, match="-1 is too small"):
            list(executor.stream(double, [(1,), (-1,)], NO_NEEDS))
        assert list(executor.stream(double, [(4,)], NO_NEEDS)) == [(0, 8)]


def test_calls_are_taken_as_there_is_room_for_them() -> None:
    taken: list[int] = []

    def calls() -> Iterator[tuple[int]]:
        for n in range(100):
            taken.append(n)
            yield (n,)

    with Local(1) as executor:
        assert next(executor.stream(double, calls(), NO_NEEDS)) in {(0, 0), (1, 2)}  # whichever was seen to end first
    assert len(taken) == 2


def test_a_process_that_is_killed_is_said() -> None:
    with Local(1) as executor, pytest.raises(AnnotError, match="enough memory"):
        list(executor.stream(os._exit, [(3,)], NO_NEEDS))


def test_a_callback_is_heard_in_its_own_process_only() -> None:
    heard: list[str] = []
    telling = Telling(heard.append)
    telling("one")
    pickle.loads(pickle.dumps(telling))("two")
    assert heard == ["one"]


def test_an_unknown_executor_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOT_COMPUTE", "cloud")
    with pytest.raises(UnknownName, match="local, ray"):
        compute.executor()


def test_a_folder_is_read_and_written_whole(tmp_path: Path) -> None:
    files = {"config.json": b"{}", "1_Pooling/config.json": b"[]"}
    folders.write({"old.json": b""}, tmp_path / "made" / "out")
    folders.write(files, tmp_path / "made" / "out")
    assert folders.read(tmp_path / "made" / "out") == files
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["out"]
    with pytest.raises(TypeError):
        folders.write({"config.json": None}, tmp_path / "made" / "other")  # type: ignore[dict-item]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["out"]


def test_another_encoder_under_the_same_name_is_refused_in_words(encoder: EncoderId, tmp_path: Path) -> None:
    copy = encoders.identify(str(shutil.copytree(encoder.path, tmp_path / "copy")))
    assert shipping.find(copy) == copy
    (copy.path / "sentence_bert_config.json").write_text('{"max_seq_length": 100}')
    with pytest.raises(ModelError, match="another content on"):
        shipping.find(copy)


class Counting(Local):
    """Counts the rows that are shared, and those forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.forgotten = 0, 0

    def share(self, value: T) -> Shared[T]:
        self.shared += len(value)  # type: ignore[arg-type]
        return super().share(value)

    def forget(self, shared: Shared[Any]) -> None:
        self.forgotten += len(shared.value)


def a_head(rng: np.random.Generator) -> Head:
    return Head(rng.normal(size=(3, 16)).astype(np.float32), np.zeros(3, np.float32), exclusive=True)


def test_a_pool_is_scored_as_the_head_does_it_and_shared_once_and_as_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BLOCK", 2_048)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(6_000, 16)).astype(np.float16)
    executor = Counting()
    scorer = PoolScorer(executor)
    for rows, shared, forgotten in [(5_000, 5_000, 0), (5_000, 5_000, 0), (6_000, 6_904, 904), (100, 7_004, 6_904), (0, 7_004, 7_004)]:
        head = a_head(rng)
        np.testing.assert_array_equal(scorer.proba(matrix[:rows], head), head.proba(matrix[:rows]))
        assert (executor.shared, executor.forgotten) == (shared, forgotten)


@pytest.mark.parametrize(
    ("nodes", "needs", "expected"),
    [
        ([{"CPU": 2.0}, {"CPU": 8.0}], Needs(cpus=4), (4, 0, 2)),
        ([{"CPU": 2.0}, {"CPU": 2.0}], Needs(cpus=4, gpu=True), (2, 0, 2)),
        ([{"CPU": 8.0, "GPU": 2.0}, {"CPU": 64.0}], Needs(cpus=1, gpu=True), (1, 1, 2)),
        ([{"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0}], Needs(cpus=1), (1, 0, 12)),
        ([{"memory": 1.0}], Needs(), None),
    ],
)
def test_a_task_fits_where_there_is_what_it_needs(
    nodes: list[dict[str, float]], needs: Needs, expected: tuple[int, int, int] | None
) -> None:
    assert fit_on(nodes, needs) == (expected and Fit(*expected))


@pytest.mark.slow
def test_tasks_on_a_cluster_are_the_same_tasks(two_nodes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, two_nodes)
    monkeypatch.setattr(scoring, "BLOCK", 2_048)
    rng = np.random.default_rng(0)
    matrix, heard = rng.normal(size=(5_000, 16)).astype(np.float16), list[str]()
    with compute.executor() as executor:
        assert dict(executor.stream(double, ((n,) for n in range(50)), NO_NEEDS)) == {n: 2 * n for n in range(50)}
        with pytest.raises(AnnotError, match="-1 is too small"):
            list(executor.stream(double, [(1,), (-1,), (2,)], NO_NEEDS))
        numbers = executor.share([1, 2, 3])
        found = dict(executor.stream(where, [(numbers, Telling(heard.append))] * 3, NO_NEEDS))
        assert {total for total, _ in found.values()} == {6}
        assert os.getpid() not in {process for _, process in found.values()}
        assert not heard
        scorer = PoolScorer(executor)
        for rows in (3_000, 5_000):
            head = a_head(rng)
            np.testing.assert_array_equal(scorer.proba(matrix[:rows], head), head.proba(matrix[:rows]))
        assert not executor.note


@pytest.mark.slow
def test_an_encoder_is_sent_to_nodes_that_lack_it_and_a_tuned_one_comes_back_whole(
    two_nodes: Any, encoder: EncoderId, one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = os.open(encoder.path, os.O_RDONLY)
    absent = replace(encoder, path=Path(f"/proc/self/fd/{folder}"))  # means the folder in this process, and nothing in another
    shutil.rmtree(shipping._sent(encoder), ignore_errors=True)
    chunks = [[f"text {n} of chunk {chunk}" for n in range(50)] for chunk in range(6)]
    targets = np.eye(2, dtype=np.float32)[np.arange(50) % 2]
    recipe = Recipe(steps=2, batch=4)
    materials = [
        rounds.Material(base, recipe, chunks[0], targets, [], np.full(2, -1), exclusive=True, method="none") for base in (encoder, absent)
    ]
    with Local() as executor:
        here = dict(encode(executor, encoder, chunks))
        ((_, tuned, _),) = rounds.fine_tune_each(executor, materials[:1], [tmp_path / "here" / "run"], lambda step, what: None)
    use(monkeypatch, two_nodes)
    with compute.executor() as executor:
        there = dict(encode(executor, absent, chunks))
        ((_, far, _),) = rounds.fine_tune_each(executor, materials[1:], [tmp_path / "there" / "run"], lambda step, what: None)
        assert not executor.note
    assert all((here[place] == there[place]).all() for place in range(6))
    assert shipping._sent(encoder).is_dir()
    assert far.key == tuned.key != encoder.key
    shutil.rmtree(shipping._sent(encoder))
    os.close(folder)


def vectors_of(home: Workspace, store: Store, small: Small, encoder: EncoderId) -> NDArray[np.float16]:
    """Return the vectors of the project's items, in their order."""
    cache = encoding.cache_of(home, encoder)
    rows = cache.rows([key for _, key in store.items.hashes(small.project.id, encoding.Split.POOL)])
    assert (rows >= 0).all()
    return np.asarray(cache.matrix[rows])


@pytest.mark.slow
def test_a_node_killed_half_way_costs_no_vector_and_changes_none(
    two_nodes: Any, home: Workspace, store: Store, small: Small, encoder: EncoderId, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_items(store, small.project, [f"message {n}" for n in range(20_000 - 100)])
    other = Workspace(home.home / "local")
    encoding.encode_project(other, store, small.project, encoder, lambda done, total, message: None)
    doomed = [node for node in two_nodes.list_all_nodes() if node != two_nodes.head_node][-1]
    killed_at: list[int] = []
    told: list[str] = []

    def tell(done: int, total: int, message: str) -> None:
        told.append(message)
        if done >= total / 2 and not killed_at:
            killed_at.append(done)
            two_nodes.remove_node(doomed, allow_graceful=False)

    use(monkeypatch, two_nodes)
    encoding.encode_project(home, store, small.project, encoder, tell)
    assert killed_at[0] < 15_000
    assert not [message for message in told if "cannot be used" in message]
    here, there = (vectors_of(one, store, small, encoder) for one in (other, home))
    assert here.shape == (20_000, 384)
    assert here.tobytes() == there.tobytes()


@pytest.mark.slow
def test_a_lost_cluster_is_said_and_the_rest_is_done_here(
    home: Workspace, store: Store, small: Small, encoder: EncoderId, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_items(store, small.project, [f"message {n}" for n in range(8_000 - 100)])
    encoding.encode_project(Workspace(home.home / "local"), store, small.project, encoder, lambda done, total, message: None)
    monkeypatch.setattr("annot.compute.cluster.HEAD_GONE_S", "1")
    starting = _cluster(1)
    cluster = next(starting)
    use(monkeypatch, cluster)
    told: list[tuple[int, str]] = []
    stored: list[int] = []

    def tell(done: int, total: int, message: str) -> None:
        told.append((done, message))
        if done >= total / 4 and not stored:
            stored.append(len(encoding.cache_of(home, encoder)))
            for node in list(cluster.list_all_nodes()):
                node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)

    started = time.monotonic()
    encoding.encode_project(home, store, small.project, encoder, tell)
    assert time.monotonic() - started < 60
    starting.close()
    assert stored[0] >= 2_000
    assert "Ray cluster cannot be used" in told[-1][1]
    assert "on this machine" in told[-1][1]
    here, there = (vectors_of(one, store, small, encoder) for one in (Workspace(home.home / "local"), home))
    assert here.tobytes() == there.tobytes()
