"""Trainings beside peers: why they are not measured, what is refused, rates and ratios."""

import importlib
import math
import os
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

peer_training: Any = importlib.import_module("tools.peer_training")
peers: Any = importlib.import_module("tools.peers")
turns: Any = importlib.import_module("tools.turns")
BENCH = Path(turns.__file__).parents[1]
NAMES = (
    "dqn_vs_purejaxrl",
    "dqn_vs_rejax",
    "ppo_vs_jaxnasium",
    "ppo_vs_purejaxrl",
    "ppo_vs_rejax",
    "sac_vs_rejax",
    "td3_vs_rejax",
)
SUITES: dict[str, Any] = {name: importlib.import_module(f"suites.{name}") for name in NAMES}


@pytest.mark.parametrize(
    ("clone", "python", "words"),
    [
        ("", sys.executable, "PUREJAXRL is not set"),
        ("/no/such/clone", sys.executable, "PUREJAXRL is /no/such/clone, which does not exist"),
        (str(BENCH), "", "PUREJAXRL_PYTHON is not set"),
        (str(BENCH), sys.executable, "the clone of purejaxrl is at "),
    ],
)
def test_a_clone_that_is_absent(
    monkeypatch: pytest.MonkeyPatch, clone: str, python: str, words: str
) -> None:
    monkeypatch.setenv("PUREJAXRL", clone)
    monkeypatch.setenv("PUREJAXRL_PYTHON", python)
    assert peers.PUREJAXRL.unavailable().startswith(words)


@pytest.mark.parametrize("peer", [peers.REJAX, peers.JAXNASIUM])
def test_a_package_that_is_absent(monkeypatch: pytest.MonkeyPatch, peer: Any) -> None:
    monkeypatch.delenv(peer.python, raising=False)
    assert peer.unavailable().startswith(f"{peer.python} is not set")
    monkeypatch.setenv(peer.python, "/no/such/python")
    assert peer.unavailable() == f"{peer.python} is /no/such/python, which does not exist"
    monkeypatch.setenv(peer.python, sys.executable)
    assert peer.unavailable() == f"{peer.python} has {peer.name} not, not {peer.version}"


def test_a_package_of_the_wrong_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJAX_PYTHON", sys.executable)
    numpy = importlib.import_module("numpy").__version__
    other = peers.Peer("numpy", "REJAX_PYTHON", version="0.0.1")
    assert other.unavailable() == f"REJAX_PYTHON has numpy {numpy}, not 0.0.1"
    assert not peers.Peer("numpy", "REJAX_PYTHON", version=numpy).unavailable()


