"""``make demo``: the web app and the worker as two processes, started together and stopped together.

Must not do their work; if one of the two ends, the other is stopped and the reason is said.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from annot.errors import BadInput
from annot.settings import ROOT, Workspace

STARTUP_S = 60.0
STOP_S = 10.0


def run_demo(home: Workspace, lead: str, password: str | None, *, host: str, port: int) -> int:
    """Run until SIGINT or SIGTERM, or until one of the two processes ends. Raises BadInput when the port is taken."""
    _check_port(host, port)
    environment = {**os.environ, "ANNOT_HOME": str(home.home)}
    web = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.address",
        host,
        "--server.port",
        str(port),
        "--server.headless",
        "true",
    ]
    processes = {"web app": web, "worker": [sys.executable, "-m", "annot", "worker"]}
    stopped = _stop_signals()
    # A session of their own, so that Ctrl-C reaches only this process, which then stops them in order.
    running = {
        name: subprocess.Popen(
            command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL if name == "web app" else None
        )
        for name, command in processes.items()
    }
    try:
        if _wait_for(f"http://{host}:{port}/_stcore/health", running, stopped):
            renew = f"{os.path.relpath(sys.executable)} -m annot user password {lead}"
            signin = f"password {password} (shown only now)" if password else f"your password (a new one: {renew})"
            print(f"\n  Annot is ready:  http://{host}:{port}\n  Sign in as {lead} with {signin}\n  Ctrl-C stops it.\n", flush=True)
        while not stopped and all(process.poll() is None for process in running.values()):
            time.sleep(0.2)
        ended = [name for name, process in running.items() if process.poll() is not None]
    finally:
        _stop(running)
    if ended and not stopped:
        print(f"annot: the {ended[0]} ended by itself; see the lines above.", file=sys.stderr)
        return 1
    print("Stopped.")
    return 0


def _check_port(host: str, port: int) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise BadInput(f"Cannot listen on {host}:{port} ({fault.strerror}). Choose another port: make demo PORT=8600.") from None


def _stop_signals() -> list[int]:
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: received.append(got))
    return received


def _wait_for(address: str, running: dict[str, subprocess.Popen[bytes]], stopped: list[int]) -> bool:
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline and not stopped and all(process.poll() is None for process in running.values()):
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:
            if answer.status == 200:
                return True
        time.sleep(0.1)
    return False


def _stop(running: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in running.values():
        if process.poll() is None:
            process.terminate()
    for process in running.values():
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
