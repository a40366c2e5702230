"""The experiment on watch repair: its learner against plain Python, its rules by hand."""

import importlib
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import WatchRepair

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
experiment: Any = importlib.import_module("watch_repair")
td: Any = importlib.import_module("watch_repair_td")

ENV = WatchRepair()
PARAMS = ENV.default_params
MARGINS = (-1.5, 3.5, 3.5, -1.5)
E, R = 300, 3
JUDGES = [  # scale, wrong, until, constant, advance
    (0.0, 0.0, np.inf, 0.0, 0.0),
    (3.0, 0.3, 200.0, 0.0, 0.0),
    (0.0, 0.0, np.inf, -1.0, 3.0),
]


@pytest.fixture(scope="module")
def learnt() -> Any:
    """Three judges, three runs: trips, draws, what was learnt and decided; on the host."""
    verdict = jnp.broadcast_to(td.perfect(PARAMS), (len(JUDGES), R, 4, 2))
    fields = np.repeat(np.array(JUDGES, np.float32).T[..., None], R, axis=2)
    judges = td.Judge(verdict, *jnp.asarray(fields))

    @jax.jit
    def run(key: jax.Array) -> Any:
        trips = td.travel(ENV, PARAMS, jax.random.split(key, E * R))
        trips = jax.tree.map(lambda leaf: leaf.reshape(E, R, *leaf.shape[1:]), trips)
        draws = td.Draws(*jax.random.uniform(key, (3, E, R)))
        tables, decisions = td.learn(td.start(ENV, judges), trips, draws, judges, jnp.int32(50))
        return trips, draws, tables, decisions

    return jax.device_get(run(jax.random.key(0)))


@pytest.mark.parametrize("run", range(R))
@pytest.mark.parametrize("judge", range(len(JUDGES)))
def test_the_learner_is_the_twin(learnt: Any, judge: int, run: int) -> None:
    """Tabular Q-learning on lists of steps, which knows nothing of numbers and paths."""
    trips, draws, tables, decisions = learnt
    scale, wrong, until, constant, advance = JUDGES[judge]
    q: dict[Any, float] = {}
    for brand in range(4):
        good = 1 if MARGINS[brand] > 0 else -1
        q |= {(brand, 0): 10 + advance * good, (brand, 1): 10 - advance * good}
    states = jax.jit(jax.vmap(lambda number: ENV.state_at(0, number, PARAMS)))
    for episode in range(E):
        brand = int(trips.brand[episode, run])
        action = int(q[brand, 1] > q[brand, 0])
        if draws.explores[episode, run] < 0.1:
            action = int(draws.decision[episode, run] >= 0.5)
        assert decisions[episode, judge, run] == action
        met = jax.device_get(states(trips.path[episode, run, action]))
        assert (met.brand == brand).all()
        assert (met.repaired == (action == 0)).all()
        assert met.clock.tolist() == list(range(1, 50))
        trip = met.clock, met.repaired, met.jams, met.tyres
        places = [("v", *map(int, x)) for x in zip(*trip, strict=True)]
        keys = [(brand, action), *((brand, *place) for place in places)]
        rewards = np.full(50, constant)
        if action == 0:
            rewards[0] += trips.cost[episode, run]
            rewards[49] += trips.sale[episode, run]
        verdict = 1 if (action == 0) == (MARGINS[brand] > 0) else -1
        if draws.turns[episode, run] < wrong:
            verdict = -verdict
        rewards[0] += scale * max(0, 1 - (50 + episode) / until) * verdict
        old = [q.get(key, 10.0) for key in keys] + [0.0]
        for t, key in enumerate(keys):
            q[key] = old[t] + 0.1 * (rewards[t] + old[t + 1] - old[t])
    for brand in range(4):
        for action in range(2):
            assert tables.q[judge, run, brand, action] == pytest.approx(q[brand, action], abs=1e-3)
    changed = np.flatnonzero(tables.v[judge, run] != 10)
    found = jax.device_get(states(jnp.asarray(changed, jnp.int32)))
    for i, number in enumerate(changed):
        place = "v", *(int(x[i]) for x in (found.clock, found.repaired, found.jams, found.tyres))
        right = q[int(found.brand[i]), *place]
        assert tables.v[judge, run, number] == pytest.approx(right, abs=1e-3)
    assert len(changed) > 100


def test_trips_are_those_of_the_world(learnt: Any) -> None:
    trips, *_ = learnt
    last = jax.device_get(
        jax.vmap(lambda number: ENV.state_at(0, number, PARAMS))(trips.path[:, :, 0, -1].ravel())
    )
    price = np.array([18, 28, 31, 59])[trips.brand.ravel()]
    delivery = np.array([0.5, 2.5, 4.5, 18])[trips.brand.ravel()]
    excess = trips.sale.ravel() - (price - delivery - 0.1 * last.jams - 7 * last.tyres)
    # The last step may bring a jam and a tyre more, .36 on average; deliveries vary by 1.5.
    spread = np.sqrt(1.5**2 + 0.05 * 0.95 * 7**2)
    assert excess.mean() == pytest.approx(-0.36, abs=4 * spread / np.sqrt(E * R))
    assert excess.std() == pytest.approx(spread, rel=0.2)
    cost = -trips.cost.ravel() - np.array([1, 4, 5, 24.5])[trips.brand.ravel()]
    assert cost.mean() == pytest.approx(0, abs=4 * 2 / np.sqrt(E * R))


def test_rules_by_hand() -> None:
    is_right = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 1, 0]], bool)
    assert experiment.passes(is_right, 2, 2).tolist() == [2, 4, 3]
    assert experiment.passes(is_right, 3, 3).tolist() == [6, 5, 6]
    assert experiment.passes(is_right, 3, 2).tolist() == [3, 4, 3]


def test_figures_of_one_judge_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "RULES", {"2": (2, 2)})
    # Brand 0 is to be left, brand 1 to be repaired; five runs, one of which is never right.
    decisions = np.array([[1, 0, 0, 1, 0], [1, 1, 0, 0, 0], [1, 1, 0, 1, 1], [1, 1, 1, 1, 0]])
    brands = np.zeros((4, 5), np.int8)
    found = experiment.measure(decisions, brands, np.array(MARGINS, np.float32))["2"]
    assert found["all"] == [2, 3, None, 4, None]
    assert found["runs"] == 3
    assert found["quartiles"] == [3, 4, None]
    assert found["episodes"].startswith("4, 3/5")
    assert found["regret"] == pytest.approx(np.mean([0, 1.5, 4.5, 1.5, 4.5]))


def test_verdicts_that_are_turned_for_a_run() -> None:
    names = ["scale 5, 90 % right, errors of brands", "scale 5"]
    frozen, perfect = experiment.judges_of(PARAMS, names).verdict
    right = np.sign(MARGINS)
    np.testing.assert_array_equal(perfect[0], np.stack([right, -right], axis=1))
    ratio = np.asarray(frozen / perfect)
    assert set(np.unique(ratio)) == {-1, 1}
    np.testing.assert_array_equal(ratio[..., 0], ratio[..., 1])  # both decisions of a brand
    assert (ratio < 0).mean() == pytest.approx(0.1, abs=0.05)
