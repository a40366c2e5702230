"""Which calibration is best: by hand, and that it is chosen on training instances alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.algorithms.tabular import calibrations, exams
from lprl_jax.priors import LanguagePrior, tabulate

LAKE = FrozenLake("3x3", is_slippery=False)


def training(num=3):
    return LAKE.sample_params(jax.random.key(0), num, "train")


def test_trials_by_hand():
    """A model that likes the first of two answers, 3 : 1 behind its cue.

    In two states it says .8 : .2 and .7 : .3, where the first and the last is right. Divided by the
    cue that is 4 : 3 and 7 : 9; the square roots of what it says are 2 : 1 and 1.53 : 1.
    """
    log_probs = jnp.log(jnp.array([[[0.8, 0.2], [0.7, 0.3], [0.5, 0.5]]]))
    right = jnp.array([[[1, 0], [0, 1], [0, 0]]], bool)
    offsets = {"none": jnp.zeros(2), "pmi": jnp.log(jnp.array([0.75, 0.25]))}
    found = calibrations.trials(log_probs, right, offsets, np.ones(2, np.float32), (1.0, 2.0))
    by_name = {trial[:2]: trial for trial in found}
    kls = {
        ("none", 1.0): (0.8, 0.3),
        ("none", 2.0): (2 / 3, 1 / (1 + np.sqrt(7 / 3))),
        ("pmi", 1.0): (4 / 7, 9 / 16),
        ("pmi", 2.0): (1 / (1 + np.sqrt(3 / 4)), 1 / (1 + np.sqrt(7 / 9))),
    }
    assert list(by_name) == list(kls)
    for name, probs in kls.items():
        assert by_name[name].kl == pytest.approx(-np.log(probs).mean(), rel=1e-5)
        assert by_name[name].top1 == (0.5 if name[0] == "none" else 1.0)


def test_the_best_of_all_is_chosen_and_the_prior_keeps_its_bank():
    bank = LAKE.sample_params(jax.random.key(5), 2, "held-out")
    prior = LanguagePrior.of_model(tiny_model(), LAKE, bank, calibration="pmi")
    found = calibrations.choose(prior, training(), ("none", "contextual"), (1.0, 4.0))
    tried = [("none", 1.0), ("none", 4.0), ("contextual", 1.0), ("contextual", 4.0)]
    assert [trial[:2] for trial in found.trials] == tried
    assert found.best == min(found.trials, key=lambda trial: trial.kl)
    assert (found.prior.calibration, found.prior.temperature) == found.best[:2]
    assert found.prior.params.prefix_valid.shape[0] == 2
    # As a table of the best says, asked in full.
    own = found.prior.with_bank(training())
    exam = exams.draw(LAKE, training(), jax.random.key(0))
    table = np.asarray(tabulate(own, LAKE, training()).table)
    index_of = jax.vmap(jax.vmap(LAKE.state_index, (0, None)), (0, None))
    index = np.asarray(index_of(exam.states, training()))
    right, kls = np.asarray(exam.right), []
    for instance in range(3):
        rows = [
            np.mean([-np.log(r.sum()) - table[instance, i][a] for a in np.flatnonzero(r)])
            for i, r in zip(index[instance], right[instance], strict=True)
            if r.any()
        ]
        kls.append(np.mean(rows))
    assert found.best.kl == pytest.approx(np.mean(kls), abs=1e-4)


def test_an_exam_asks_all_states_that_can_be_won_from_or_draws_some():
    params = LAKE.params_of([("SFF", "HFH", "FFG"), ("SFF", "FHF", "HHG")])
    # Of a map: neither holes nor the goal; of the last nothing in its last row.
    won = [{0, 1, 2, 4, 6, 7}, {0, 1, 2, 3, 5}]
    for num, counts in ((64, [6, 5]), (2, [2, 2])):
        exam = exams.draw(LAKE, params, jax.random.key(3), num)
        for instance in range(2):
            own = jax.tree.map(lambda x, i=instance: x[i], exam.states)
            index = np.asarray(jax.vmap(LAKE.state_index, (0, None))(own, params))
            asked = index[np.asarray(exam.asked)[instance]].tolist()
            assert len(asked) == len(set(asked)) == counts[instance]
            assert set(asked) <= won[instance]
            # What only fills up is one of them.
            assert set(index.tolist()) <= won[instance]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ("none", "mean")}, "unknown calibration 'mean'"),
        ({"methods": ()}, r"methods is \(\); right: one or more, in a list"),
        ({"methods": "pmi"}, "methods is 'pmi'; right: one or more, in a list"),
        ({"temperatures": (1.0, 0.0)}, "temperature is 0.0; it must be above 0"),
    ],
    ids=["method", "no method", "a text", "temperature"],
)
def test_bad_arguments(arguments, message):
    prior = LanguagePrior.of_model(tiny_model(), LAKE, training())
    with pytest.raises(InvalidInput, match=message):
        calibrations.choose(prior, training(), **arguments)


def test_held_out_instances_are_refused():
    bank = LAKE.sample_params(jax.random.key(0), 2, "held-out")
    prior = LanguagePrior.of_model(tiny_model(), LAKE, bank)
    with pytest.raises(InvalidInput, match="a calibration is chosen on training instances; inst"):
        calibrations.choose(prior, bank)
