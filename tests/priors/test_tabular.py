"""Tables as files: what is written is read, and what does not belong is refused by name."""

import dataclasses
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import PROBES, TabularMDP
from lprl_envs import FrozenLake, InvalidInput

from lprl_jax.priors import TabularPrior, UniformPrior, fingerprint, tabulate

LAKE = FrozenLake("4x4", is_slippery=False)
MAPS = [
    ["SFFF", "FHFH", "FFFH", "HFFG"],
    ["SFFF", "FFFF", "FFHF", "FFFG"],
    ["FFFS", "FFHF", "FGFF", "FFFF"],
]
PARAMS = LAKE.params_of(MAPS)
PRIOR = TabularPrior(
    LAKE,
    jax.nn.log_softmax(jax.random.normal(jax.random.key(0), (3, 16, 4))),
    "somebody's",
    48,
    {"model": "theirs", "normalization": "token"},
)


class Newer(FrozenLake):
    version = 3


class Reworded(FrozenLake):
    @property
    def action_texts(self) -> tuple[str, ...]:
        return (" west", " south", " east", " north")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.npz"
    PRIOR.save(path, PARAMS)
    return path


def test_what_is_saved_is_loaded(table):
    prior = TabularPrior.load(str(table), LAKE, PARAMS)
    np.testing.assert_array_equal(prior.table, PRIOR.table)
    assert (prior.env, prior.name, prior.evaluations, prior.settings) == (
        LAKE,
        "somebody's",
        48,
        {"model": "theirs", "normalization": "token"},
    )
    assert prior.init() == (0, 48)


def test_a_file_of_half_the_precision(tmp_path):
    """Rounded by less than a thousandth of themselves, and distributions again."""
    PRIOR.save(tmp_path / "half.npz", PARAMS, "float16")
    found = np.asarray(TabularPrior.load(tmp_path / "half.npz", LAKE, PARAMS).table)
    np.testing.assert_allclose(found, PRIOR.table, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(np.exp(found).sum(-1), 1.0, atol=1e-6)
    assert found.dtype == np.float32
    with np.load(tmp_path / "half.npz") as file:
        assert file["log_probs"].dtype == np.float16
    with pytest.raises(InvalidInput, match="unknown precision 'int8'; valid: float32, float16"):
        PRIOR.save(tmp_path / "byte.npz", PARAMS, "int8")
    halved = dataclasses.replace(PRIOR, table=PRIOR.table - 0.5)
    halved.save(tmp_path / "damaged.npz", PARAMS, "float16")
    with pytest.raises(InvalidInput, match=r"probabilities add up to 0\.606"):
        TabularPrior.load(tmp_path / "damaged.npz", LAKE, PARAMS)


@pytest.mark.parametrize(
    ("digest", "found"), [("0f" * 32, "0f" * 16), ("damaged", "0" * 32), (None, "0" * 32)], ids=str
)
def test_a_file_says_whose_it_is(tmp_path, digest, found):
    settings = {"model": "theirs", "digest": digest} if digest else {}
    dataclasses.replace(PRIOR, settings=settings).save(tmp_path / "own.npz", PARAMS)
    prior = TabularPrior.load(tmp_path / "own.npz", LAKE, PARAMS)
    here = fingerprint.Here(fingerprint.world_of(LAKE), fingerprint.bank_of(PARAMS), ("f0" * 16,))
    assert fingerprint.models_of(prior.params) == (found,)
    if digest == "0f" * 32:
        with pytest.raises(InvalidInput, match=r"of the model 'theirs' .*with a model"):
            fingerprint.require(prior.params, here, "the prior")
    else:
        fingerprint.require(prior.params, here, "the prior")


@pytest.mark.parametrize("order", [[2, 0, 1], [1], [0, 0, 2]], ids=str)
def test_rows_follow_the_bank(table, order):
    prior = TabularPrior.load(table, LAKE, LAKE.params_of([MAPS[i] for i in order]))
    np.testing.assert_array_equal(prior.table, PRIOR.table[jnp.array(order)])


def test_look_up():
    instance, cell = jnp.array([2, 0, 1, 2]), jnp.array([5, 0, 15, 3])
    states = jax.vmap(lambda m, i: LAKE.state_at(m, i, PARAMS))(instance, cell)
    needed = jnp.array([True, False, True, True])
    found, carry = PRIOR.log_probs(PRIOR.params, PRIOR.init(), states, PARAMS, needed)
    np.testing.assert_array_equal(found, PRIOR.table[instance, cell])
    assert carry == (3, 48)


def test_tabulate_asks_about_every_state_that_is_not_terminal():
    table = tabulate(PRIOR, LAKE, PARAMS, note="copy")
    ended = np.isin(np.asarray(PARAMS.bank.tiles), [2, 3])  # holes and goals
    np.testing.assert_array_equal(table.table[~ended], PRIOR.table[~ended])
    np.testing.assert_allclose(table.table[ended], np.log(0.25), rtol=1e-6)
    assert (table.name, table.settings) == ("somebody's", {"note": "copy"})
    # A table's own evaluations were made once, not once an instance.
    assert table.evaluations == 48
    assert tabulate(UniformPrior(LAKE), LAKE, PARAMS).evaluations == 0


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (FrozenLake("4x4", is_slippery=True), "template '{}', here it is '{}'"),
        (Newer("4x4", is_slippery=False), "version 2, here it is 3"),
        (Reworded("4x4", is_slippery=False), "actions .* left.*, here it is .* west"),
    ],
    ids=["template", "version", "actions"],
)
def test_a_table_of_another_environment_is_refused(table, env, message):
    message = message.format(LAKE.template.digest(), env.template.digest())
    with pytest.raises(InvalidInput, match=f"{table} is of {message}"):
        TabularPrior.load(table, env, PARAMS)


