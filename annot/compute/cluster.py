"""Tasks on a Ray cluster, and on this machine once the cluster is lost: nothing that was finished is done again.

Ray ends the process of a driver whose cluster is gone, so the driver is a process of its own (``driver``) at the other end of a pipe.
Must not import ray.
"""

import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from itertools import chain, count
from multiprocessing import Pipe
from types import TracebackType
from typing import Any, Self

from annot.compute.base import Needs, R, Shared, T
from annot.compute.local import Local
from annot.compute.messages import Call, Done, Drop, Failed, Lent, Lost, Put, Room, Token
from annot.errors import AnnotError, BadInput
from annot.settings import ROOT

CODE = "import sys; from annot.compute.driver import main; main(int(sys.argv[1]), sys.argv[2])"
WAIT_S = 1.0
# A cluster of this machine alone took 7 to 12 s to start on 2 busy cores.
START_S = 90.0
STOP_S = 10.0
# Without the cluster's head for so long, the driver's process is ended by Ray, whose default is 60.
HEAD_GONE_S = "20"

log = logging.getLogger("annot.compute")


class _Gone(Exception):
    """The cluster cannot be used; the words say why."""


class Cluster:
    """Runs tasks as Ray's tasks, those of lost nodes again on others, and once there is no cluster as ``local`` does.

    ``address`` is Ray's RAY_ADDRESS; empty for a cluster of this machine alone, started here. ``on_wait`` is called about once a
    second while nothing comes back. Raises BadInput where Ray is not installed.
    """

    def __init__(self, address: str, local: Local, on_wait: Callable[[], object]) -> None:
        if find_spec("ray") is None:
            raise BadInput("ANNOT_COMPUTE=ray needs Ray: pip install -r requirements-ray.txt. Or unset ANNOT_COMPUTE.")
        self.note = ""
        self._local, self._on_wait = local, on_wait
        self._numbers = count()
        self._room, self._reached, self._alive = 1, False, True
        self._started = time.monotonic()
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-c", CODE, str(theirs.fileno()), address]
        self._driver = subprocess.Popen(
            command, cwd=ROOT, env=_environment(address), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        theirs.close()

    def share(self, value: T) -> Shared[T]:
        if not self._alive:
            return Shared(value)
        lent = Lent(value, next(self._numbers))
        self._send_or_lose(Put(lent.number, value))
        return lent

    def forget(self, shared: Shared[Any]) -> None:
        if self._alive and isinstance(shared, Lent):
            self._send_or_lose(Drop(shared.number))

    def stream(self, work: Callable[..., R], calls: Iterable[tuple[Any, ...]], needs: Needs) -> Iterator[tuple[int, R]]:
        rest = enumerate(calls)
        open_: dict[int, tuple[int, tuple[Any, ...]]] = {}
        try:
            while self._alive:
                while len(open_) < self._room and (taken := next(rest, None)) is not None:
                    number = next(self._numbers)
                    open_[number] = taken
                    self._send(Call(number, work, tuple(_for_driver(one) for one in taken[1]), needs))
                if not open_:
                    return
                answer = self._receive()
                if answer is not None and answer.number in open_:  # else it is of a stream that nobody reads any more
                    place, _ = open_.pop(answer.number)
                    yield place, _result(answer)
        except _Gone as why:
            self._lose(why)
        places: list[int] = []
        for done, result in self._local.stream(work, _noting_places(chain(open_.values(), rest), places), needs):
            yield places[done], result

    def _send_or_lose(self, message: Put | Drop) -> None:
        try:
            self._send(message)
        except _Gone as why:
            self._lose(why)

    def _send(self, message: Put | Drop | Call) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            raise _Gone("its head does not answer") from None

    def _receive(self) -> Done | Failed | None:
        """Wait for an answer; None where something else came. Raises _Gone."""
        try:
            while not self._pipe.poll(WAIT_S):
                self._on_wait()
                if not self._reached and time.monotonic() - self._started > START_S:
                    raise _Gone(f"it was not there within {START_S:.0f} s")
            message = self._pipe.recv()
        except (OSError, EOFError):
            raise _Gone("its head does not answer") from None
        if isinstance(message, Lost):
            raise _Gone(message.words)
        if isinstance(message, Room):
            self._room, self._reached = message.calls, True
            return None
        answer: Done | Failed = message
        return answer

    def _lose(self, why: _Gone) -> None:
        self.note = f"The Ray cluster cannot be used ({why}); going on on this machine."
        log.warning("%s", self.note)
        self._stop()

    def _stop(self) -> None:
        self._alive = False
        self._pipe.close()  # the driver ends when its end of the pipe is alone
        try:
            self._driver.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if self._alive:
            self._stop()
        self._local.__exit__(kind, fault, trace)


def _environment(address: str) -> dict[str, str]:
    """Return the driver's: it imports what this process can, says nothing to anybody's server, and notices that the head is gone.

    A cluster started here takes a token of its own, for as long as it lives: else Ray would leave one in the home folder.
    """
    ours = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_gcs_rpc_server_reconnect_timeout_s": HEAD_GONE_S}
    if not address:
        ours |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return os.environ | ours | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


def _for_driver(argument: Any) -> Any:
    return Token(argument.number) if isinstance(argument, Lent) else argument


def _result(answer: Done | Failed) -> Any:
    if isinstance(answer, Done):
        return answer.result
    raise AnnotError(answer.words) if answer.expected else RuntimeError(answer.words)


def _noting_places(calls: Iterable[tuple[int, tuple[Any, ...]]], places: list[int]) -> Iterator[tuple[Any, ...]]:
    for place, call in calls:
        places.append(place)
        yield call
