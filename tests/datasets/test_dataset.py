"""Datasets as files: what is written is read, and what does not belong is refused by name."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import PROBES, TabularMDP
from datasets.tiny_data import ORIGIN, dataset_of
from lprl_envs import FrozenLake, InvalidInput

from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.datasets import dataset
from lprl_jax.priors import TabularPrior, UniformPrior, degrade

ENV = TabularMDP(2, 3)
PROCESSES = [PROBES["illegal actions"], PROBES["by action"], PROBES["discounting"]]
PARAMS = ENV.params_of(PROCESSES)
# Of instances 0 and 1 only; places 1 of instance 0 allow 1 and 2, places 0 allow 0 and 1.
RUNS = [[(0, 0, 1), (0, 1, 2), (1, 0, 0)], [(1, 0, 2), (0, 0, 0), (0, 1, 1)]]
PROBS = np.full((3, 3), 1 / 3, np.float32)


def uniform(states) -> np.ndarray:
    legal = np.asarray(legal_actions(ENV, states, PARAMS))
    return np.where(legal, -np.log(legal.sum(-1, keepdims=True)), -np.inf).astype(np.float32)


BARE = dataset_of(ENV, PROCESSES, RUNS)
FOUND = BARE._replace(log_probs=uniform(BARE.state), next_log_probs=uniform(BARE.next_state))


class Newer(TabularMDP):
    version = 2


class Reworded(TabularMDP):
    @property
    def action_texts(self) -> tuple[str, ...]:
        return (" stop", " turn", " sleep")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.npz"
    dataset.save(path, FOUND, ORIGIN, ENV, PARAMS)
    return path


def test_what_is_saved_is_loaded(file):
    found, origin = dataset.load(file, ENV, PARAMS)
    jax.tree.map(np.testing.assert_array_equal, found, FOUND)
    assert jax.tree.structure(found) == jax.tree.structure(FOUND)
    assert origin == ORIGIN
    assert (found.num_runs, found.size) == (2, 3)
    with np.load(file) as arrays:  # the format that is documented
        manifest = json.loads(str(arrays["manifest"]))
        assert arrays["next_state.place"].tolist() == FOUND.next_state.place.tolist()
    assert {"environment", "version", "template", "actions", "instances"} < set(manifest)
    assert len(manifest["instances"]) == 3


def test_without_a_prior_there_are_no_log_probs(tmp_path):
    path = tmp_path / "bare.npz"
    bare = FOUND._replace(log_probs=(), next_log_probs=())
    dataset.save(path, bare, dataclasses.replace(ORIGIN, prior="none"), ENV, PARAMS)
    found, origin = dataset.load(path, ENV, PARAMS)
    assert (found.log_probs, found.next_log_probs) == ((), ())
    with pytest.raises(InvalidInput, match=r"has no prior's log-probabilities, .* --from"):
        dataset.require_prior(path, origin, UniformPrior(ENV))


def test_instances_are_numbered_as_in_the_bank(file):
    other = ENV.params_of([PROCESSES[1], PROCESSES[2], PROCESSES[0]])
    found, _ = dataset.load(file, ENV, other)
    np.testing.assert_array_equal(found.state.instance, np.array([2, 0])[FOUND.state.instance])
    np.testing.assert_array_equal(found.next_state.instance, found.state.instance)
    # What no transition is of need not be there.
    dataset.load(file, ENV, ENV.params_of([PROCESSES[1], PROCESSES[0]]))
    with pytest.raises(
        InvalidInput, match=r"1 of the 2 instances in the dataset .* are not in use"
    ):
        dataset.load(file, ENV, ENV.params_of([PROCESSES[1], PROCESSES[2]]))


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (Newer(2, 3), "of version 1, here it is 2"),
        (Reworded(2, 3), "of actions .* go left.*, here it is .* sleep"),
        (TabularMDP(3, 3), "of template .*, here it is "),
        (FrozenLake("4x4"), "of environment 'TabularMDP', here it is 'FrozenLake-lprl'"),
    ],
)
def test_a_dataset_of_another_environment_is_refused(file, env, message):
    params = PARAMS if isinstance(env, TabularMDP) else env.default_params
    with pytest.raises(InvalidInput, match=f"the dataset {file} is {message}"):
        dataset.load(file, env, params)


def changed(path, **arrays):
    """Rewrite some of a file's arrays; None leaves one out."""
    with np.load(path) as there:
        kept = {**{name: there[name] for name in there.files}, **arrays}
    np.savez(path, **{name: array for name, array in kept.items() if array is not None})