def test_a_table_of_another_class_is_refused(tmp_path):
    env = TabularMDP(3, 2)
    prior = tabulate(UniformPrior(env), env, env.default_params)
    prior.save(tmp_path / "mdp.npz", env.default_params)
    with pytest.raises(InvalidInput, match="environment 'TabularMDP', here it is 'FrozenLake-"):
        TabularPrior.load(tmp_path / "mdp.npz", LAKE, PARAMS)


def test_a_table_of_another_format_is_refused(tmp_path):
    path = tmp_path / "later.npz"
    np.savez(path, manifest=np.array(json.dumps({"format": 2})), log_probs=np.zeros((1, 16, 4)))
    with pytest.raises(InvalidInput, match="is of format 2, here it is 1"):
        TabularPrior.load(path, LAKE, PARAMS)


def test_missing_instances_are_counted(table):
    params = LAKE.params_of([MAPS[0], ["SFFF", "FFFF", "FFFF", "FFFG"], MAPS[1]])
    with pytest.raises(InvalidInput, match="lacks 1 of the 3 instances"):
        TabularPrior.load(table, LAKE, params)


def not_tables(path, table):
    npy = path / "array.npy"
    np.save(npy, np.zeros(3))
    np.savez(path / "other.npz", weights=np.zeros(3))
    np.savez(path / "list.npz", manifest=np.array("[1]"), log_probs=np.zeros(3))
    whole = table.read_bytes()
    return {
        "text": b"a table",
        "empty": b"",
        "no manifest": (path / "list.npz").read_bytes(),
        "array": npy.read_bytes(),
        "other": (path / "other.npz").read_bytes(),
        "cut": whole[: len(whole) // 2],
    }


@pytest.mark.parametrize("kind", ["text", "empty", "no manifest", "array", "other", "cut"])
def test_what_is_not_a_table_is_refused(tmp_path, table, kind):
    path = tmp_path / f"{kind}.npz"
    path.write_bytes(not_tables(tmp_path, table)[kind])
    with pytest.raises(InvalidInput, match=f"{kind}.npz is not a table"):
        TabularPrior.load(path, LAKE, PARAMS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("instances", None), ("instances", ["a"]), ("prior", ...), ("evaluations", ...)),
        *(("evaluations", "many"), ("settings", ...), ("settings", 3)),
    ],
)
def test_a_damaged_manifest_is_noticed(tmp_path, table, field, value):
    with np.load(table) as file:
        manifest, log_probs = json.loads(str(file["manifest"])), file["log_probs"]
    manifest = {key: v for key, v in {**manifest, field: value}.items() if v is not ...}
    path = tmp_path / "damaged.npz"
    np.savez(path, manifest=np.array(json.dumps(manifest)), log_probs=log_probs)
    with pytest.raises(InvalidInput, match="is damaged; make one with `lprl prior`"):
        TabularPrior.load(path, LAKE, PARAMS)


