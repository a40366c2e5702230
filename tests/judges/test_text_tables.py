"""Tables of a model's verdicts, by text and by state: against the same judge, asked live."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.parts.test_text_cells import played
from lprl_envs import Blackjack, CartPole, InvalidInput, Pendulum, WatchRepair
from priors.tiny import naive_scores, tiny_model

from lprl_jax import judges
from lprl_jax.judges import PriorJudge, tabulate, words
from lprl_jax.judges.experts import expert_judge
from lprl_jax.judges.words import WordJudge
from lprl_jax.priors import LanguagePrior

WORLDS = {"cartpole": CartPole(), "pendulum": Pendulum(), "blackjack": Blackjack()}
KINDS = ("words", "action")
INSTANCES = {"cartpole": 2, "pendulum": 3, "blackjack": 2}
ROWS = {"cartpole": 1225, "pendulum": 144, "blackjack": 293}


def bank_of(world):
    return WORLDS[world].sample_params(jax.random.key(3), INSTANCES[world])


def judge_of(world, kind, soft=True):
    env, bank = WORLDS[world], bank_of(world)
    if kind == "words":
        return WordJudge.of_model(tiny_model(), env, bank, soft=soft)
    return PriorJudge(LanguagePrior.of_model(tiny_model(), env, bank), soft=soft)


@functools.cache
def tabulated(world, kind):
    """A judge, its table, and states of play with what both say of them."""
    env, bank, judge = WORLDS[world], bank_of(world), judge_of(world, kind)
    table = tabulate(judge, env, bank)
    states = played(env, bank, 40)
    count = len(states.time)
    asked = jax.random.split(jax.random.key(0), count), states, bank, jnp.ones(count, bool)
    live, _ = jax.jit(judge.verdicts)(judge.params, judge.init(), *asked)
    found, carry = jax.jit(table.verdicts)(table.params, table.init(), *asked)
    return judge, table, states, np.asarray(live), np.asarray(found), carry


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", WORLDS)
def test_a_table_says_what_the_judge_says_live(world: str, kind: str) -> None:
    judge, table, states, live, found, carry = tabulated(world, kind)
    np.testing.assert_allclose(found, live, atol=1e-5)
    assert np.abs(live).max() > 1e-2
    assert live.std(axis=0).max() > 1e-4  # which a wrong row would miss by
    assert table.name == judge.name
    env = WORLDS[world]
    assert table.params.verdicts.shape == (INSTANCES[world], ROWS[world], env.num_actions)
    assert int(carry.queries) == len(states.time)
    # Three states of Blackjack are ends, and are not asked about.
    asked = INSTANCES[world] * (ROWS[world] - 3 * (world == "blackjack"))
    assert int(carry.evaluations) == asked


def test_it_is_asked_in_whole_chunks_and_can_be_interrupted(monkeypatch) -> None:
    _, right, *_ = tabulated("cartpole", "action")
    env, bank, shown = WORLDS["cartpole"], bank_of("cartpole"), []

    class Bar:
        """Is told how far it is."""

        def __init__(self, **told):
            self.told = told

        def __enter__(self):
            return self

        def __exit__(self, *_):
            shown.append(self.told)

        def update(self, count):
            shown.append(count)
            if interrupt and len(shown) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr("lprl_jax.priors.everywhere.tqdm", Bar)
    judge = PriorJudge(LanguagePrior.of_model(tiny_model(), env, bank, chunk=300), soft=True)
    interrupt = True
    with pytest.raises(KeyboardInterrupt):
        tabulate(judge, env, bank, progress=True)
    assert shown[:2] == [900, 900]  # 1,024 rows hold three chunks
    assert (shown[2]["total"], shown[2]["unit"], shown[2]["disable"]) == (2450, "text", None)
    interrupt = False
    shown.clear()
    table = tabulate(judge, env, bank)
    assert shown[:3] == [900, 900, 650]
    assert shown[3]["disable"] is True
    np.testing.assert_allclose(table.params.verdicts, right.params.verdicts, atol=1e-5)
    assert table.evaluations == right.evaluations == 2450


def test_a_table_by_text_holds_what_separate_strings_score() -> None:
    _, table, states, *_ = tabulated("cartpole", "words")
    env, bank = WORLDS["cartpole"], bank_of("cartpole")
    rows = [0, 17, 45, 79]
    own = jax.tree.map(lambda x: x[np.array(rows)], states)
    texts = [env.describe(jax.tree.map(lambda x, i=i: x[i], own), bank) for i in range(4)]
    answers = [a + words.SEPARATOR + w for a in env.action_texts for w in words.WORDS]
    scores, _ = naive_scores(tiny_model(), texts, answers)
    p = np.asarray(jax.nn.softmax(scores.reshape(4, 2, 3), axis=-1))
    every = jax.random.split(jax.random.key(0), 4), own, bank, jnp.ones(4, bool)
    found, _ = table.verdicts(table.params, table.init(), *every)
    np.testing.assert_allclose(found, p[..., 0] - p[..., 2], atol=1e-4)


def test_of_an_only_action_nothing_is_said_and_nobody_is_asked() -> None:
    """A watch may be repaired or not at the first of 50 steps, and then it is on its way."""
    env = WatchRepair()
    table = tabulate(WordJudge.of_model(tiny_model(), env, soft=True), env, env.default_params)
    assert table.params.verdicts.shape == (1, 364_204, 2)
    assert int(table.init().evaluations) == 4
    found = np.asarray(table.params.verdicts[0])
    assert (found[:4] != 0).all()
    assert not found[4:].any()


class Choosy(CartPole):
    """Cart pole where the left button sticks while the cart is on the right."""

    def action_mask(self, state, params):
        return jnp.stack([state.x < 0.5, jnp.bool_(True)])


class OneButton(CartPole):
    """Cart pole without its left button."""

    def action_mask(self, state, params):
        return jnp.array([False, True])


REFUSED = {
    "expert": lambda env, bank: (expert_judge(env, bank), env, "cannot be asked by text alone"),
    "control": lambda env, bank: (judges.always_good(env), env, "cannot be asked by text alone"),
    "worse": lambda env, bank: (
        judges.corrupt(judge_of("cartpole", "words"), adversarial=True),
        env,
        "cannot be asked by text alone",
    ),
    "mask by state": lambda env, bank: (
        WordJudge.of_model(tiny_model(), Choosy(), bank),
        Choosy(),
        "a text does not tell which actions are legal",
    ),
    "illegal": lambda env, bank: (
        WordJudge.of_model(tiny_model(), OneButton(), bank),
        OneButton(),
        "a text does not tell which actions are legal",
    ),
    "another bank": lambda env, bank: (
        WordJudge.of_model(tiny_model(), env),
        env,
        "was made for a bank of 1 instances",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    bank = bank_of("cartpole")
    judge, env, message = REFUSED[name](WORLDS["cartpole"], bank)
    with pytest.raises(InvalidInput, match=message) as caught:
        tabulate(judge, env, bank)
    assert "\n" not in str(caught.value)
