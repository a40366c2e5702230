"""What a model was asked is kept: a run is the same to the bit, and nothing of another is taken."""

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from priors.tiny import tiny_model
from small_experiment import fields

from lprl_jax.experiments import build, config, kept, runner, worth
from lprl_jax.experiments import checkpoint as states
from lprl_jax.experiments.kept import Kept
from lprl_jax.lm import checkpoint
from lprl_jax.priors import TabularPrior


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny"
    checkpoint.save(path, tiny_model())
    return path


def found(folder: Path, **changes: Any) -> Kept | None:
    """What is kept of the small experiment's prior."""
    experiment = config.parse(fields(**changes))
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    return build.kept_of(experiment, env, params, folder)


def never() -> Any:
    raise AssertionError("it is made anew")


def made(own: Kept | None, value: float = 0.25) -> TabularPrior:
    """A table that no model says, so that it is known again."""
    assert own is not None
    shape = len(own.env_params.bank.tiles), own.env.numbered_states, own.env.num_actions
    return TabularPrior(own.env, jnp.full(shape, np.log(value)), "mine", 7, {"a": [1]})


def is_made_anew(own: Kept | None) -> bool:
    assert own is not None
    asked = []
    own.table(lambda: asked.append(1) or made(own))
    return bool(asked)


def files(out: Path) -> dict[str, bytes]:
    """Of a run, but for what is written of clocks."""
    every = [p for p in sorted(out.rglob("*")) if p.is_file() and "checkpoints" not in p.parts]
    return {str(p.relative_to(out)): p.read_bytes() for p in every if p.name != "timing.jsonl"}


def test_a_run_is_the_same_with_a_kept_table(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = config.parse(fields(prior=str(model), prior_epsilon=0.1, wording="instruction"))
    tables = tmp_path / "tables"
    plain = runner.run(experiment, tmp_path / "plain", progress=False)
    first = runner.run(experiment, tmp_path / "first", progress=False, tables=tables)
    monkeypatch.setattr(build, "named_prior", lambda *given: never())
    second = runner.run(experiment, tmp_path / "second", progress=False, tables=tables)
    assert set(files(plain)) == {"config.yaml", "metrics.jsonl", "run.json"}
    assert files(plain) == files(first) == files(second)
    assert b"prior_on_training_instances" in files(second)["run.json"]
    like = runner.set_up(experiment, tables=tables).initial_state()
    assert weights(plain, like) == weights(second, like)


def weights(out: Path, like: Any) -> list[bytes]:
    """Of the last state of a run."""
    state = states.restore(out / "checkpoints", 90, like)
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state.params)]


def test_a_table_comes_back_as_it_was(model: Path, tmp_path: Path) -> None:
    own = found(tmp_path, prior=str(model))
    assert own is not None
    first, second = own.table(lambda: made(own)), own.table(never)
    np.testing.assert_array_equal(first.table, second.table)
    for name in ("name", "evaluations", "settings", "figures"):
        assert getattr(first, name) == getattr(second, name)
    other = found(tmp_path, prior=str(model), seed=5, total_steps=60, k=3, learning_rate=0.5)
    assert not is_made_anew(other)  # it is the same prior


@pytest.mark.parametrize(
    "changes",
    [
        {"prior": "embedded"},
        {"prior_dtype": "bfloat16"},
        {"wording": "instruction"},
        {"normalization": "token"},
        {"end_of_action": "."},
        {"chunk": 3},
        {"calibration": "pmi"},
        {"prior_kind": "p_map", "samples": 2},
        {"env_params": {"is_slippery": True}},
        {"env_params": {"num_instances": 5}},
        {"env_params": {"bank_seed": 1}},
        {"env_params": {"split": "held-out"}},
        {"env_params": {"observation": "index"}},
    ],
    ids=str,
)
def test_of_another_prior_or_world_nothing_is_taken(
    changes: dict[str, Any], model: Path, tmp_path: Path
) -> None:
    assert is_made_anew(found(tmp_path, prior=str(model)))
    assert is_made_anew(found(tmp_path, **{"prior": str(model), **changes}))
    assert not is_made_anew(found(tmp_path, prior=str(model)))