def with_(array, at, value):
    array = np.array(array)
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"action": with_(FOUND.action, (0, 1), 0)}, "has 1 actions that were illegal.*0 in tran"),
        ({"action": with_(FOUND.action, (1, 0), 7)}, "illegal, .* 7 in transition 0 of run 1"),
        ({"action": with_(FOUND.action, (1, 0), -1)}, "illegal, .* -1 in transition 0 of run 1"),
        ({"action_mask": ~FOUND.action_mask}, "action_mask is not the environment's"),
        ({"action": FOUND.action.astype(float)}, r"damaged: action is float64\[2, 3\]"),
        ({"reward": FOUND.reward[:, :2]}, r"damaged: reward is float32\[2, 2\]"),
        (
            {"reward": with_(FOUND.reward, (0, 0), np.nan)},
            "reward is not finite, it is nan, in transition 0 of run 0$",
        ),
        ({"log_probs": FOUND.log_probs + 1}, "log_probs is not normalised.* add up to 2.718"),
        (
            {"log_probs": with_(FOUND.log_probs, (1, 2), np.nan)},
            "log_probs is not .*: nan for the legal action 1, in transition 2 of run 1$",
        ),
        (
            {"log_probs": with_(FOUND.log_probs, (0, 1, 1), -np.inf)},
            "log_probs is not .*: -inf for the legal action 1, in transition 1 of run 0$",
        ),
        (
            {"next_log_probs": np.full((2, 3, 3), -np.log(3), np.float32)},
            "next_log_probs is not .*: -1.099 for the illegal action 0, which must have -inf, in",
        ),
        ({"state.instance": with_(FOUND.state.instance, (0, 0), 9)}, "has no instance 9"),
        ({"state.instance": with_(FOUND.state.instance, (0, 0), -1)}, "has no instance -1"),
        (
            {"next_state.instance": with_(FOUND.state.instance, (0, 0), 1)},
            "next_state is of another instance than state, in transition 0 of run 0",
        ),
        (
            {"state.place": with_(FOUND.state.place, (1, 0), 7)},
            "state is no state of TabularMDP, in transition 0 of run 1",
        ),
        (
            {"state.time": with_(FOUND.state.time, (0, 2), 101)},
            r"state.time is 101; it must be in \[0, 100\], in transition 2 of run 0",
        ),
        (
            {"next_state.time": with_(FOUND.next_state.time, (0, 2), 5)},
            "next_state.time is 5 behind 0, in transition 2 of run 0",
        ),
        (
            {"terminated": ~FOUND.terminated},
            "terminated is .*, and the environment says .*, in transition 0 of run 0, as in 5 more",
        ),
        (
            {"truncated": with_(FOUND.truncated, (1, 1), True)},
            "truncated is True, and the environment says False, in transition 1 of run 1$",
        ),
        (
            {"behaviour": with_(FOUND.behaviour, (0, 1), 1)},
            "behaviour is 1 of 1, in transition 1 of run 0$",
        ),
        ({"surplus": np.zeros(3)}, "damaged: surplus is"),
        ({"reward": None}, "damaged: it lacks reward"),
        ({"next_state.time": None, "truncated": None}, "it lacks truncated, next_state.time"),
        ({"action": None}, "is not a dataset"),
        ({"next_log_probs": None}, "damaged: it lacks next_log_probs"),
        ({"manifest": None}, "is not a dataset"),
        ({"manifest": np.array("[]")}, "is not a dataset"),
        (
            {name: np.zeros((2, 0), np.int32) for name in ("action", "behaviour")},
            "holds no transitions",
        ),
    ],
)
def test_damage_is_named(file, arrays, words):
    changed(file, **arrays)
    with pytest.raises(InvalidInput, match=words) as error:
        dataset.load(file, ENV, PARAMS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entry", "value"), [("queries", ...), ("prior_settings", "x"), ("behaviours", 3)]
)
def test_a_manifest_that_lacks_entries_is_damaged(file, entry, value):
    with np.load(file) as there:
        manifest = json.loads(str(there["manifest"]))
    manifest = {k: v for k, v in {**manifest, entry: value}.items() if v is not ...}
    changed(file, manifest=np.array(json.dumps(manifest)))
    with pytest.raises(InvalidInput, match="damaged: its manifest lacks entries"):
        dataset.load(file, ENV, PARAMS)


