"""The command line: what it prints, and that bad input is one line, status 2, and loses nothing."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest
import yaml
from lm.stand_ins import stand_in
from lprl_envs import FrozenLake
from results.test_reading import write
from small_experiment import FIELDS, fields
from tokenizers import Tokenizer, models

from lprl_jax.cli.commands import COMMANDS
from lprl_jax.cli.main import main
from lprl_jax.experiments import config as config_module
from lprl_jax.experiments import runner
from lprl_jax.priors import TabularPrior, UniformPrior, tabulate

BASE = {**FIELDS, "env_params": {"map_name": "4x4", "is_slippery": False}, "prior": "none"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(BASE))
    return path


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line on stderr of a call that must fail with status 2."""
    try:
        status = main(arguments)
    except SystemExit as exit:
        status = exit.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.startswith("lprl")
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def test_a_message_is_one_line_whatever_is_named_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run" in complaint(["eval", "no\nrun"], capsys)
    assert "--un known" in complaint(["eval", "run", "--un\nknown"], capsys)


BAD_CONFIGS = [
    (["kk=3"], ["unknown config key 'kk'", "valid:", "alpha"]),
    (["alhpa=1"], ["did you mean alpha?"]),
    (["num_runs=many"], ["num_runs is 'many'", "a whole number"]),
    (["num_runs=0"], ["num_runs is 0", "1 or more"]),
    (["learning_rate=fast"], ["learning_rate is 'fast'", "a number"]),
    (["learning_rate=-1"], ["learning_rate is -1", "above 0"]),
    (["hidden_sizes=64"], ["hidden_sizes is 64", "a list"]),
    (["env=FrozenPond"], ["unknown env 'FrozenPond'", "FrozenLake-lprl"]),
    (["algorithm=sarsa"], ["unknown algorithm 'sarsa'", "dqn"]),
    (
        ["prior=habit", "env_params.map_name=2x2"],
        ["a habit is fitted on training instances", "too few to split"],
    ),
    (["prior=habit", "env=ImageCompletion-lprl", "env_params={{}}"], ["too many states to number"]),
    (["prior=no/such/model"], ["unknown prior 'no/such/model'", "embedded", "uniform"]),
    (["prior=missing.npz"], ["no table at missing.npz", "lprl prior"]),
    (["prior_access=sometimes"], ["'sometimes'", "table, memo, live"]),
    (["prior_epsilon=2"], ["prior_epsilon is 2", "[0, 1]"]),
    (["calibration=mean"], ["unknown calibration 'mean'", "none, pmi, contextual"]),
    (
        ["prior=uniform", "calibration=pmi"],
        ["calibration is 'pmi'", "how a model is asked", "'uniform'"],
    ),
    (["prior_temperature=0"], ["prior_temperature is 0", "above 0"]),
    (["k=0"], ["k is 0", "a whole number from 1", "exact"]),
    (["k=several"], ["k is 'several'", "exact"]),
    (["alpha=0"], ["alpha is 0", "above 0"]),
    (["alpha=-0.5"], ["alpha is -0.5", "above 0"]),
    (["gamma=1.5"], ["gamma is 1.5", "[0, 1]"]),
    (["buffer_size=101", "num_envs=2"], ["buffer_size is 101", "multiple"]),
    (["nonsense"], ["'nonsense' is not an override", "key=value"]),
    (["env_params.is_slippery=perhaps"], ["env_params.is_slippery is 'perhaps'", "true or false"]),
    (["env_params.depth=3"], ["unknown env_params key 'depth'", "valid: map_name"]),
    (["env_params.map_name=big"], ["unknown map_name 'big'", "4x4, 8x8"]),
    (["env_params.observation=pixels"], ["'pixels'", "index, onehot, features, tokens"]),
    (["env_params.split=test", "env_params.num_instances=2"], ["'test'", "train, held-out"]),
    (["env_params.num_instances=-2"], ["num_instances is -2", "0 or more"]),
    (["env_params.instances=[[FFFF,FFFF,FFFF,FFFG]]"], ["no start", "S"]),
    (["env_params.instances=[[SFFF,FFFF,FFFF,FFFF]]"], ["no goals", "exactly one G"]),
    (["env_params.instances=[[SFFF,FFFF,FFF,FFFG]]"], ["differ in length", "rectangular"]),
    (["env_params.instances=[[SHFF,HHFF,FFFF,FFFG]]"], ["not solvable"]),
    (["env_params.instances=[[SXFF,FFFF,FFFF,FFFG]]"], ["unknown tile 'X'", "S, F, H, G"]),
    (["env_params.instances=[[SFF,FFF,FFG]]"], ["3x3", "4x4", "map_name: 3x3"]),
    (["algorithm=[dqn,ppo]"], ["unknown algorithm ['dqn', 'ppo']", "valid: dqn, ppo"]),
    (["env_params.reward_schedule=[1,-1,null]"], ["reward_schedule[2] is None", "a number"]),
    (["env_params=[1]"], ["env_params is [1]", "a mapping"]),
    (["env_params=[1]", "env_params.split=train"], ["env_params is [1]", "a mapping"]),
    (["num_runs=010"], ["num_runs is '010'", "a whole number"]),
    (["num_runs=1:30"], ["num_runs is '1:30'", "a whole number"]),
    (["num_runs=2026-01-02"], ["num_runs is '2026-01-02'", "a whole number"]),
    (["num_runs=true"], ["num_runs is True", "a whole number"]),
    (["num_runs=99999999999"], ["num_runs is 99999999999", "32 bits"]),
    (["alpha=.nan"], ["alpha is nan", "above 0"]),
    (["alpha=1e-50"], ["alpha is 1e-50", "float32", "1.2e-38 or more"]),
    (["alpha=1e50"], ["alpha is 1e+50", "float32"]),
    (["hidden_sizes=[8,null]"], ["hidden_sizes[1] is None", "a whole number"]),
    (["hidden_sizes=[8,0]"], ["hidden_sizes[1] is 0", "above 0"]),
    (["hidden_sizes=[8"], ["the value of 'hidden_sizes=[8' is not readable as YAML"]),
    (["num_runs=1000", "buffer_size=1_000_000_000"], ["buffer_size is 1000000000", "memory"]),
    (["env=Catch-bsuite", "env_params={{rows: three}}"], ["rows is 'three'", "a whole number"]),
    (["env=CartPole-v1", "env_params={{instances: [{{gravity: 1e50}}]}}"], ["gravity", "float32"]),
]