def test_nor_of_other_code_versions_or_machines(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_known() -> bool:
        return not is_made_anew(found(tmp_path, prior=str(model)))

    assert (is_known(), is_known()) == (False, True)
    for name, other in {
        "_sources": lambda: "other",
        "PACKAGES": ("jax",),
        "OF_JAX": (),
    }.items():
        with monkeypatch.context() as patched:
            patched.setattr(kept, name, other)
            assert not is_known()
    with monkeypatch.context() as patched:
        patched.setenv("XLA_FLAGS", "--other")
        assert not is_known()
    assert is_known()


def test_the_code_is_all_that_lies_in_both_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest() -> str:
        kept._sources.cache_clear()
        return kept._sources()

    class Package:
        __path__ = (str(tmp_path),)

    before = digest()
    assert before == digest()
    with monkeypatch.context() as patched:
        patched.setattr(kept, "lprl_envs", Package)
        (tmp_path / "world.py").write_text("a = 1")
        first = digest()
        (tmp_path / "world.py").write_text("a = 2")
        second = digest()
        (tmp_path / "world.py").rename(tmp_path / "other.py")
        assert len({before, first, second, digest()}) == 4
    assert digest() == before


def test_a_models_digest_is_of_all_its_files(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    digests = [kept.digest_of(model), kept.digest_of(copy)]
    assert digests[0] == digests[1]
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        changed = bytearray((copy / name).read_bytes())
        changed[-2] ^= 1
        (copy / name).write_bytes(bytes(changed))
        digests.append(kept.digest_of(copy))
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    digests.append(kept.digest_of(copy))
    assert len(set(digests)) == len(digests) - 1
    assert kept.digest_of(copy / "config.json") != kept.digest_of(copy / "tokenizer.json")


def test_a_damaged_file_or_one_of_another_is_made_anew(model: Path, tmp_path: Path) -> None:
    own, other = found(tmp_path, prior=str(model)), found(tmp_path, prior="embedded")
    assert is_made_anew(own)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:-30], whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]):
        path.write_bytes(damaged)
        assert is_made_anew(own)
        assert not is_made_anew(own)
    assert is_made_anew(other)
    (of_other,) = set(tmp_path.iterdir()) - {path}
    shutil.copy(of_other, path)
    assert is_made_anew(own)


def test_a_folder_holds_so_much_and_no_more(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wordings = ("bare", "instruction", "few-shot-2")
    each = [found(tmp_path, prior=str(model), wording=name) for name in wordings]
    for place, own in enumerate(each[:2]):
        assert is_made_anew(own)
        for path in set(tmp_path.iterdir()):
            os.utime(path, (path.stat().st_atime, min(path.stat().st_mtime, 1_000 + place)))
    assert not is_made_anew(each[0])  # used a moment ago: the other one is older now
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    monkeypatch.setattr(kept, "MOST", int(2.5 * size))
    assert is_made_anew(each[2])
    assert [is_made_anew(own) for own in (each[0], each[2])] == [False, False]
    assert is_made_anew(each[1])


def test_what_cannot_be_kept_is_made(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    own = found(tmp_path / "file" / "tables", prior=str(model))
    assert is_made_anew(own)
    assert is_made_anew(own)


def test_a_table_that_is_too_large_is_not_kept(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST", 4 * 16 * 4 * 4 - 1)
    own = found(tmp_path, prior=str(model))
    assert is_made_anew(own)
    assert is_made_anew(own)
    monkeypatch.setattr(kept, "MOST", 4 * 16 * 4 * 4)
    assert is_made_anew(own)


@pytest.mark.parametrize(
    "changes",
    [{"prior": "uniform"}, {"prior_access": "live"}, {"prior_access": "memo"}],
    ids=str,
)
def test_where_no_model_is_asked_for_a_table_nothing_is_kept(
    changes: dict[str, Any], model: Path, tmp_path: Path
) -> None:
    assert found(tmp_path, **{"prior": str(model), **changes}) is None
    experiment = config.parse(fields(prior=str(model)))
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    assert build.kept_of(experiment, env, params, None) is None
    mine = dataclasses.replace(experiment, algorithm=dataclasses.replace(experiment.algorithm))
    assert build.kept_of(mine, env, params, tmp_path) is not None
    own: Any = type("Mine", (type(env),), {"__module__": "mine"})
    assert kept.of_prior(tmp_path, experiment.config, own(map_name="4x4"), params, ()) is None


def test_what_a_prior_is_worth_is_kept_too(model: Path, tmp_path: Path) -> None:
    own = found(tmp_path, prior=str(model))
    assert own is not None
    worths = worth.Worth("tiny", 1 / 3, 0.1 + 0.2, 1e-300, 16), None
    for what, one in zip(("one", "none"), worths, strict=True):
        assert own.note(what, lambda one=one: one) == one
        again = own.note(what, never)
        assert (again and worth.Worth(*again)) == one
