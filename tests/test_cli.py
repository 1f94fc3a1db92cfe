"""The command line as a person uses it: exit codes, words, and no traceback."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from annot import formats, selectors, selftraining
from annot.cli import main
from annot.settings import Workspace

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data" / "sample"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


COMMANDS = ["init", "demo", "import", "export", "export-model", "set", "methods", "worker", "stats", "simulate", "user", "bench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "usage: python -m annot" in capsys.readouterr().out


def test_init_prints_the_password_once(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "init")
    assert code == 0
    assert re.search(r"Sign in as lead with password \S{12} ", out)
    code, out, _ = run(capsys, "init")
    assert code == 0
    assert "with password" not in out


def test_import_stats_and_export_of_a_new_project(home: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(
        capsys, "import", str(SAMPLE / "messages.csv"), "--project", "mail", "--create", "--labels", str(SAMPLE / "labels.json")
    )
    assert (code, err) == (0, "")
    assert "689 added (689 pool, 0 test), 0 known already, 0 refused" in out
    code, out, _ = run(capsys, "import", str(SAMPLE / "test.csv"), "--project", "mail", "--as", "test")
    assert "160 added (0 pool, 160 test, 160 of them with labels that count as answers)" in out
    code, out, _ = run(capsys, "stats", "--project", "mail", "--json")
    assert (json.loads(out)["pool"], json.loads(out)["test"], json.loads(out)["labels"]) == (689, 160, 0)
    code, out, _ = run(capsys, "stats", "--project", "mail")
    assert "No worker is running" in out
    target = tmp_path / "out.csv"
    assert run(capsys, "export", "--project", "mail", "--split", "all", "--out", str(target))[0] == 0
    assert target.read_text("utf-8").count("imported") == 160
    assert run(capsys, "export", "--project", "mail", "--split", "test", "--out", str(tmp_path / "out.jsonl"))[0] == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert {row["reason"] for row in rows} == {"imported"}


def test_labels_of_a_file_are_left_where_only_texts_are_wanted(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    new = ["--project", "mail", "--create", "--labels", str(SAMPLE / "labels.json"), "--no-labels"]
    assert "160 added (160 pool, 0 test), 0 known" in run(capsys, "import", str(SAMPLE / "test.csv"), *new)[1]
    assert json.loads(run(capsys, "stats", "--project", "mail", "--json")[1])["labels"] == 0


def test_a_setting_is_changed_and_the_others_stay(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "init", "--sample")
    assert "run_every=7\n" in run(capsys, "set", "--project", "Larkfield support", "run_every=7", "likely_first=yes")[1]
    told = run(capsys, "set", "--project", "Larkfield support", "selector=random")[1]
    assert {"run_every=7", "likely_first=True", "selector=random"} <= set(told.splitlines())


def test_every_method_and_format_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "methods")[1].splitlines()
    told = {line.split()[0]: line.split(maxsplit=1)[1:] for line in lines if line.startswith("  ")}
    assert set(told) == {*selectors.names(), *selftraining.names(), *formats.readers, *formats.writers}
    assert all(told.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stats", "--project", "nothing"], "There is no project named 'nothing'. Known: none."),
        (["import", "no-such-file.csv", "--project", "x"], "There is no file no-such-file.csv."),
        (["import", str(SAMPLE / "messages.csv"), "--project", "x"], "There is no project named 'x'"),
        (["import", str(SAMPLE / "messages.csv"), "--project", "x", "--create"], "A new project needs its label set"),
        (["import", str(SAMPLE / "README.md"), "--project", "x"], "README.md"),
        (["user", "password", "nobody"], "There is no account named 'nobody'."),
        (["set", "--project", "x", "run_every"], "There is no project named 'x'"),
        (["export-model", "--project", "x", "--out", "m"], "There is no project named 'x'"),
        (["bench", "nothing"], "There is no benchmark named 'nothing'. Known: "),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    home: Workspace, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    run(capsys, "init")
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [["export", "--project", "x"], ["stats", "--project", "x"], ["user"], ["set", "--project", "x"]])
def test_a_wrong_workspace_is_named_and_none_is_made(home: Workspace, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    code, _, err = run(capsys, *command)
    assert (code, f"There is no workspace at {home.home}." in err) == (1, True)
    assert not home.home.exists()


def test_accounts_are_added_listed_and_made_members(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "init", "--sample")
    assert "Added bob (annotator)" in run(capsys, "user", "add", "bob")[1]
    assert "annotator of Larkfield support" in run(capsys, "user", "member", "bob", "--project", "Larkfield support")[1]
    assert "bob\tannotator\tLarkfield support (annotator)" in run(capsys, "user")[1]
    assert run(capsys, "user", "add", "bob")[0] == 1
    run(capsys, "user", "add", "eve", "--project", "Larkfield support")
    assert "eve\tannotator\tLarkfield support (annotator)" in run(capsys, "user")[1]
    code, _, err = run(capsys, "user", "member", "lead", "--project", "Larkfield support", "--role", "none")
    assert (code, "the only lead" in err) == (1, True)


def test_a_project_is_renamed_put_away_and_brought_back(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "init", "--sample")
    assert "It is called Support now." in run(capsys, "project", "rename", "Larkfield support", "Support")[1]
    assert run(capsys, "project")[1] == "Support\t689 texts\t0 labels\n"
    assert "out of sight" in run(capsys, "project", "put-away", "support")[1]
    assert run(capsys, "project", "list")[1] == "Support\t689 texts\t0 labels\tput away\n"
    assert run(capsys, "export", "--project", "Support")[0] == 0
    assert "lead\tlead\tSupport (lead, put away)\n" in run(capsys, "user")[1]
    assert "Support is put away." in run(capsys, "stats", "--project", "Support")[1]
    code, _, err = run(capsys, "import", str(SAMPLE / "messages.csv"), "--project", "Support")
    assert (code, "Bring it back first: python -m annot project bring-back Support" in err) == (1, True)
    assert "Support is back." in run(capsys, "project", "bring-back", "Support")[1]
    code, _, err = run(capsys, "project", "put-away", "none")
    assert (code, "There is no project named 'none'. Known: Support." in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("run_every", "Expected NAME=VALUE"),
        ("speed=9", "Expected NAME=VALUE"),
        ("run_every=often", "must be a int"),
        ("allow_not=perhaps", "true or false"),
        ("cold_start=breaking_ties", "asks a model"),
        ("selector=wishes", "There is no selector"),
        ("audit_share=2", "between 0.0 and 1.0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words(home: Workspace, capsys: pytest.CaptureFixture[str], words: str, why: str) -> None:
    run(capsys, "init", "--sample")
    code, _, err = run(capsys, "set", "--project", "Larkfield support", words)
    assert (code, why in err) == (1, True), err


@pytest.mark.slow
def test_the_demo_starts_twice_on_one_workspace_and_stops_cleanly_on_ctrl_c(home: Workspace) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = []
    for _ in range(2):
        started = time.monotonic()
        demo = subprocess.Popen(
            [sys.executable, "-m", "annot", "demo", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "ANNOT_HOME": str(home.home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert demo.stdout is not None
        said.append("")
        while "Ctrl-C" not in said[-1]:
            line = demo.stdout.readline()
            assert line, "the demo ended by itself"
            said[-1] += line
        ready = time.monotonic() - started
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert answer.status == 200
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=30)
        assert demo.returncode == 0
        assert "Stopped." in rest
    assert "Sign in as lead with password" in said[0]
    assert "-m annot user password lead" in said[1]
    assert ready < 10
