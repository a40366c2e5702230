"""The notebooks beside the quick start run from top to bottom, and what they tell is so."""

import functools
import json
import re
from typing import Any

import nbformat
import pytest
from docs.run_notebook import NOTEBOOKS, ROOT, execute, faults, kinds, printed

NAMES = sorted(NOTEBOOKS.keys() - {"quickstart"})

# Run behind a notebook's cells: what its prose speaks of.
_FACTS = """
import json

def _facts(curve):
    reached = statistics.steps_to_threshold(curve.steps, curve.values, 0.8)
    median, come, runs, last = statistics.summarize_steps(*reached).__dict__.values()
    return {
        "first": statistics.iqm(curve.values[:, 0]),
        "last": statistics.iqm(curve.values[:, -1]),
        "to_80": median.estimate,
        "low": median.low,
        "high": median.high,
        "come": come,
        "runs": runs,
        "values": curve.values.tolist(),
    }

_curves = {name: _facts(curve) for name, curve in curves.items()}
print(json.dumps({"package": lprl_jax.__file__, "curves": _curves, **dict(%s)}))
"""
_OF = {
    "own_environment": "top1={r.prior: float(r.scores.top1.mean()) for r in found.rows}, "
    "verdicts=measured.verdicts(found), final=float(run.metrics['success'][-1].mean())",
    "own_model": "verdicts=measured.verdicts(found), kl={r.options.get('wording', r.prior): "
    "float(r.scores.kl.mean()) for r in worded.rows}",
    "ask_or_not": "queries={k: float(x.mean()) for k, x in queries.items()}, "
    "evaluations={k: float(x.mean()) for k, x in evaluations.items()}, "
    "accepted=accepted.tolist(), rejected=rejected.tolist()",
    "judge": "blamed=float((model.params.verdicts[truth > 0] < 0).mean()), "
    "caught=float((model.params.verdicts[truth < 0] < 0).mean())",
}

ALLOWED = {
    "own_environment": {"80"},
    "own_model": {"2", "3"},  # Llama, GPT-2
    "ask_or_not": set(),
    "judge": {"70", "80"},
}
"""Numbers of a notebook's prose that are names, or written otherwise in its cells."""


@functools.cache
def executed(name: str) -> nbformat.NotebookNode:
    """A notebook, run anew; its last cell prints the facts."""
    notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_FACTS % _OF[name]))
    execute(notebook)
    return notebook


def facts(name: str) -> dict[str, Any]:
    return json.loads(printed(executed(name).cells[-1]))


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_notebook_is_complete_small_and_anonymous(name: str) -> None:
    assert faults(NOTEBOOKS[name], executed(name)) == []
    assert facts(name)["package"] == str(ROOT / "lprl_jax/__init__.py")
    assert sum("image/png" in kinds(cell) for cell in executed(name).cells) == 1


@pytest.mark.parametrize("name", NAMES)
def test_its_first_cells_say_how_to_install_and_what_it_runs_on(name: str) -> None:
    first, device = [x for x in nbformat.read(NOTEBOOKS[name], 4).cells if x.cell_type == "code"][
        :2
    ]
    assert first.source.startswith("# %pip install --quiet ./lprl-jax\n")
    assert "jax.devices()" in device.source
    assert "CPU" in printed(device)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_its_prose_stand_in_its_cells(name: str) -> None:
    cells = nbformat.read(NOTEBOOKS[name], as_version=4).cells
    number = r"\d+(?:[.,]\d+)*"
    code = [cell for cell in cells if cell.cell_type == "code"]
    shown = "\n".join(cell.source + "\n" + _texts(cell) for cell in code)
    known = set(re.findall(number, shown)) | ALLOWED[name]
    for cell in cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"`[^`]*`|^#+ \d+\.", "", cell.source, flags=re.MULTILINE)
            assert set(re.findall(number, prose)) <= known, cell.id


def _texts(cell: nbformat.NotebookNode) -> str:
    data = [out.get("data", {}) for out in cell.outputs]
    return printed(cell) + "\n".join(x.get("text/markdown", "") for x in data)