BAD_INSTANCES = [
    ("BlocksWorld", "{num_blocks: 13}", ["num_blocks is 13", "2 to 12"]),
    ("BlocksWorld", "{num_blocks: 8, observation: index}", ["up to 6 blocks", "features, tokens"]),
    ("BlocksWorld", "{suite: planbench-5}", ["unknown suite 'planbench-5'", "planbench-4, planb"]),
    ("BlocksWorld", "{num_blocks: 3, suite: planbench-4}", ["5 blocks", "num_blocks: 5"]),
    ("BlocksWorld", "{num_instances: 2, families: [letters]}", ["families", "has none"]),
    ("BlocksWorld", "{num_instances: 2, goal: anywhere}", ["goal is 'anywhere'", "has none"]),
    ("BlocksWorld", "{num_instances: 2, split_by: name}", ["split_by 'name'", "goal, shape"]),
    (
        "BlocksWorld",
        "{num_blocks: 3, num_instances: 2, split: train, split_by: shape}",
        ["3 blocks are too few to split by shape", "4 or more"],
    ),
    ("CubeStacking", "{num_cubes: 1}", ["num_cubes is 1", "2 to 12"]),
    ("CubeStacking", "{reward: big}", ["unknown reward 'big'", "exact, paper"]),
    ("CubeStacking", "{suite: paper-9}", ["unknown suite 'paper-9'", "paper-8, paper-11"]),
    ("CubeStacking", "{num_instances: 2, families: [spiral]}", ["'spiral'", "size, alternating"]),
    (
        "CubeStacking",
        "{num_instances: 2, families: [periodic], split: train}",
        ["'periodic' is held out", "use"],
    ),
    ("ImageCompletion", "{size: 17x3}", ["unknown size '17x3'", "2x2 to 16x16"]),
    ("ImageCompletion", "{observation: index}", ["9 cells or fewer", "features or tokens"]),
    ("ImageCompletion", "{size: 3x3, instances: [['#.', '.#']]}", ["2x2", "3x3", "size: 2x2"]),
    ("ImageCompletion", "{size: 2x2, instances: [['..', '..']]}", ["empty"]),
    ("ImageCompletion", "{size: 2x2, instances: [['#x', '..']]}", ["unknown cell 'x'", "# on"]),
    ("ObjectArrangement", "{num_instances: 2, families: [letters]}", ["7x5", "5x5"]),
    (
        "ObjectArrangement",
        "{num_instances: 2, families: [spiral]}",
        ["'spiral'", "letters, frames"],
    ),
    ("KeyRooms", "{rooms: 7}", ["rooms is 7", "2 to 6"]),
    ("KeyRooms", "{rooms: 2, instances: [[S.K#T]]}", ["list of 5 rows", "found ['S.K#T']"]),
    ("KeyRooms", "{num_instances: 2, goal: anywhere}", ["goal is 'anywhere'", "has none"]),
    ("ObjectArrangement", "{suite: paper}", ["unknown suite 'paper'", "has none"]),
    *(
        (
            "BlocksWorld",
            f"{{num_blocks: 3, instances: [{{init: [{init}], goal: [{goal}]}}]}}",
            w,
        )
        for init, goal, w in (
            ("cba", "da", ["no block 'd'", "a, b, c"]),
            ("cba", "ab, ba", ["circle"]),
            ("cba", "aa", ["on itself"]),
            ("cba", "ac, bc", ["two blocks on 'c'"]),
            ("dcba", "ac", ["4 blocks", "num_blocks: 4"]),
        )
    ),
    *(
        (
            "CubeStacking",
            f"{{num_cubes: 2, instances: [{{cubes: [{cubes}], target: {target}}}]}}",
            w,
        )
        for cubes, target, w in (
            ("red 5, red 4", "aab", ["target is 'aab'", "each letter of ab"]),
            ("pink 5, red 4", "ab", ["unknown colour 'pink'", "red, blue"]),
            ("red 50, red 4", "ab", ["'red 50'", "1 to 12"]),
        )
    ),
]
BAD_CONFIGS += [
    ([f"env={env}-lprl", "env_params=" + text.replace("{", "{{").replace("}", "}}")], words)
    for env, text, words in BAD_INSTANCES
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    runner.run(config_module.parse(fields()), folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that do not go with `run`, written by hand: curves rise from step 0."""
    folder = tmp_path_factory.mktemp("others")
    return {
        "begun": write(folder / "begun", [[0.0]]),
        "offline": write(folder / "offline", [[0.0], [1.0], [1.0]], every=30, algorithm="cql"),
        "rare": write(folder / "rare", [[0.0], [1.0], [1.0]]),
        "often": write(folder / "often", [[0.0], *[[1.0]] * 9], every=10, eval_episodes=8),
    }


BAD_CALLS = [
    (["train", "{config}", "--resume", "--out", "{run}"], ["another config", "prior is 'uniform'"]),
    (
        ["train", "{config}", "--log", "mlflow", "--out", "{new}"],
        ["'mlflow'", "tensorboard, wandb"],
    ),
    (["train", "{config}", "--resume", "--out", "{folder}"], ["no run to resume", "config.yaml"]),
    (["train", "{config}", "k=1,2", "--out", "{new}"], ["k is '1,2'", "cannot be swept", "alpha"]),
    (["train", "{config}", "alpha=.1,0", "--out", "{new}"], ["alpha is 0.0", "above 0"]),
    (["eval", "{folder}"], ["holds no run", "config.yaml"]),
    (["eval", "{run}", "hidden_sizes=[4]"], ["hidden_sizes cannot differ", "valid: prior"]),
    (["eval", "{run}", "--prior", "gpt5"], ["unknown prior 'gpt5'", "embedded"]),
    (["eval", "{run}", "k=-3"], ["k is -3", "a whole number from 1"]),
    (["eval", "{run}", "--instances", "unseen"], ["unknown split 'unseen'", "train, held-out"]),
    (["eval", "{run}", "--json", "{mine}"], ["exists", "name another file"]),
    (["eval", "{run}", "k"], ["'k' is not an override", "key=value"]),
    (["compare", "{nowhere}"], ["holds no run", "no such directory"]),
    (["compare", "{folder}"], ["holds no run", "config.yaml"]),
    (["compare", "{run}", "--threshold", "1.5"], ["threshold is 1.5", "(0, 1]"]),
    (["compare", "{run}", "--threshold", "high"], ["'high'", "--help"]),
    (["compare", "{run}", "--threshold", ".1"], ["threshold is 0.1", "2 episodes", "1/6"]),
    (["report", "{run}", "--threshold", ".9", "-o", "{new}.html"], ["threshold is 0.9", "1/6"]),
    (["compare", "{begun}"], ["begun has 1 of the 3 evaluations"]),
    (["compare", "{run}", "{offline}"], ["run counts environment steps", "gradient steps"]),
    (["plot", "{run}", "{offline}", "-o", "{new}.png"], ["run counts environment steps"]),
    (["report", "{run}", "{offline}", "-o", "{new}.html"], ["run counts environment steps"]),
    (["compare", "{run}", "{rare}"], ["run was evaluated every 30 steps", "rare every 100"]),
    (["report", "{run}", "{rare}", "-o", "{new}.html"], ["run was evaluated every 30 steps"]),
    (["compare", "{run}", "--json", "{mine}"], ["exists"]),
    (["compare", "{run}", "--json", "{mine}/x.json"], ["cannot write to"]),
    (["plot", "{nowhere}", "-o", "{new}.png"], ["holds no run"]),
    (["plot", "{run}", "-o", "{mine}"], ["exists"]),
    (["report", "{nowhere}", "-o", "{new}.html"], ["holds no run"]),
    (["report", "{run}", "-o", "{mine}"], ["exists"]),
    (["report", "{run}", "{run}", "{run}", "-o", "{new}.html"], ["named twice"]),
    (["train", "{config}", "--out", "gs://bucket/run"], ["is a URL", "on this machine"]),
    (["train", "{config}", "--out", "{mine}"], ["cannot write to", "is a file"]),
    (["train", "gs://bucket/config.yaml", "--out", "{new}"], ["is a URL"]),
    (["train", "{config}", "--out", "{new}" + 300 * "x"], ["cannot use", "too long"]),
    (["eval", "s3://bucket/run"], ["is a URL"]),
    (["eval", "{mine}"], ["holds no run"]),
    (["compare", "{run}", "s3://bucket/run"], ["is a URL"]),
    (["compare", "{run}", "--json", "{folder}"], ["exists"]),
    (["plot", "{run}", "-o", "{new}.jpg"], ["does not end in .png or .svg or .pdf"]),
    (["plot", "{run}", "-o", "{new}"], ["does not end in .png"]),
    (["plot", "{run}", "-o", "{mine}/x.pdf"], ["cannot write to", "is not a directory"]),
    (["report", "{run}", "-o", "{new}"], ["does not end in .html or .htm"]),
    (["collect", "{config}", "-o", "{new}"], ["does not end in .npz"]),
    (["collect", "{config}", "-o", "{new}.npz", "--behaviour", "gs://run"], ["is a URL"]),
    (
        ["collect", "{config}", "prior=uniform", "--from", "{mine}", "-o", "{new}.npz"],
        ["mine.txt is not a dataset"],
    ),
    (["prior", "FrozenLake-lprl", "--model", "embedded", "-o", "{new}"], ["does not end in .npz"]),
    (["measure", "FrozenLake-lprl", "--model", "nowhere"], ["unknown prior", "embedded"]),
    (["measure", "Pond", "--model", "embedded"], ["unknown env 'Pond'"]),
    (["measure", "FrozenLake-lprl", "--model", "none"], ["'none' says nothing"]),
    (
        ["measure", "FrozenLake-lprl", "--model", "embedded", "--calibration", "pmi,mean"],
        ["unknown calibration 'mean'", "none, pmi, contextual"],
    ),
    (
        ["measure", "FrozenLake-lprl", "--model", "uniform", "--calibration", "pmi"],
        ["calibration is 'pmi'", "'uniform' is none"],
    ),
    (["measure", "ImageCompletion-lprl", "--model", "embedded"], ["too many states"]),
    (["measure", "CartPole-v1", "--model", "uniform"], ["gymnax's own", "no text"]),
    (
        ["measure", "FrozenLake-lprl", "--model", "uniform", "--states", "0"],
        ["states is 0", "at least 1"],
    ),
    (
        ["measure", "FrozenLake-lprl", "--model", "uniform", "--seed", "9" * 20],
        ["seed is 9999", "a whole number of 32 bits"],
    ),
    (["measure", "FrozenLake-lprl", "--model", "uniform", "--json", "{mine}"], ["exists"]),
    (
        ["prior", "E", "--model", "embedded", "--samples", "3", "-o", "{new}.npz"],
        ["samples is 3", "prior_kind=p_map"],
    ),
    (
        ["prior", "FrozenLake-lprl", "--model", "habit", "--kind", "p_map", "-o", "{new}.npz"],
        ["the prior 'habit' is no model"],
    ),
    (["export", "{run}", "--out", "{mine}/model"], ["cannot write to", "is not a directory"]),
    (["pretrain", "--out", "{mine}"], ["is a file"]),
    (["demo", "--out", "https://x.org/demo"], ["is a URL"]),
    (["check", "Pond"], ["unknown env 'Pond'", "FrozenLake-lprl"]),
    (["check", "FrozenLake-lprl", "map_name=big"], ["unknown map_name 'big'"]),
    (["check", "FrozenLake-lprl", "--model", "{nowhere}"], ["no model", "embedded"]),
    (["check", "FrozenLake-lprl", "--tokenizer", "{nowhere}"], ["no tokenizer.json in", "fast"]),
    (["check", "FrozenLake-lprl", "--tokenizer", "{folder}"], ["no tokenizer.json in", "fast"]),
    (["prior", "FrozenLake-lprl", "--model", "embedded", "-o", "{mine}"], ["exists"]),
    (["pretrain", "--steps", "0", "--out", "{new}"], ["steps is 0", "1 or more"]),
    (["pretrain", "--out", "{folder}"], ["not empty"]),
    (["demo", "--out", "{folder}"], ["not empty"]),
    (
        ["demo", "lake", "--out", "{new}"],
        ["unknown demo 'lake'", "frozen_lake_corner, blocks_world"],
    ),
    (["demo", "blocks_world", "--slippery", "--out", "{new}"], ["for lakes", "no ice"]),
]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        *((["train", "{config}", *overrides, "--out", "{new}"], words)
          for overrides, words in BAD_CONFIGS),
        *BAD_CALLS,
    ],
    ids=lambda value: " ".join(value)[:50],
)  # fmt: skip
def test_bad_input_is_one_line_and_loses_nothing(
    call: list[str],
    words: list[str],
    config: Path,
    run: Path,
    others: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    mine = folder / "mine.txt"
    mine.write_text("mine")
    places = {"config": config, "run": run, "folder": folder, "mine": mine}
    places |= {"new": tmp_path / "new", "nowhere": tmp_path / "nowhere", **others}
    before = contents(run, folder)
    line = complaint([argument.format(**places) for argument in call], capsys)
    for word in words:
        assert word in line
    assert contents(run, folder) == before
    assert not list(tmp_path.glob("new*"))


def contents(*folders: Path) -> dict[Path, bytes]:
    """Every file below, whole."""
    return {p: p.read_bytes() for folder in folders for p in folder.rglob("*") if p.is_file()}


def test_there_are_at_least_forty_kinds_of_bad_input() -> None:
    assert len(BAD_CONFIGS) + len(BAD_CALLS) >= 40


def test_a_run_is_compared_plotted_reported_and_evaluated(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(run), "--json", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text())["run"]["runs"] == 4
    assert main(["plot", str(run), "-o", str(tmp_path / "p.png")]) == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    for ending, beginning in ((".PDF", b"%PDF"), (".svg", b"<?xml")):
        assert main(["plot", str(run), "-o", str(tmp_path / f"p{ending}")]) == 0
        assert (tmp_path / f"p{ending}").read_bytes().startswith(beginning)
    assert main(["report", str(run), "-o", str(tmp_path / "r.html")]) == 0
    assert "<h1>run: FrozenLake-lprl</h1>" in (tmp_path / "r.html").read_text()
    assert main(["eval", str(run), "k=1", "--json", str(tmp_path / "e.json")]) == 0
    rows = json.loads((tmp_path / "e.json").read_text())
    assert [(row["k"], row["policy"]) for row in rows] == [(1, "posterior"), (1, "greedy")]
    printed = capsys.readouterr().out
    assert "| run | 4 | 90 |" in printed
    assert "| uniform | 1 | greedy | 4 | 2 |" in printed


def test_runs_that_were_not_measured_alike_are_compared_alike_and_it_is_said(
    run: Path, others: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(run), str(others["often"]), str(others["begun"])]
    assert main(["compare", *runs, "--json", str(tmp_path / "c.json")]) == 0
    *table, resampled, episodes, dashes = capsys.readouterr().out.splitlines()
    assert "| environment steps |" in table[0]
    assert "environment steps to 80 %" in table[0]
    assert "evaluations every 30 environment steps" in resampled
    assert "often (10)" in resampled
    assert "run 2, often 8" in episodes
    assert dashes.endswith("80 % was reached: begun.")
    found = json.loads((tmp_path / "c.json").read_text())
    assert {row["evaluated_every"] for row in found.values()} == {30}
    assert found["often"]["steps_to_threshold"]["median"]["estimate"] == 90  # 0, 30: not yet all 1
    assert found["begun"]["area"] is None
    assert found["begun"]["steps_to_threshold"] is None


def test_a_diverged_run_is_one_line_with_status_1(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["train", str(config), "learning_rate=1e38", "max_grad_norm=1e38", "--quiet"]
    assert main([*call, "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "not finite" in captured.err


def test_check_prints_a_line_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "FrozenLake-lprl", "map_name=3x3", "is_slippery=false"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok  ") for line in lines[:-1])
    assert f"{len(lines) - 1} checks passed" in lines[-1]


def test_check_with_a_tokenizer_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No config, no weights. A damaged one, and one that does not suit, are refused in a line."""
    call = ["check", "FrozenLake-lprl", "map_name=3x3", "is_slippery=false", "--tokenizer"]
    stand_in("metaspace-first").backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert main([*call, str(tmp_path)]) == 0
    assert "ok  tokens: " in capsys.readouterr().out
    words = Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>"))
    for written, message in (("{}", "has no tokenizer that"), (words.to_str(), "fails the check")):
        (tmp_path / "tokenizer.json").write_text(written)
        assert main([*call, str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_check_takes_a_model_or_a_tokenizer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "FrozenLake-lprl", "--model", "embedded-early-1", "--tokenizer", "."])
    assert caught.value.code == 2
    assert "not allowed with argument --model" in capsys.readouterr().err


def test_a_config_that_is_not_there_or_not_yaml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert "frozen_lake_dqn" in complaint(["train", "nowhere.yaml", "--out", out], capsys)
    broken = tmp_path / "broken.yaml"
    broken.write_text("env: [")
    assert "not readable as YAML" in complaint(["train", str(broken), "--out", out], capsys)
    broken.write_text("- a list")
    assert "field: value" in complaint(["train", str(broken), "--out", out], capsys)
    broken.write_text("num_runs: 2")
    assert "names no env" in complaint(["train", str(broken), "--out", out], capsys)


def test_a_training_s_directory_is_left_alone(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "precious"
    out.mkdir()
    (out / "metrics.jsonl").write_text("mine")
    for command in (["train", str(config)], ["demo"], ["pretrain"]):
        assert "not empty" in complaint([*command, "--out", str(out)], capsys)
    assert [p.name for p in out.iterdir()] == ["metrics.jsonl"]
    assert (out / "metrics.jsonl").read_text() == "mine"


def test_an_output_directory_that_cannot_be_made(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    line = complaint(["train", str(config), "--out", str(tmp_path / "file" / "out")], capsys)
    assert "cannot write to" in line
    assert (tmp_path / "file").read_text() == "mine"


def test_a_table_of_another_environment_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slippery = FrozenLake("4x4", is_slippery=True)
    params = slippery.default_params
    tabulate(UniformPrior(slippery), slippery, params).save(tmp_path / "t.npz", params)
    out = str(tmp_path / "out")
    line = complaint(["train", str(config), f"prior={tmp_path / 't.npz'}", "--out", out], capsys)
    firm = FrozenLake("4x4", is_slippery=False)
    assert slippery.template.digest() in line
    assert firm.template.digest() in line


def test_prior_refuses_before_it_computes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    existing = tmp_path / "table.npz"
    existing.write_text("mine")
    call = ["prior", "FrozenLake-lprl", "--model", "embedded", "-o", str(existing)]
    assert "exists" in complaint(call, capsys)
    assert existing.read_text() == "mine"
    new = str(tmp_path / "new.npz")
    line = complaint(["prior", "Pond", "--model", "embedded", "-o", new], capsys)
    assert "unknown env 'Pond'" in line
    line = complaint(["prior", "FrozenLake-lprl", "--model", "nowhere", "-o", new], capsys)
    assert "no model 'nowhere'" in line
    assert "embedded" in line
    for model, method, words in (
        ("habit", "pmi", "'habit' asks none"),
        ("embedded", "mean", "mean"),
    ):
        call = ["prior", "FrozenLake-lprl", "--model", model, "--calibration", method, "-o", new]
        assert words in complaint(call, capsys)
    assert not Path(new).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["--quiet"],
        ["train"],
        ["train", "x", "--colour"],
        ["eval", "x", "--colour=red"],
        ["envs", "k=1"],
        ["prior", "E", "-o", "t"],
    ],
)
def test_a_bad_call_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "--help" in complaint(arguments, capsys)


def test_overrides_may_stand_behind_options(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["eval", str(run), "--prior", "uniform", "k=1", "--json", str(tmp_path / "e.json")]
    assert main([*call, "eval_episodes=1"]) == 0
    assert "| uniform | 1 | greedy | 4 | 1 |" in capsys.readouterr().out


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit) as exit:
            main([command, "--help"])
        assert exit.value.code == 0
        assert f"example: lprl {command}" in capsys.readouterr().out


def test_envs_lists_a_sample_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs"]) == 0
    printed = capsys.readouterr().out
    assert "FrozenLake-lprl" in printed
    assert "At a1 left edge" in printed


def test_prior_writes_a_table_that_train_uses(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = ["map_name=4x4", "is_slippery=false", "num_instances=2", "split=held-out"]
    table = tmp_path / "table.npz"
    call = ["prior", "FrozenLake-lprl", *bank, "--model", "embedded-early-1", "-o", str(table)]
    assert main([*call, "--dtype", "bfloat16"]) == 0
    told = capsys.readouterr().err
    assert told.count("\n") == 1  # and no bar, where there is no terminal
    assert "on a CPU, weights in bfloat16 are held in float32 too" in told
    assert [file.name for file in tmp_path.glob("table*")] == ["table.npz"]  # no draft is left
    env = FrozenLake("4x4", is_slippery=False)
    params = jax.jit(env.sample_params, static_argnums=(1, 2))(jax.random.key(0), 2, "held-out")
    loaded = TabularPrior.load(table, env, params)
    assert loaded.name == "embedded-early-1"
    assert loaded.settings["normalization"] == "sum"
    assert loaded.settings["dtype"] == "bfloat16"
    overrides = [f"env_params.{text}" for text in bank]
    out = tmp_path / "run"
    call = ["train", str(config), *overrides, f"prior={table}", "--out", str(out), "--quiet"]
    assert main(call) == 0
    assert "| run | 4 |" in capsys.readouterr().out
    written = yaml.safe_load((out / "config.yaml").read_text())
    assert written["prior"] == str(table)
    assert written["env_params"]["split"] == "held-out"


def test_measure_prints_a_row_each_and_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = ["map_name=3x3", "is_slippery=false", "num_instances=6", "split=held-out"]
    models = "embedded-early-1,habit"
    call = ["measure", "FrozenLake-lprl", *bank, "--model", models, "--json", str(tmp_path / "x")]
    assert main(call) == 0
    caption, *rows, line = capsys.readouterr().out.splitlines()
    assert caption.startswith("FrozenLake-lprl: ")
    assert "6 held-out instances" in caption
    names = [row.split("|")[1].strip() for row in rows]
    assert names == ["prior", "---", "embedded-early-1", "habit", "uniform"]
    assert line.startswith("embedded-early-1 ")
    assert "habit (KL " in line
    assert len(json.loads((tmp_path / "x").read_text())["rows"]) == 3


def test_prior_lets_a_model_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank, table = ["map_name=4x4", "is_slippery=false"], tmp_path / "table.npz"
    form = ["--kind", "p_map", "--samples", "2", "--max-tokens", "2", "--smoothing", ".5"]
    call = ["prior", "FrozenLake-lprl", *bank, "--model", "embedded-early-1", *form]
    assert main([*call, "-o", str(table)]) == 0
    assert "answers: exact 1, contained 0, none 0, tokens 2\n" in capsys.readouterr().out
    env = FrozenLake("4x4", is_slippery=False)
    loaded = TabularPrior.load(table, env, env.default_params)
    assert loaded.name == "embedded-early-1 (p_map)"
    assert (loaded.settings["samples"], loaded.settings["smoothing"]) == (2, 0.5)


def test_the_console_script_answers_without_a_traceback(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("lprl")
    call = [str(script), "train", "frozen_lake_dqn", "k=0", "--out", str(tmp_path / "out")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "k is 0" in done.stderr