def test_damage_is_noticed_wherever_it_is(tmp_path, table):
    path, whole = tmp_path / "damaged.npz", table.read_bytes()
    messages = []
    for start in range(0, len(whole), 25):
        end = min(start + 10, len(whole))
        path.write_bytes(
            whole[:start] + bytes(255 - byte for byte in whole[start:end]) + whole[end:]
        )
        try:
            prior = TabularPrior.load(path, LAKE, PARAMS)
        except InvalidInput as error:
            messages.append(str(error))
        else:  # a date, say
            np.testing.assert_array_equal(prior.table, PRIOR.table)
    assert len(messages) > len(whole) / 50
    assert all("is not a table" in message for message in messages)


def test_no_such_file(tmp_path):
    with pytest.raises(InvalidInput, match=r"no table at .*absent\.npz"):
        TabularPrior.load(tmp_path / "absent.npz", LAKE, PARAMS)


def test_nothing_is_overwritten(table):
    before = table.read_bytes()
    with pytest.raises(InvalidInput, match=r"table\.npz exists"):
        PRIOR.save(table, PARAMS)
    assert table.read_bytes() == before


def test_folders_are_made_where_they_can_be(tmp_path):
    PRIOR.save(tmp_path / "new" / "table.npz", PARAMS)
    assert TabularPrior.load(tmp_path / "new" / "table.npz", LAKE, PARAMS).name == PRIOR.name
    with pytest.raises(InvalidInput, match="is not a directory"):
        PRIOR.save(tmp_path / "new" / "table.npz" / "table.npz", PARAMS)


def test_loading_needs_no_language_model_and_no_prior_a_planner(table):
    program = """if True:
        import sys
        sys.modules.update(transformers=None, tokenizers=None)  # importing them fails
        from lprl_envs import FrozenLake
        from lprl_jax.priors import TabularPrior
        env = FrozenLake("4x4", is_slippery=False)
        prior = TabularPrior.load(sys.argv[1], env, env.default_params)
        print(prior.table.shape, prior.name, *sys.modules, sep="\\n")
    """
    command = [sys.executable, "-c", program, str(table)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shape, name, *modules = done.stdout.splitlines()
    assert (shape, name) == ("(1, 16, 4)", "somebody's")
    assert "lprl_jax.priors.language" in modules
    planners = {
        "lprl_jax.algorithms.tabular.value_iteration",
        "lprl_jax.pretraining.tasks",
        "lprl_jax.pretraining.pretrain",
    }
    assert not planners & set(modules)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ((2, 5, 1), np.nan, "in state 5 of instance 2: nan for the legal action 1"),
        ((0, 0, 3), -np.inf, "in state 0 of instance 0: -inf for the legal action 3"),
        ((1, 15, 2), np.inf, "in state 15 of instance 1: inf for the legal action 2"),
        ((1, 15, 2), 1.0, "in state 15 of instance 1: probabilities add up to 3"),
        ((), np.float64(0), "log_probs is float64"),
    ],
)
def test_what_is_no_distribution_is_refused(tmp_path, table, place, value, words):
    path = tmp_path / "other.npz"
    with np.load(table) as file:
        log_probs = file["log_probs"]
        if place:
            log_probs[place] = value
        else:
            log_probs = log_probs.astype(value.dtype)
        np.savez(path, manifest=file["manifest"], log_probs=log_probs)
    with pytest.raises(InvalidInput, match=f"other.npz is damaged: .*{words}") as error:
        TabularPrior.load(path, LAKE, PARAMS)
    assert "\n" not in str(error.value)


def test_a_table_with_something_on_illegal_actions_is_refused(tmp_path):
    env = TabularMDP(2, 3)
    params = env.params_of([PROBES["illegal actions"]])
    right = tabulate(UniformPrior(env), env, params)
    right.save(tmp_path / "right.npz", params)
    TabularPrior.load(tmp_path / "right.npz", env, params)
    with np.load(tmp_path / "right.npz") as file:
        even = np.full_like(file["log_probs"], -np.log(3))
        np.savez(tmp_path / "even.npz", manifest=file["manifest"], log_probs=even)
    with pytest.raises(
        InvalidInput, match=r"state 0 of instance 0: -1\.099 for the illegal action 2"
    ):
        TabularPrior.load(tmp_path / "even.npz", env, params)
