"""Asking about every state: some at a time, one program, and going on where it was interrupted."""

import dataclasses
import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.priors import LanguagePrior, drafts, everywhere, tabulate
from lprl_jax.priors.base import Counters

LAKE = FrozenLake("4x4", is_slippery=False)
MAPS = [["SFFF", "FHFH", "FFFH", "HFFG"], ["SFFF", "FFFF", "FFFF", "FFFG"]]
OTHERS = [["FFFS", "FHHF", "FGFH", "HFFF"], ["SFFF", "FHFF", "FFFF", "FFFG"]]
PARAMS = LAKE.params_of(MAPS)
SLOPES = jnp.array([[0.1, -0.1, 0.2, 0.0]])
GOES_ON = np.isin(np.asarray(PARAMS.bank.tiles), [0, 1])


@functools.cache
def language_prior() -> LanguagePrior:
    return LanguagePrior.of_model(tiny_model(), LAKE, PARAMS, chunk=7)


@dataclasses.dataclass(frozen=True, eq=False)
class Numbered:
    """Says of a state which one it is, 7 at a time, and notes what it was asked."""

    asked: list[Any]
    name: str = "numbered"
    chunk: int = 7
    params: Any = ()

    def init(self) -> Counters:
        return Counters.zero(5)

    def log_probs(self, params, carry, env_state, env_params, needed):
        index = jax.vmap(LAKE.state_index, (0, None))(env_state, env_params)
        place = 16 * env_state.instance + index
        jax.debug.callback(self.note, place, needed)
        scores = place[:, None] * SLOPES
        return jax.nn.log_softmax(scores), carry.after_running(needed)

    def note(self, place: Any, needed: Any) -> None:
        self.asked.append(np.asarray(place)[np.asarray(needed)].tolist())


RIGHT = np.asarray(jax.nn.log_softmax(np.arange(32)[:, None] * np.asarray(SLOPES)))
RIGHT = RIGHT.reshape(2, 16, 4)


class InterruptedBar:
    """A progress bar behind whose second step somebody presses Ctrl-C."""

    def __init__(self, **_: Any):
        self.steps = 0

    def __enter__(self) -> "InterruptedBar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, count: int) -> None:
        self.steps += count
        if self.steps > 7:
            raise KeyboardInterrupt


def chunks(places: np.ndarray) -> list[list[int]]:
    return [places[i : i + 7].tolist() for i in range(0, len(places), 7)]


def test_only_states_that_go_on_are_asked_across_instances():
    prior = Numbered([])
    found = everywhere.ask_everywhere(prior, LAKE, PARAMS)
    jax.effects_barrier()
    assert prior.asked == chunks(np.flatnonzero(GOES_ON))
    assert found.evaluations == 5 + GOES_ON.sum()  # what was run beforehand counts once
    np.testing.assert_allclose(found.log_probs[GOES_ON], RIGHT[GOES_ON], atol=1e-6)
    np.testing.assert_allclose(found.log_probs[~GOES_ON], np.log(0.25), atol=1e-6)


def test_one_program_for_every_bank_of_a_size():
    """Whose texts are as long: a second table compiles nothing, and parameters are let go."""
    program: Any = everywhere._ask_alike
    prior, size = language_prior(), program._cache_size
    first, before = tabulate(prior, LAKE, PARAMS), size()
    moved = prior.with_bank(LAKE.params_of(OTHERS))
    second = tabulate(moved, LAKE, LAKE.params_of(OTHERS))
    again = tabulate(prior, LAKE, PARAMS)
    assert size() == before
    np.testing.assert_array_equal(first.table, again.table)
    assert np.abs(first.table - second.table).max() > 0.1
    assert prior.stateless == moved.stateless
    assert prior.stateless != dataclasses.replace(prior, chunk=3).stateless
    bare = prior.stateless.prior
    assert bare.params is None
    assert bare.model.params is None


def test_an_interrupted_table_goes_on(tmp_path, monkeypatch):
    path, prior = tmp_path / "table.npz", Numbered([])
    monkeypatch.setattr(everywhere, "tqdm", InterruptedBar)
    with pytest.raises(KeyboardInterrupt):
        tabulate(prior, LAKE, PARAMS, resume=path, note="mine")
    assert [file.name for file in tmp_path.iterdir()] == ["table.npz.part"]
    monkeypatch.undo()
    rest = Numbered([])
    table = tabulate(rest, LAKE, PARAMS, resume=path, note="mine")
    jax.effects_barrier()
    assert rest.asked == chunks(np.flatnonzero(GOES_ON)[14:])
    assert table.evaluations == 5 + GOES_ON.sum()
    np.testing.assert_allclose(table.table[GOES_ON], RIGHT[GOES_ON], atol=1e-6)
    drafts.remove(path)
    drafts.remove(path)
    assert not list(tmp_path.iterdir())


def test_what_comes_in_is_kept_every_so_often(tmp_path, monkeypatch):
    path, counts = tmp_path / "table.npz", []
    monkeypatch.setattr(drafts, "SECONDS", 0.0)
    monkeypatch.setattr(
        np, "savez", lambda file, log_probs, manifest: counts.append(len(log_probs))
    )
    tabulate(Numbered([]), LAKE, PARAMS, resume=path)
    assert counts == [7, 14, 21, int(GOES_ON.sum())]


def left(path, **settings):
    """What a call that was interrupted leaves."""
    draft = drafts.Draft(path, {"prior": "numbered", "settings": settings})
    draft.keep(lambda: RIGHT[0, :3], 3, now=True)
    return draft


def test_a_draft_of_another_table_is_refused(tmp_path):
    draft = left(tmp_path / "table.npz", wording="bare")
    kept, evaluations = drafts.Draft(
        tmp_path / "table.npz", {"prior": "numbered", "settings": {"wording": "bare"}}
    ).read(3, 4)
    np.testing.assert_array_equal(kept, RIGHT[0, :3])
    assert evaluations == 3
    for manifest in (
        {"prior": "numbered", "settings": {"wording": "chat"}},
        {"prior": "numbered", "settings": {"wording": "bare", "dtype": "bfloat16"}},
        {"prior": "numbered"},
    ):
        other = drafts.Draft(tmp_path / "table.npz", manifest)
        with pytest.raises(InvalidInput, match=r"table\.npz\.part was begun with other settings"):
            other.read(3, 4)
    assert draft.path.exists()


def test_a_damaged_draft_is_refused(tmp_path):
    draft = left(tmp_path / "table.npz")
    whole = draft.path.read_bytes()
    with np.load(draft.path) as file:
        manifest, rows = json.loads(str(file["manifest"])), file["log_probs"]
    nothing = {**manifest, "evaluations": "many"}

    def written(manifest, rows):
        with draft.path.open("wb") as file:
            np.savez(file, manifest=np.array(json.dumps(manifest)), log_probs=rows)
        return draft.path.read_bytes()

    for damaged in (
        whole[:-30],
        b"",
        written(nothing, rows),
        written(manifest, rows[:, :3]),
        written(manifest, np.repeat(rows, 2, 0)),
        written(manifest, rows * np.nan),
        written(manifest, rows.astype(np.float64)),
    ):
        draft.path.write_bytes(damaged)
        with pytest.raises(InvalidInput, match=r"table\.npz\.part is damaged; remove it"):
            draft.read(3, 4)
