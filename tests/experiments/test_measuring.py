"""What `lprl measure` finds, against plain Python; what a run says of a prior before it begins."""

import functools
import json
from collections import deque

import jax
import numpy as np
import pytest
from lprl_envs import FrozenLake
from priors.tiny import naive_scores, tiny_model
from small_experiment import fields

from lprl_jax.algorithms.tabular import habits
from lprl_jax.cli.main import main
from lprl_jax.experiments import build, config, measuring, worth
from lprl_jax.experiments.measuring import HABIT, ITSELF, OWN_HABIT, SHUFFLED, UNIFORM
from lprl_jax.lm import checkpoint, embedded
from lprl_jax.lm.taught import StrangeText
from lprl_jax.priors import LanguagePrior, judging
from lprl_jax.priors.judging import Scores
from lprl_jax.results import measured

LAKE = FrozenLake("3x3", is_slippery=False)
MAPS = (("SFF", "HFH", "FFG"), ("SFF", "FFF", "HHG"))
ARGUMENTS, BANK = config.parse_env_params(
    "FrozenLake-lprl",
    {"map_name": "3x3", "is_slippery": False, "instances": [list(rows) for rows in MAPS]},
)
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


def run(**changes):
    given = {"models": ["embedded-early-1"], **changes}
    return measuring.run("FrozenLake-lprl", ARGUMENTS, BANK, **given)


@functools.cache
def found():
    return run()


def row(what, prior="embedded-early-1"):
    return next(r for r in found().rows if (r.prior, r.what) == (prior, what))


def move(cell, action):
    y, x = (a + b for a, b in zip(cell, MOVES[action], strict=True))
    return (min(max(y, 0), 2), min(max(x, 0), 2))


def right_moves(rows):
    """Cell to the actions that are on a shortest way to the goal, by breadth-first search."""
    tiles = {(y, x): rows[y][x] for y in range(3) for x in range(3)}
    (goal,) = (cell for cell, tile in tiles.items() if tile == "G")
    distance, queue = {goal: 0}, deque([goal])
    while queue:
        cell = queue.popleft()
        for other in tiles:
            steps = [move(other, action) for action in range(4)]
            if tiles[other] in "SF" and cell in steps and other not in distance:
                distance[other] = distance[cell] + 1
                queue.append(other)
    return {
        cell: [a for a in range(4) if distance.get(move(cell, a)) == distance[cell] - 1]
        for cell in distance
        if cell != goal
    }


def scores_of(instance, probs_at):
    """top-1, covered by 5 and KL, the means over the cells of a map that are asked about."""
    each = []
    for cell, right in right_moves(MAPS[instance]).items():
        p = probs_at(instance, cell)
        best = [a for a in range(4) if p[a] == max(p)]
        top1 = len(set(best) & set(right)) / len(best)
        covered = 1 - (1 - sum(p[a] for a in right)) ** 5
        kl = sum(np.log(1 / len(right) / p[a]) for a in right) / len(right)
        each.append((top1, covered, kl))
    return np.mean(each, axis=0)


def assert_scores(row, probs_at):
    for instance in range(2):
        own = [x[instance] for x in row.scores]
        np.testing.assert_allclose(own, scores_of(instance, probs_at), atol=1e-4)


def test_a_model_against_plain_python():
    model = checkpoint.load(embedded.path_of("embedded-early-1"))
    params = LAKE.params_of([list(rows) for rows in MAPS])

    @functools.cache
    def probs(instance):
        states = [LAKE.state_at(instance, i, params) for i in range(9)]
        texts = [LAKE.describe(state, params) for state in states]
        scores, _ = naive_scores(model, texts, [text + "\n" for text in LAKE.action_texts])
        weights = np.exp(scores)
        return weights / weights.sum(1, keepdims=True)

    assert_scores(row(ITSELF), lambda instance, cell: probs(instance)[cell[0] * 3 + cell[1]])
    assert (found().instances, found().states) == (2, 6 + 6)
    assert found().split == ""


def test_habit_and_uniform_against_plain_python():
    weights = np.exp(np.asarray(habits.of_training(LAKE).log_weights, np.float64))
    assert_scores(row(ITSELF, HABIT), lambda *_: weights)
    assert_scores(row(ITSELF, UNIFORM), lambda *_: np.full(4, 0.25))


def test_the_habit_of_a_model_does_not_look_and_words_exchanged_mislead_it():
    """One answer is its best everywhere, which is right as often as the twin says of that one."""
    best = np.asarray(row(OWN_HABIT).scores.top1)
    shares = []  # of each action, in a map: how often it is right
    for rows in MAPS:
        right = list(right_moves(rows).values())
        shares.append([np.mean([a in moves for moves in right]) for a in range(4)])
    assert best.tolist() in [
        pytest.approx(list(of_action)) for of_action in zip(*shares, strict=True)
    ]
    assert np.abs(row(SHUFFLED).scores.kl - row(ITSELF).scores.kl).max() > 1e-3


def test_words_that_are_exchanged_for_themselves_change_nothing(monkeypatch):
    monkeypatch.setattr(judging, "shuffle", lambda template, key, slots: slots)
    bank = LAKE.params_of([list(rows) for rows in MAPS])
    prior = LanguagePrior.from_pretrained("embedded-early-1", LAKE, bank, calibration="pmi")
    paper = measuring._Paper(LAKE, bank, measuring.exams.draw(LAKE, bank, jax.random.key(0)))
    examiner = measuring.Examiner(prior)
    asked = np.asarray(paper.exam.asked)
    own = np.asarray(examiner.ask(prior.params, paper.exam, bank))
    same = np.asarray(measuring._shuffled(prior, paper, jax.random.key(0)))
    np.testing.assert_allclose(same[asked], own[asked], atol=2e-5)