@pytest.mark.parametrize("suite", SUITES.values(), ids=NAMES)
def test_what_is_absent_is_said_of_every_row_and_ratio(
    monkeypatch: pytest.MonkeyPatch, suite: Any
) -> None:
    for name in ("PUREJAXRL", "PUREJAXRL_PYTHON", "REJAX_PYTHON", "JAXNASIUM_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    rows, ratios = suite.run(quick=False)
    assert all(row.value is None and "is not set" in row.note for row in rows)
    assert set(ratios.values()) == {None}
    assert len({row.name for row in rows}) == len(rows)
    quick, _ = suite.run(quick=True)
    assert [row.name for row in quick] == [row.name for row in rows if "_runs" not in row.name]


def test_names_of_no_two_suites_are_the_same() -> None:
    found = [x for suite in SUITES.values() for x in suite.CONTEST.names]
    assert len(set(found)) == len(found)


def test_names_of_a_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUREJAXRL", raising=False)
    assert list(SUITES["ppo_vs_purejaxrl"].run(quick=False)[1]) == [
        "training/ppo_vs_purejaxrl",
        "training/ppo_vs_purejaxrl/32_runs",
        "training/ppo_vs_purejaxrl/32_runs_over_devices",
    ]
    monkeypatch.delenv("REJAX_PYTHON", raising=False)
    assert list(SUITES["dqn_vs_rejax"].run(quick=False)[1]) == [
        f"training/dqn_vs_rejax{runs}{draws}"
        for runs in ("", "/32_runs", "/256_runs")
        for draws in ("", "/with_replacement")
    ]


class Served:
    """A program that ends a turn at once, theirs after 2 seconds and ours after .5."""

    order: list[str] = []  # noqa: RUF012  (what `served` empties)
    returns: dict[str, float] = {}  # noqa: RUF012
    gradient_steps: dict[str, int] = {}  # noqa: RUF012
    version = jax.__version__

    def __init__(self, command: list[str], **environment: str):
        assert environment["JAX_PLATFORMS"] == "cpu"
        self.kind = "ours" if "own_training.py" in command[1] else "theirs"
        self.kind += "+" * ("--with-replacement" in command or bool(environment["XLA_FLAGS"]))
        self.about = {"steps": 100, "compile_seconds": 1.0, "versions": {"jax": self.version}}
        self.about |= {"gradient_steps": [3, self.gradient_steps.get(self.kind, 100)]}
        self.about |= {"returns": None, "stand_ins": ["brax"]}
        if "--episodes" in command:
            asked = int(command[command.index("--episodes") + 1])
            assert asked == peer_training.EPISODES
            self.about["returns"] = [-math.inf, self.returns.get(self.kind, 1.0), math.inf]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def turn(self) -> float:
        self.order.append(self.kind)
        return {"theirs": 2.0, "theirs+": 1.0, "ours": 0.5, "ours+": 0.25}[self.kind]


CONTEST = peer_training.Contest(
    peer=peers.PUREJAXRL,
    program=("some.py", "algorithm"),
    config="cartpole_ppo",
    settings=lambda steps: {"anneal_steps": steps},
    policy="sample",
    learnt=0.0,
    steps=1_000,
    names=("theirs", "ours", "ratio"),
    trainings=(
        peer_training.Training(1, 1_000, 2, peer_training.BOTH_DRAWS),
        peer_training.Training(32, 100, 1, peer_training.AS_PUBLISHED, peer_training.BOTH_SPREADS),
    ),
)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> type[Served]:
    monkeypatch.setattr(turns, "Program", Served)
    monkeypatch.setattr(peers.Peer, "unavailable", lambda self: "")
    monkeypatch.setenv("PUREJAXRL", "clone")
    monkeypatch.setenv("PUREJAXRL_PYTHON", "python")
    for name, empty in (("order", []), ("returns", {}), ("gradient_steps", {})):
        monkeypatch.setattr(Served, name, empty)
    return Served


def test_rates_and_ratios(served: type[Served]) -> None:
    rows, ratios = CONTEST.run(quick=False)
    assert served.order == ["theirs", "theirs+", "ours"] * 2 + ["theirs", "ours", "ours+"]
    assert {name: (x.lower, x.median) for name, x in ratios.items()} == {
        "ratio": (4.0, 4.0),
        "ratio/with_replacement": (2.0, 2.0),
        "ratio/32_runs": (4.0, 4.0),
        "ratio/32_runs_over_devices": (8.0, 8.0),
    }
    found = {row.name: row for row in rows}
    assert [found[x].value for x in ("theirs", "theirs/with_replacement", "ours")] == [50, 100, 200]
    assert found["ours/32_runs_over_devices"].value == 400.0
    assert found["ours"].note == "1 run of 1,000 steps"
    assert found["theirs"].note.startswith("1 run of 1,000 steps; commit 31756b1, jax ")
    assert found["theirs"].note.endswith("; empty modules for brax")


def test_ours_is_told_its_settings() -> None:
    command = CONTEST.command_of_ours(32, 100)
    assert command[-4:] == ["cartpole_ppo", "anneal_steps=100", "total_steps=100", "num_runs=32"]


@pytest.mark.parametrize("side", ["theirs", "ours"])
@pytest.mark.parametrize("found", [0.0, math.nan])
def test_speed_without_learning_is_not_reported(
    served: type[Served], side: str, found: float
) -> None:
    served.returns[side] = found
    rows, ratios = CONTEST.run(quick=False)
    assert all(row.value is None and "not learnt" in row.note for row in rows)
    assert set(ratios.values()) == {None}
    assert not served.order


@pytest.mark.parametrize("found", [0.0, math.nan])
def test_a_variant_of_theirs_that_does_not_learn_is_left_out(
    served: type[Served], found: float
) -> None:
    served.returns["theirs+"] = found
    rows, ratios = CONTEST.run(quick=False)
    assert served.order == ["theirs", "ours"] * 2 + ["theirs", "ours", "ours+"]
    absent = {row.name for row in rows if row.value is None and "not learnt" in row.note}
    assert absent == {"theirs/with_replacement"}
    assert {name: x and x.median for name, x in ratios.items()} == {
        "ratio": 4.0,
        "ratio/with_replacement": None,
        "ratio/32_runs": 4.0,
        "ratio/32_runs_over_devices": 8.0,
    }


def test_other_work_is_not_reported(served: type[Served]) -> None:
    served.gradient_steps["ours"] = 105
    assert CONTEST.run(quick=True)[1]["ratio"].median == 4.0
    served.gradient_steps["ours"] = 106
    rows, ratios = CONTEST.run(quick=True)
    assert all("not the same work: gradient steps are theirs 100" in row.note for row in rows)
    assert set(ratios.values()) == {None}


def test_a_program_that_ends_leaves_the_rest(
    served: type[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    def turn(self: Served) -> float:
        if self.kind == "ours":
            raise RuntimeError("no room")
        return 1.0

    monkeypatch.setattr(served, "turn", turn)
    rows, ratios = CONTEST.run(quick=True)
    assert {row.note for row in rows} == {"it failed: no room"}
    assert ratios == {"ratio": None, "ratio/with_replacement": None}


def test_another_jax_is_refused(served: type[Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "version", "0.0.1")
    with pytest.raises(RuntimeError, match=r"PUREJAXRL_PYTHON has jax 0\.0\.1"):
        CONTEST.run(quick=True)


def test_devices_are_those_the_process_may_use() -> None:
    assert peer_training.ALL_DEVICES.endswith(f"={len(os.sched_getaffinity(0))}")