def test_the_corridor_is_the_pages() -> None:
    page = (ROOT / "docs" / "own-environment.md").read_text()
    sources = {x.id: x.source for x in nbformat.read(NOTEBOOKS["own_environment"], 4).cells}
    for cell, kind in (("write", "python"), ("config", "yaml")):
        code = re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)[0]
        assert sources[cell].partition("\n")[2].strip() == code.strip()


def test_a_prior_that_knows_the_corridor_helps_and_one_that_does_not_harms() -> None:
    found = facts("own_environment")
    curves = found["curves"]
    rule, model = curves["DQN-Prior, a rule"], curves["DQN-Prior, embedded model"]
    assert rule["first"] > 0.85
    assert rule["high"] < curves["DQN"]["low"]
    assert model["come"] < model["runs"] / 2 < curves["DQN"]["come"]
    uniform = curves["DQN-Prior, uniform"]
    assert uniform["low"] < curves["DQN"]["high"]
    assert curves["DQN"]["low"] < uniform["high"]
    assert found["verdicts"][0].startswith("embedded is worse than habit")
    assert abs(found["top1"]["embedded"] - found["top1"]["habit"]) < 0.05
    assert abs(found["top1"]["habit"] - 0.5) < 0.05
    assert found["final"] == 1


def test_a_model_that_reads_beats_its_habit_and_one_that_does_not_looks_as_good() -> None:
    found = facts("own_model")
    curves, (model, early, mixed) = found["curves"], found["verdicts"]
    assert "beats habit" in model
    assert "is worse than habit" in early
    assert "beats uniform" in early
    assert "is worse than uniform" in mixed
    assert found["kl"]["bare"] < found["kl"]["instruction"] < found["kl"]["few-shot-2"]
    assert curves["my-model"]["high"] < curves["my-model, its habit"]["low"]
    own, habit = curves["my-early-model"], curves["my-early-model, its habit"]
    assert max(own["low"], habit["low"]) < min(own["high"], habit["high"])  # cannot be told apart
    assert own["high"] < curves["no prior"]["low"]


def test_asking_pays_and_a_bandit_asks_less() -> None:
    found = facts("ask_or_not")
    curves, queries = found["curves"], found["queries"]
    alone = curves["never"]
    for name in ("always", "on change", "learnt"):
        assert curves[name]["high"] < alone["low"]
    assert curves["never right, on change"]["to_80"] == alone["to_80"]
    assert queries["always"] > 3 * queries["on change"] > 6 * queries["learnt"] > 0
    evaluations = found["evaluations"]
    assert 0.7 < evaluations["learnt"] / evaluations["always"] < 1.2
    asked = [a + r for a, r in zip(found["accepted"], found["rejected"], strict=True)]
    assert sum(found["accepted"][:4]) == 0
    assert sum(asked[:4]) > sum(asked) / 2
    assert found["rejected"][7] == 0 < found["accepted"][7]


def test_raw_verdicts_can_undo_the_task_and_penalties_do_not() -> None:
    found = facts("judge")
    curves = found["curves"]
    assert found["blamed"] < 0.005  # one action
    assert found["caught"] > 0.5
    for name in ("model", "model, 70 % kept", "model, turned round", "always good"):
        assert curves[f"{name}, raw"]["last"] < 0.2
    for name in ("perfect, raw", "always bad, raw", "says nothing, raw", "no judge"):
        assert curves[name]["last"] > 0.9
    penalised = [curves[name] for name in curves if name.endswith("penalties")]
    assert len(penalised) == 7
    assert all(x["come"] > 0.85 * x["runs"] for x in penalised)
    none, model, bad, perfect = (
        curves[name]
        for name in ("no judge", "model, penalties", "always bad, penalties", "perfect, penalties")
    )
    assert perfect["to_80"] == min(x["to_80"] for x in penalised)
    assert model["to_80"] < none["to_80"]
    for other in (none, bad, perfect):  # not told apart
        assert max(model["low"], other["low"]) < min(model["high"], other["high"])
    assert curves["says nothing, raw"]["values"] == none["values"]
