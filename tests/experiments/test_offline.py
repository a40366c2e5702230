"""From `lprl collect` to `lprl eval`: runs from data, resumed to the bit, and what is refused."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import yaml
from small_experiment import fields

from lprl_jax.algorithms.networks import QNetwork
from lprl_jax.cli.main import main
from lprl_jax.datasets import dataset
from lprl_jax.experiments import config, evaluate, gather, run_directory, runner
from lprl_jax.experiments.config import Experiment
from lprl_jax.results import reading

OFFLINE: dict[str, Any] = {
    "env": "FrozenLake-lprl",
    "env_params": fields()["env_params"],
    "algorithm": "cql",
    "prior": "uniform",
    "num_runs": 4,
    "total_steps": 30,
    "eval_every": 10,
    "eval_episodes": 2,
    "batch_size": 8,
    "hidden_sizes": [8],
    "checkpoint_every": 2,
    "k": 2,
}


def experiment(**changes: Any) -> Experiment:
    return config.parse({**OFFLINE, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config, a DQN run, and datasets: by both and random, of the uniform prior and of none."""
    path = tmp_path_factory.mktemp("offline")
    (path / "cql.yaml").write_text(yaml.safe_dump(OFFLINE))
    runner.run(config.parse(fields()), path / "dqn", progress=False)
    call = ["collect", str(path / "cql.yaml"), "--steps", "60", "-o"]
    mixture = f"random:.5,{path / 'dqn'}:.25,prior:.25"
    assert main([*call, str(path / "uniform.npz"), "--behaviour", mixture, "--epsilon", "0.3"]) == 0
    assert main([*call, str(path / "bare.npz"), "prior=none"]) == 0
    return path


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    runner.run(experiment(dataset=str(folder / "uniform.npz")), folder / "run", progress=False)
    return folder / "run"


def test_what_is_collected_says_where_it_comes_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = runner.set_up(experiment())
    found, origin = dataset.load(folder / "uniform.npz", setup.env, setup.params)
    assert origin.behaviours == ("random", str(folder / "dqn"), "prior")
    assert (origin.shares, origin.epsilon) == ((0.5, 0.25, 0.25), 0.3)
    assert (origin.prior, origin.seed, origin.num_envs) == ("uniform", 0, 1)
    assert (found.num_runs, found.size) == (4, 60)
    assert (found.state.instance == np.arange(4)[:, None]).all()  # one map a run
    assert set(np.unique(found.behaviour)) == {0, 1, 2}
    again, _ = gather.run(
        experiment(), folder / "again.npz", f"random:.5,{folder / 'dqn'}:.25,prior:.25",
        num_steps=60, epsilon=0.3,
    )  # fmt: skip
    jax.tree.map(np.testing.assert_array_equal, found, again)
    assert "4 runs of 60 transitions" in gather.summary(found, origin)


def test_a_run_s_network_acts_as_it_was_trained(folder: Path) -> None:
    found, _ = gather.run(
        experiment(), folder / "greedy.npz", str(folder / "dqn"), num_steps=20, epsilon=0.0
    )
    setup = runner.set_up(config.parse(fields()))
    state = evaluate.newest_state(folder / "dqn", config.parse(fields()))
    network = QNetwork((8,), 4, setup.env.numbered_states)
    for run in range(4):
        own = jax.tree.map(lambda x, run=run: np.asarray(x)[run], state.params)
        q: Any = network.apply(own, np.eye(16, dtype=np.float32)[found.state.position[run]])
        np.testing.assert_array_equal(found.action[run], np.argmax(q, axis=-1))


def test_another_prior_s_answers_to_the_same_transitions(folder: Path) -> None:
    call = ["collect", str(folder / "cql.yaml"), "prior=embedded-early-1", "prior_epsilon=0.5"]
    out = folder / "early.npz"
    assert main([*call, "--from", str(folder / "bare.npz"), "-o", str(out)]) == 0
    setup = runner.set_up(experiment(prior="embedded-early-1", prior_epsilon=0.5))
    found, origin = dataset.load(out, setup.env, setup.params)
    bare, was = dataset.load(folder / "bare.npz", setup.env, setup.params)
    jax.tree.map(
        np.testing.assert_array_equal, found._replace(log_probs=(), next_log_probs=()), bare
    )
    assert (origin.prior, was.prior) == ("embedded-early-1 (ε = 0.5)", "none")
    assert origin.behaviours == was.behaviours
    assert setup.prior is not None
    dataset.require_prior(out, origin, setup.prior)
    table = np.asarray(setup.data.prior_params.log_probs)[bare.state.instance, bare.state.position]
    expected = np.log(0.5 * np.exp(table) + 0.125)
    np.testing.assert_allclose(found.log_probs, expected, atol=1e-5)
    assert origin.queries == 2 * 4 * 60 - bare.terminated.sum()


