"""The quick start runs from top to bottom, and what it tells is so."""

import json
import re
from typing import Any

import nbformat
import pytest
from docs.run_notebook import QUICKSTART, ROOT, execute, faults, kinds, printed

# Run behind the notebook's cells: what the tests want to know of its variables.
_FACTS = """
import json
import lprl_envs

def facts(steps, success):
    first, _ = statistics.steps_to_threshold(steps, success, 0.8)
    at = {f"after_{step}": statistics.iqm(success[:, steps == step]) for step in (200, 2_000)}
    return {**at, "to_80": float(sorted(first)[len(first) // 2]), "runs": len(success)}

print(json.dumps({
    "curves": {name: facts(curve.steps, curve.values) for name, curve in curves.items()},
    "packages": [lprl_jax.__file__, lprl_envs.__file__],
    "live_difference": float(difference),
    "live_actions": bool(same_actions),
    "live_evaluations": int(asked.prior_carry.evaluations),
    "shares": shares,
}))
"""


@pytest.fixture(scope="module")
def committed() -> nbformat.NotebookNode:
    return nbformat.read(QUICKSTART, as_version=4)


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    """The notebook, run anew; its last cell prints the facts."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_FACTS))
    execute(notebook)
    return notebook


@pytest.fixture(scope="module")
def facts(executed: nbformat.NotebookNode) -> dict[str, Any]:
    return json.loads(printed(executed.cells[-1]))


def test_the_kernel_runs_this_tree(facts: dict[str, Any]) -> None:
    assert facts["packages"] == [
        str(ROOT / "lprl_jax/__init__.py"),
        str(ROOT / "envs/lprl_envs/__init__.py"),
    ]


def test_the_prior_is_worth_its_steps(facts: dict[str, Any]) -> None:
    curves = facts["curves"]
    with_prior = curves["DQN-Prior"]
    assert with_prior["runs"] == 64
    assert with_prior["after_200"] >= 0.75
    assert with_prior["after_2000"] >= 0.95
    assert with_prior["to_80"] <= 240  # the third evaluation, at 80, is the earliest
    assert curves["DQN"]["runs"] == 256
    assert curves["DQN"]["after_200"] <= 0.25
    assert curves["DQN"]["after_2000"] >= 0.9
    assert curves["DQN"]["to_80"] >= 3 * with_prior["to_80"]


def test_a_worse_prior_is_worth_less(facts: dict[str, Any]) -> None:
    order = ("DQN-Prior", "early-1", "uniform", "adversarial")
    early = [facts["curves"][name]["after_200"] for name in order]
    assert early == sorted(early, reverse=True)
    assert early[0] - early[2] >= 0.4
    assert facts["curves"]["early-1"]["to_80"] > facts["curves"]["DQN-Prior"]["to_80"]
    assert facts["curves"]["uniform"]["after_2000"] >= 0.8
    assert facts["curves"]["adversarial"]["after_2000"] <= 0.05


def test_another_prior_compiles_nothing(executed: nbformat.NotebookNode) -> None:
    said = [re.findall(r"compiling for R = (\d+)", printed(cell)) for cell in executed.cells]
    assert [sizes for sizes in said if sizes] == [["1"], ["256"], ["64"]]


def test_a_model_in_a_directory_gives_the_tables_numbers_live(facts: dict[str, Any]) -> None:
    assert facts["live_difference"] < 1e-5
    assert facts["live_actions"]
    assert facts["live_evaluations"] == 8 * (1 + 20)  # 8 runs: at the start, and at every step


def test_the_runs_lie_on_every_device(facts: dict[str, Any]) -> None:
    assert len(facts["shares"]) >= 2
    assert sum(facts["shares"]) == 256
    assert len(set(facts["shares"])) == 1


def test_the_committed_notebook_is_complete_small_and_anonymous(
    committed: nbformat.NotebookNode, executed: nbformat.NotebookNode
) -> None:
    assert faults(QUICKSTART, executed) == []
    assert sum("image/png" in kinds(cell) for cell in committed.cells) == 1