def rows_of(kl, prior="mine", what=ITSELF, options=None):
    kl = np.asarray(kl, float)
    return measuring.Row(prior, options or {}, what, Scores(kl * 0, kl * 0, kl))


def verdict_of(kl, instances=12):
    """Of KLs of a prior, beside a habit's of .5 and uniform ones of 1, more or less."""
    noise = 0.05 * np.sin(np.arange(instances))
    given = (
        rows_of(kl + noise, options={"calibration": "pmi"}),
        rows_of(9 + noise, what=OWN_HABIT),
        rows_of(0.5 - noise, HABIT),
        rows_of(1.0 + 0 * noise, UNIFORM),
    )
    made = measuring.Measured("Lake", "held-out", instances, 99, given)
    return made, measured.verdicts(made)


@pytest.mark.parametrize(
    ("kl", "verbs"),
    [
        (0.2, ("beats habit (KL 0.20 against 0.50: 0.30 [", "beats uniform (KL 0.20 against 1.00")),
        (0.7, ("is worse than habit (KL 0.70 against 0.50: 0.20 [", "beats uniform (KL 0.7")),
        (0.5, ("does not beat habit (KL 0.50 against 0.50: 0.00 [-0.0", "beats uniform (KL 0.5")),
        (1.5, ("is worse than habit", "is worse than uniform (KL 1.50 against 1.00: 0.50 [")),
    ],
    ids=["better", "between", "like the habit", "worst"],
)
def test_the_verdict(kl, verbs):
    made, (line,) = verdict_of(kl)
    first, second = line.removeprefix("mine (pmi) ").split(" and ")
    assert line.startswith("mine (pmi) ")
    assert first.startswith(verbs[0])
    assert second.startswith(verbs[1])
    assert line.count("\n") == 0
    as_json = json.loads(json.dumps(measured.as_json(made)))
    against = {entry["other"]: entry["kl_saved"]["estimate"] for entry in as_json["against"]}
    assert against[UNIFORM] == pytest.approx(1 - kl, abs=0.02)
    assert [r["what"] for r in as_json["rows"]] == [ITSELF, OWN_HABIT, ITSELF, ITSELF]
    assert as_json["rows"][0]["calibration"] == "pmi"
    assert "| mine |  | pmi | 0.00" in measured.table(made)
    assert measured.caption(made).startswith("Lake: 99 states of 12 held-out instances;")


def test_few_instances_give_no_verdict():
    _, (line,) = verdict_of(0.2, instances=3)
    assert line.startswith("mine (pmi) cannot be told from habit (KL 0.2")


# -- before a run ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kl", "uniform_kl", "error", "beats"),
    [(0.5, 1.0, 0.2, True), (0.7, 1.0, 0.2, False), (1.5, 1.0, 0.2, False), (1.0, 1.0, 0.0, False)],
    ids=["far", "near", "worse", "the same"],
)
def test_a_prior_beats_uniform_by_two_standard_errors(kl, uniform_kl, error, beats):
    made = worth.Worth("mine", kl, uniform_kl, error, 16)
    assert made.beats_uniform is beats
    assert made.as_dict()["beats_uniform"] is beats
    assert "'mine' does not beat the uniform one on 16 training" in made.warning


def test_a_run_says_that_its_prior_is_worth_nothing(tmp_path, capsys):
    """Not of the package's models, and not again when it is resumed; the directory keeps it."""
    checkpoint.save(tmp_path / "random", tiny_model())
    given = fields(
        prior=str(tmp_path / "random"),
        total_steps=30,
        num_runs=2,
        env_params={"num_instances": 2, "split": "held-out"},
    )
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(given))
    call = ["train", str(path), "--quiet", "--out", str(tmp_path / "run")]
    assert main(call) == 0
    line = (
        "lprl: warning: the prior 'random' does not beat the uniform one on 16 training instances"
    )
    assert capsys.readouterr().err.startswith(line)
    kept = json.loads((tmp_path / "run" / "run.json").read_text())[worth.RECORD]
    assert (kept["instances"], kept["beats_uniform"]) == (16, False)
    assert kept["kl"] > kept["uniform_kl"] - 2 * kept["error"]
    assert main([*call, "--resume", "total_steps=60"]) == 0
    assert capsys.readouterr().err == ""
    there = json.loads((tmp_path / "run" / "run.json").read_text())
    assert there[worth.RECORD] == kept


def test_the_models_of_the_package_are_asked_where_they_were_not_taught():
    """They read KeyRooms' texts, and a run says that this is worth nothing."""
    bank = {"rooms": 2, "num_instances": 2, "split": "held-out"}
    given = {"env": "KeyRooms-lprl", "env_params": bank, "prior": "embedded"}
    experiment = config.parse(given)
    env, params = build.make_env("KeyRooms-lprl", experiment.env_arguments, experiment.bank)
    with pytest.warns(StrangeText, match="embedded is asked about KeyRooms-lprl"):
        prior = build.named_prior("embedded", env, params)
    assert prior is not None
    made = worth.of_prior(prior, env, experiment)
    assert made is not None
    assert not made.beats_uniform
    assert made.warning.startswith("the prior 'embedded' does not beat the uniform one on 16 train")


def test_the_models_of_the_package_are_not_asked_before_a_run():
    experiment = config.parse(fields(prior="embedded"))
    env, params = build.make_env("FrozenLake-lprl", experiment.env_arguments, experiment.bank)
    prior = build.named_prior("embedded", env, params)
    assert prior is not None
    assert worth.of_prior(prior, env, experiment) is None
