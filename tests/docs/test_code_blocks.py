"""The Python of the pages runs as it stands, block after block, and their lines of `lprl` parse."""

import re
import shlex
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import yaml

from lprl_jax.cli.main import main
from lprl_jax.cli.parser import parse
from lprl_jax.experiments import config
from lprl_jax.lm import embedded
from lprl_jax.version import __version__

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = {"own-environment.md"}
"""Run by a test of its own."""
TRAINED = {
    "library.md": "num_runs=8 env_params.num_instances=8 env_params.map_name=4x4 --out results/k3",
    "sweeps.md": "num_runs=2 env_params.num_instances=2 alpha=.01,.1 --out results/sweep",
}
"""What has been trained before a page is read."""
LEAST = {"README.md": 1, "library.md": 4, "own-algorithm.md": 2, "devices.md": 2, "lmgt.md": 2}
"""Blocks of a page, at the least."""


def blocks(page: Path) -> list[str]:
    return PYTHON.findall(page.read_text())


@pytest.mark.filterwarnings("ignore:.* is asked about:UserWarning")  # in other wordings
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page) and page.name not in ELSEWHERE],
    ids=lambda page: page.stem,
)
def test_a_page_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    if page.name in TRAINED:
        call = f"train frozen_lake_dqn_prior total_steps=500 --quiet {TRAINED[page.name]}"
        assert main(call.split()) == 0
        capsys.readouterr()
    names: dict[str, Any] = {"directory": str(embedded.path_of("embedded"))}
    assert len(blocks(page)) >= LEAST.get(page.name, 1)
    if page.name == "own-algorithm.md":
        (tmp_path / "q_table.py").write_text(blocks(page)[0])
    for code in blocks(page):
        exec(code, names)
    assert capsys.readouterr().out or "print(" not in "".join(blocks(page))
    CHECKS.get(page.name, lambda names: None)(names)


def _has_played(names: dict[str, Any]) -> None:
    played = names["algorithm"].evaluate(names["state"], names["data"], 4)["success"]
    assert ((played >= 0) & (played <= 1)).all()


def _a_prior_has_helped(names: dict[str, Any]) -> None:
    """The page says so: with the model's prior more runs arrive, after equally many steps."""
    algorithm, state = names["algorithm"], names["state"]  # of the uniform prior, the last
    uniform = algorithm.evaluate(state, names["data"], 1)["success"].mean()
    prior = names["LanguagePrior"].from_pretrained("embedded", names["env"], names["params"])
    prior = names["lprl_jax"].tabulate(prior, names["env"], names["params"])
    algorithm = names["q_table"].make(names["env"], prior)
    data = names["Data"](prior.params, names["params"])
    state = algorithm.init(names["keys"], None, data, names["own_map"])
    state, metrics = algorithm.train(state, data, num_updates=500)
    assert algorithm.evaluate(state, data, 1)["success"].mean() > uniform + 0.1
    assert (np.asarray(metrics["episodes"]).sum(0) > 0).all()
    side_by_side = names["q_table"].make(names["env"], prior, num_envs=8)
    state = side_by_side.init(names["keys"], None, data, names["own_map"])
    state, _ = side_by_side.train(state, data, num_updates=100)
    assert 0.5 < float(np.asarray(state.q).max()) <= 1  # of eight in one state, one step


def _options_lead_to_the_edge(names: dict[str, Any]) -> None:
    env = names["env"]
    assert env.action_texts[0] == " left to the edge"
    _, state = env.reset(jax.random.key(0), env.default_params)
    assert bool(env.action_mask(state, env.default_params).any())


CHECKS = {
    "README.md": _has_played,
    "library.md": _has_played,
    "own-algorithm.md": _a_prior_has_helped,
    "environments.md": _options_lead_to_the_edge,
}
"""What is so behind a page's last block."""


def commands(page: Path) -> list[str]:
    """Lines of `lprl` in blocks of code, continued ones joined."""
    text = page.read_text().replace("\\\n", " ")
    inside, found = False, []
    for line in text.splitlines():
        if line.strip().startswith("```"):
            inside = not inside
        elif (inside or line.startswith("    ")) and line.strip().startswith("lprl "):
            found.append(line.strip())
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.stem)
def test_a_line_of_lprl_is_a_command(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line, comments=True)
        options = parse(words[1:])
        assert options.command == words[1], line
        if options.command == "train" and "DIRECTORY" not in line and page.name not in ELSEWHERE:
            config.read(options.config, options.overrides)


def test_these_pages_are_tried() -> None:
    assert {page.name for page in PAGES if blocks(page)} >= LEAST.keys() | ELSEWHERE
    assert sum(len(commands(page)) for page in PAGES) > 50


def test_it_is_cited_by_its_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == __version__
    assert cited["license"] == "Apache-2.0"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 170