def test_what_is_no_dataset_is_refused(file, tmp_path):
    whole = file.read_bytes()
    for name, content in (("text", b"mine"), ("empty", b""), ("cut", whole[: len(whole) // 2])):
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=f"{name}.npz is not a dataset; make one"):
            dataset.load(path, ENV, PARAMS)
    with pytest.raises(
        InvalidInput, match=r"no dataset at .*absent\.npz; make one with `lprl coll"
    ):
        dataset.load(tmp_path / "absent.npz", ENV, PARAMS)


def test_nothing_is_overwritten(file):
    before = file.read_bytes()
    with pytest.raises(InvalidInput, match=r"data\.npz exists"):
        dataset.save(file, FOUND, ORIGIN, ENV, PARAMS)
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["data.npz"]


def test_the_prior_must_be_the_one_that_was_asked():
    settings = dict(ORIGIN.prior_settings)
    prior = TabularPrior(ENV, jnp.log(PROBS)[None], "by hand", 4, settings)
    dataset.require_prior("d", ORIGIN, prior)
    other = dataclasses.replace(prior, settings={"normalization": "token"})
    with pytest.raises(InvalidInput, match=r"of prior_settings .*'sum'.*, here it is .*'token'"):
        dataset.require_prior("d", ORIGIN, other)
    with pytest.raises(InvalidInput, match="of prior 'by hand', here it is 'uniform'"):
        dataset.require_prior("d", ORIGIN, UniformPrior(ENV))
    worse = degrade(prior, epsilon=0.5)
    with pytest.raises(InvalidInput, match=r"here it is 'by hand \(ε = 0.5\)'"):
        dataset.require_prior("d", ORIGIN, worse)
    # A worse version is one of the same model.
    dataset.require_prior("d", dataclasses.replace(ORIGIN, prior=worse.name), worse)


OF_A_MODEL = {"model": "checkpoint-500", "digest": "a" * 64, "tokenizer": "t", "end_of_action": ""}


def asked(name="checkpoint-500", **settings) -> TabularPrior:
    """A table of a model's; `...` leaves a setting out."""
    whole = {key: value for key, value in (OF_A_MODEL | settings).items() if value is not ...}
    return TabularPrior(ENV, jnp.log(PROBS)[None], name, 4, whole)


LABELLED = dataclasses.replace(ORIGIN, prior="checkpoint-500", prior_settings=OF_A_MODEL)


def test_a_model_is_known_by_its_digest_wherever_it_lies():
    dataset.require_prior("d", LABELLED, asked())
    copy = asked("copy", model="copy")
    assert copy.name != LABELLED.prior
    dataset.require_prior("d", LABELLED, copy)
    own = dataclasses.replace(LABELLED, prior_settings=OF_A_MODEL | {"prompt": "p", "wording": "x"})
    dataset.require_prior("d", own, asked(prompt="p", wording="y"))  # a name, for reports
    worse = degrade(asked("copy", model="copy"), epsilon=0.5)
    recorded = dataclasses.replace(LABELLED, prior=degrade(asked(), epsilon=0.5).name)
    assert worse.name != recorded.prior
    dataset.require_prior("d", recorded, worse)


@pytest.mark.parametrize(
    ("recorded", "prior", "message"),
    [
        (
            LABELLED,
            asked(digest="b" * 64),
            "of the model 'checkpoint-500' with the digest aaaaaaaaaaaa, and the prior "
            "'checkpoint-500' has bbbbbbbbbbbb: weights, vocabulary or prior_dtype differ",
        ),
        (LABELLED, asked(end_of_action="!"), "of prior_settings .* here it is .*'!'"),
        (LABELLED, asked(prompt="p", wording="chat"), "of prior_settings .* here it is .*'prompt'"),
        (LABELLED, degrade(asked(), epsilon=0.5), "prior 'checkpoint-500', here .*500 \\(ε = 0.5"),
        (LABELLED, asked(digest=...), "is a table that names its model, but not by a digest; make"),
        (
            dataclasses.replace(LABELLED, prior_settings=asked(digest=...).settings),
            asked(),
            "names its prior's model, 'checkpoint-500', but not by a digest; add .*--from",
        ),
        (
            dataclasses.replace(LABELLED, prior_settings=asked(digest=...).settings),
            asked(digest=...),  # neither says whose it is: the same name may be another's
            "names its prior's model, 'checkpoint-500', but not by a digest",
        ),
        (LABELLED, UniformPrior(ENV), "of prior 'checkpoint-500', here it is 'uniform'"),
    ],
)
def test_models_of_one_name_are_told_apart(recorded, prior, message):
    with pytest.raises(InvalidInput, match=message) as error:
        dataset.require_prior("d", recorded, prior)
    assert "\n" not in str(error.value)
