"""The driver of a Ray cluster: takes calls from a pipe, gives them to Ray as tasks, and sends back what they return.

Runs as a process of its own, started by ``cluster``; ends when the other end of the pipe does. The only module that imports ray.
"""

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from annot.compute.base import Needs
from annot.compute.fit import Fit, fit_on
from annot.compute.messages import Call, Done, Drop, Failed, Lost, Put, Room, Token
from annot.errors import AnnotError

# How often a task is done again when its node or its process is lost.
RETRIES = 5
# How long the cluster may lack any node that a task fits on.
NO_NODE_S = 30.0
POLL_S = 0.05
LOOK_AGAIN_S = 1.0
# Of a cluster of this machine alone: room for results not yet taken and for an encoder's files.
OBJECT_STORE_BYTES = 512 * 2**20


def main(pipe: int, address: str) -> None:
    connection = Connection(pipe)
    try:
        _connect(address)
        Driver(connection).run()
    except (RayError, ConnectionError, ValueError, RuntimeError) as fault:
        _last_words(connection, fault)
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        ray.init(address=address, **quiet)
    else:
        ray.init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet)


def _last_words(connection: Connection, fault: Exception) -> None:
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()] or [type(fault).__name__]
    with suppress(OSError):
        connection.send(Lost(lines[-1] if isinstance(fault, RayTaskError) else lines[0]))


@dataclass(frozen=True, slots=True)
class Held:
    """A value in the object store: fetched by the task that wants it, once to each machine."""

    value: Any

    def get(self) -> Any:
        return ray.get(self.value)


def perform(work: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Run on a node; return (True, result), or (False, (words, expected)) of an error of the task itself, which Ray must not retry."""
    try:
        return True, work(*arguments)
    except AnnotError as fault:
        return False, (str(fault), True)
    except Exception:
        return False, (traceback.format_exc(), False)


@dataclass(slots=True)
class Driver:
    """The state of one connection."""

    pipe: Connection
    _inbox: "queue.SimpleQueue[Put | Drop | Call | None]" = field(default_factory=queue.SimpleQueue)
    _held: dict[int, Held] = field(default_factory=dict)
    _running: dict[Any, int] = field(default_factory=dict)
    _needs: Needs = field(default_factory=Needs)
    _fit: Fit | None = None
    _looked_at: float = 0.0
    _fitted_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Serve until the pipe ends. Raises RayError where the cluster cannot go on."""
        # Reads at all times: else both ends could wait for each other, each with a message too large for the pipe.
        threading.Thread(target=self._read, daemon=True).start()
        while self._take():
            if self._running:
                done, _ = ray.wait(list(self._running), num_returns=1, timeout=POLL_S)
                for reference in done:
                    self._answer(reference)
                self._look()

    def _read(self) -> None:
        try:
            while True:
                self._inbox.put(self.pipe.recv())
        except (EOFError, OSError):
            self._inbox.put(None)

    def _take(self) -> bool:
        """Take what has come, waiting for it if nothing runs; False at the end of the pipe."""
        while not (self._running and self._inbox.empty()):
            message = self._inbox.get()
            if message is None:
                return False
            if isinstance(message, Put):
                self._held[message.number] = Held(ray.put(message.value))
            elif isinstance(message, Drop):
                del self._held[message.number]
            else:
                self._start(message)
        return True

    def _start(self, call: Call) -> None:
        if call.needs != self._needs or self._fit is None:
            self._needs, self._looked_at = call.needs, 0.0
            self._look()
        cpus, gpus = (self._fit.cpus, self._fit.gpus) if self._fit else (call.needs.cpus, 0)
        # A process that has another number of threads is another process to Ray.
        environment = {"OMP_NUM_THREADS": str(cpus), "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": str(cpus > 1).lower()}
        arguments = tuple(self._held[one.number] if isinstance(one, Token) else one for one in call.arguments)
        task = ray.remote(perform).options(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES, runtime_env={"env_vars": environment})
        self._running[task.remote(call.work, arguments)] = call.number

    def _answer(self, reference: Any) -> None:
        good, result = ray.get(reference)
        number = self._running.pop(reference)
        self.pipe.send(Done(number, result) if good else Failed(number, *result))

    def _look(self) -> None:
        """See now and then which nodes there are; tell how many calls they take. Raises RuntimeError when there have long been none."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_AGAIN_S:
            return
        self._looked_at = now
        fit = fit_on([node["Resources"] for node in ray.nodes() if node["Alive"]], self._needs)
        if fit is not None:
            self._fitted_at = now
            if fit != self._fit:
                self._fit = fit
                self.pipe.send(Room(2 * fit.at_once))  # so that the next call is there when one ends
        elif now - self._fitted_at > NO_NODE_S:
            raise RuntimeError("no node of it is left")
