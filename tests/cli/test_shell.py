"""What any good command line does: versions, help, pipes, terminals without letters, Ctrl-C."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lprl_jax.cli import main as main_module
from lprl_jax.cli.main import main
from lprl_jax.pretraining import pretrain_run
from lprl_jax.version import __version__

START = (
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # in the background it is ignored
    "from lprl_jax.cli import main as m\n"
)
STOP = "sys.argv[0] = 'lprl'\nsys.exit(m.main())\n"


def program(
    code: str, *arguments: str, stdout: Any = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with something in the place of a command.

    Nothing of JAX is imported, which would take seconds.
    """
    call = [sys.executable, "-c", START + code + STOP, *arguments]
    own = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | environment
    return subprocess.run(
        call,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env=own,
    )


def test_the_version_without_jax(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["--version"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"lprl {__version__}\n"
    at_the_end = "import atexit\natexit.register(lambda: print('jax' in sys.modules))\n"
    done = program(at_the_end, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"lprl {__version__}\nFalse\n"


def test_alone_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main([])
    assert exit.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: lprl")
    for command in ("train", "pretrain"):
        assert f"\n    {command} " in printed


@pytest.mark.parametrize("length", [10, 1_000_000], ids=["at the end", "on the way"])
@pytest.mark.parametrize("buffering", ["", "1"], ids=["", "unbuffered"])
def test_silence_where_nobody_reads(length: int, buffering: str) -> None:
    read, write = os.pipe()
    os.close(read)
    code = f"m._run = lambda options, watch: print('x' * {length}) or 0\n"
    done = program(code, "envs", stdout=write, PYTHONUNBUFFERED=buffering)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_device_is_one_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("the system has none")
    for flush in (False, True):  # at the end, or at once
        run = f"m._run = lambda options, watch: print('x', flush={flush}) or 0\n"
        with full.open("w") as stream:
            done = program(run, "envs", stdout=stream)
        assert done.returncode == 1
        assert done.stderr == "lprl: cannot write the output: No space left on device\n"


def test_closed_streams_lead_nowhere() -> None:
    # A file of a run must not get the number of a stream: what is printed would end up in it.
    code = (
        "def run(options, watch):\n"
        "    print('lost'); print('lost', file=sys.stderr)\n"
        "    return open(os.devnull).fileno()\n"
        "m._run = run\n"
    )
    closing = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', sys.executable, "-c", START + code + STOP]
    done = subprocess.run([*closing, "envs"], timeout=60, check=False)
    assert done.returncode >= 3


def test_letters_that_a_terminal_lacks() -> None:
    code = "m._run = lambda options, watch: print('ε = 0.5') or 0\n"
    done = program(code, "envs", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "? = 0.5\n", "")


# -- Ctrl-C --------------------------------------------------------------------------------------

PRIOR = ["prior", "FrozenLake-lprl", "--model", "embedded", "-o", "table.npz"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["envs"], "lprl: interrupted\n"),
        (["demo"], "lprl: interrupted\n"),
        (["train", "x", "--out", "y"], "lprl: interrupted; a training continues with --resume\n"),
        (PRIOR, "lprl: interrupted; the same command goes on from there\n"),
    ],
    ids=["envs", "demo", "train", "prior"],
)
def test_interrupted(
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "_run", interrupt)
    assert main(arguments) == 130
    assert capsys.readouterr().err == line


INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"
MOMENTS = {
    # An extension in C++ would abort.
    "while modules are imported": (
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'jax': {INTERRUPT}\n"
        "sys.meta_path.insert(0, Finder())\n"
    ),
    "at work": (
        "def run(options, watch):\n"
        "    watch.loaded()\n"
        f"    {INTERRUPT}\n"
        "    time.sleep(30)\n"
        "m._run = run\n"
    ),
    # Python prints a traceback there and goes on.
    "where it cannot be raised": (
        "class Callback:\n"
        f"    def __del__(self): {INTERRUPT}; time.sleep(.1)\n"
        "def run(options, watch):\n"
        "    watch.loaded()\n"
        "    Callback()\n"
        "    time.sleep(30)\n"
        "m._run = run\n"
    ),
}


@pytest.mark.parametrize("code", MOMENTS.values(), ids=MOMENTS)
def test_interrupted_at_any_moment(code: str) -> None:
    done = program(code, "envs")
    assert (done.returncode, done.stderr) == (130, "lprl: interrupted\n")


# -- bars ----------------------------------------------------------------------------------------


def test_no_bar_in_a_log_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = pretrain_run.model_card.Measured([], [], [], [], np.zeros((0, 2), np.uint16))
    monkeypatch.setattr(pretrain_run, "pretrain", lambda config, tasks, phrases: iter(()))
    monkeypatch.setattr(pretrain_run.model_card, "measure", lambda *_: nothing)
    monkeypatch.setattr(pretrain_run.model_card, "render", lambda *_: "# ε\n")
    monkeypatch.setattr(pretrain_run.model_card, "figures", lambda *_: {})
    pretrain_run.run(tmp_path / "model")
    assert capsys.readouterr().err == ""
    assert (tmp_path / "model" / "MODEL_CARD.md").read_text("utf-8") == "# ε\n"