def test_a_run_from_data_is_trained_evaluated_and_compared(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run_directory.read_lines(trained / "metrics.jsonl")
    assert [line["step"] for line in lines] == [0, 10, 20, 30]
    assert {"loss", "success", "return", "length", "queries"} < set(lines[-1])
    assert lines[-1]["queries"] == 0
    assert main(["eval", str(trained), "k=exact", "--json", str(folder / "e.json")]) == 0
    rows = json.loads((folder / "e.json").read_text())
    assert [(r["k"], r["policy"]) for r in rows] == [("exact", "greedy"), ("exact", "posterior")]
    assert main(["compare", str(trained)]) == 0
    assert main(["report", str(trained), "-o", str(folder / "r.html")]) == 0
    printed = capsys.readouterr().out
    assert "| run | 4 | 30 |" in printed
    assert "gradient steps to 80 %" in printed
    assert main(["compare", str(trained), str(folder / "dqn")]) == 2
    assert "dqn counts environment steps" in capsys.readouterr().err


def test_its_evaluation_needs_no_data(folder: Path, trained: Path, tmp_path: Path) -> None:
    hidden = (folder / "uniform.npz").rename(tmp_path / "hidden.npz")
    try:
        assert main(["eval", str(trained), "--instances", "held-out"]) == 0
    finally:
        hidden.rename(folder / "uniform.npz")


def test_it_resumes_to_the_bit_and_only_on_the_same_data(
    folder: Path, trained: Path, tmp_path: Path
) -> None:
    own = {"dataset": str(tmp_path / "mine.npz")}
    (tmp_path / "mine.npz").write_bytes((folder / "uniform.npz").read_bytes())
    runner.run(experiment(**own, total_steps=20), tmp_path / "run", progress=False)
    runner.run(experiment(**own), tmp_path / "run", progress=False, resume=True)
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == (trained / "metrics.jsonl").read_bytes()
    (tmp_path / "mine.npz").unlink()
    gather.run(experiment(), tmp_path / "mine.npz", "random", num_steps=60)
    with pytest.raises(ValueError, match="its dataset has changed since it was begun"):
        runner.run(experiment(**own), tmp_path / "run", progress=False, resume=True)


def test_sizes_of_data_are_a_sweep(folder: Path, trained: Path, tmp_path: Path) -> None:
    swept = config.override(OFFLINE, ["dataset_size=10,60", f"dataset={folder / 'uniform.npz'}"])
    runner.run(config.parse(swept), tmp_path / "sweep", progress=False)
    by_size = reading.read(tmp_path / "sweep").by_setting()
    assert list(by_size) == ["dataset_size 10", "dataset_size 60"]
    lines = run_directory.read_lines(tmp_path / "sweep" / "metrics.jsonl")
    alone = run_directory.read_lines(trained / "metrics.jsonl")
    for together, one in zip(lines, alone, strict=True):  # all 60 are what it had alone
        assert together["success"][4:] == one["success"]
        np.testing.assert_allclose(together.get("loss", [])[4:], one.get("loss", []), atol=2e-5)
    assert lines[-1]["loss"][:4] != lines[-1]["loss"][4:]


@pytest.mark.parametrize("algorithm", ["bc", "prior_only"])
def test_the_other_baselines_run_too(
    folder: Path, tmp_path: Path, algorithm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {name: value for name, value in OFFLINE.items() if name != "k"}
    given["algorithm"] = algorithm
    if algorithm == "bc":  # which leaves the prior's log-probabilities aside
        given |= {"prior": "none", "dataset": str(folder / "uniform.npz")}
    else:
        given = {n: v for n, v in given.items() if n not in ("batch_size", "hidden_sizes")}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(given))
    call = ["train", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "run"), "--quiet"]
    assert main(call) == 0
    assert main(["eval", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    prior = "none" if algorithm == "bc" else "uniform"
    assert f"| {prior} | – | greedy | 4 | 2 |" in printed
    assert f"| {prior} | – | sample | 4 | 2 |" in printed


DATA = "dataset={uniform}"
TRAIN = [
    ([], ["cql learns from a dataset, and none is named", "dataset=FILE", "lprl collect"]),
    (["dataset=absent.npz"], ["no dataset at absent.npz", "lprl collect"]),
    (["dataset={mine}"], ["is not a dataset", "lprl collect"]),
    ([DATA, "algorithm=dqn"], ["but dqn does not learn from one", "valid: cql, bc"]),
    ([DATA, "env_params.is_slippery=true"], ["of template", "here it is"]),
    ([DATA, "env_params.map_name=5x5"], ["of template"]),
    ([DATA, "env_params.bank_seed=7"], ["of the 4 instances in the dataset", "not in use here"]),
    ([DATA, "num_runs=8"], ["num_runs is 8", "has 4 runs"]),
    ([DATA, "dataset_size=61"], ["dataset_size is 61", "60 transitions a run"]),
    ([DATA, "dataset_size=10,100"], ["dataset_size is 100", "60 transitions a run"]),
    ([DATA, "dataset_size=2.5"], ["dataset_size is 2.5", "a whole number"]),
    ([DATA, "beta=-1"], ["beta is -1", "0 or more"]),
    ([DATA, "beta=1,-2"], ["beta is -2", "0 or more"]),
    ([DATA, "prior=embedded-early-1"], ["of prior 'uniform', here it is 'embedded-early-1'"]),
    ([DATA, "prior_temperature=2"], ["of prior 'uniform', here it is 'uniform (temperature 2)'"]),
    (["dataset={bare}"], ["has no prior's log-probabilities", "the prior is 'uniform'", "--from"]),
    ([DATA, "q_input=features"], ["unknown config key 'q_input'"]),
    (["algorithm=prior_only", "dataset={uniform}"], ["unknown config key"]),
]
COLLECT = [
    (["--behaviour", "expert"], ["unknown behaviour 'expert'", "random, prior, a DQN run's"]),
    (["--behaviour", "prior", "prior=none"], ["the prior is none"]),
    (["--behaviour", "random,prior"], ["'random' has no share", "NAME:SHARE"]),
    (["--behaviour", "random:.5,prior:.6"], ["shares of", "1 together"]),
    (["--behaviour", "random:1.5,prior:-.5"], ["shares of", "above 0"]),
    (["--behaviour", "random:half,prior:.5"], ["'random:half' has no share"]),
    (["--behaviour", "{folder}"], ["holds no run"]),
    (["--behaviour", "{run}"], ["is a run of cql", "a run of dqn"]),
    (["--behaviour", "{dqn}", "env_params.bank_seed=3"], ["another env_params.bank_seed"]),
    (["--behaviour", "{dqn}", "num_runs=8"], ["has 4 runs", "8 runs or more"]),
    (["--epsilon", "2"], ["epsilon is 2.0", "[0, 1]"]),
    (["--steps", "0"], ["steps is 0", "1 or more"]),
    (["--steps", "5", "--envs", "2"], ["steps is 5", "multiple of the 2"]),
    (["--from", "{mine}"], ["is not a dataset"]),
    (["--from", "{bare}", "prior=none"], ["the prior is none"]),
    (["-o", "{mine}"], ["exists"]),
    (["num_runs=0"], ["num_runs is 0"]),
]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        *((["train", "{config}", *call, "--out", "{new}"], words) for call, words in TRAIN),
        *((["collect", "{config}", "-o", "{new}.npz", *call], words) for call, words in COLLECT),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_bad_input_is_one_line_and_writes_nothing(
    call: list[str],
    words: list[str],
    folder: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine.npz").write_text("mine")
    places = {name: folder / f"{name}.npz" for name in ("uniform", "bare")}
    places |= {"config": folder / "cql.yaml", "run": trained, "dqn": folder / "dqn"}
    places |= {"mine": tmp_path / "mine.npz", "new": tmp_path / "new", "folder": tmp_path}
    capsys.readouterr()
    status = main([argument.format(**places) for argument in call])
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    for word in words:
        assert word in captured.err
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / "mine.npz"]
