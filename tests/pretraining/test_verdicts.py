"""Lessons of verdicts: what is right, what counts, and that branches do not see each other."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import Blackjack, CartPole, FrozenLake, KeyRooms, Pendulum, WatchRepair

from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.judges.experts import expert_judge
from lprl_jax.lm import decoder, embedded
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.pretraining import curriculum_of_judge, lessons, measuring_verdicts, replay
from lprl_jax.pretraining.curriculum_of_judge import JUDGE_TASKS
from lprl_jax.pretraining.lessons import Widths
from lprl_jax.pretraining.pretrain import PretrainConfig
from lprl_jax.pretraining.tokenizer import train_tokenizer
from lprl_jax.pretraining.verdicts import VerdictTask

LAKE = FrozenLake("3x3", is_slippery=False)
BANK = LAKE.params_of([("SFH", "FFF", "FFG"), ("SFH", "FHF", "FFG")])


def sample(key, num_instances, split):
    """The two lakes in turn."""
    turns = jnp.arange(num_instances) % 2
    bank = jax.tree.map(lambda x: x[turns], BANK.bank)
    return dataclasses.replace(BANK, bank=bank, instances=jnp.arange(num_instances))


def by_plan(params, instance):
    table = jnp.asarray(VERDICTS)[instance % 2]
    return lambda state: table[LAKE.state_index(state, params)]


VERDICTS = np.asarray(perfect_judge(LAKE, BANK).params.verdicts)
SMALL = VerdictTask(
    "small",
    LAKE,
    sample,
    by_plan,
    curriculum_of_judge._numbered(LAKE),
    horizon=6,
    instances=2,
    states=6,
)
TASKS = {task.name: task for task in JUDGE_TASKS}


@functools.cache
def tokenizer():
    return train_tokenizer([SMALL])


@functools.cache
def drawn():
    course = SMALL.compile(tokenizer())
    draw = jax.jit(functools.partial(lessons.draw_lessons, SMALL, course, Widths(24, 20)))
    return jax.tree.map(np.asarray, draw(jax.random.key(0)))


def verdicts_of(taught, g, s):
    """What is taught of each action: `{action: verdict}`, from tokens alone."""
    found, text = {}, ""
    for token, targets, weights, branch, before in zip(
        taught.answer[g, s],
        taught.targets[g, s],
        taught.weights[g, s],
        taught.branch[g, s],
        np.append(-1, taught.branch[g, s][:-1]),
        strict=True,
    ):
        text = tokenizer().decode([int(token)]) if branch != before else text
        said = [tokenizer().decode([int(t)]) for t, w in zip(targets, weights, strict=True) if w]
        if said and said[0] in (" good", " unsure", " bad"):
            found[text.strip()] = said[0].strip()
    return found


def test_a_lesson_asks_of_every_action_what_a_plan_says_of_it():
    taught = drawn()
    words = {1.0: "good", 0.0: "unsure", -1.0: "bad"}
    names = [text.strip() for text in LAKE.action_texts]
    seen = set()
    for g, s in np.ndindex(2, 6):
        text = tokenizer().decode(taught.text[g, s][taught.text_valid[g, s]])
        cell = text.split()[1]
        state = 3 * (int(cell[1]) - 1) + "abc".index(cell[0])
        right = dict(zip(names, (words[v] for v in VERDICTS[g, state].tolist()), strict=True))
        assert verdicts_of(taught, g, s) == right
        seen.add(state)
    assert len(seen) > 3


def test_the_loss_is_that_of_every_string_by_itself():
    """Whole texts with one action and one verdict each, run without a prefix or branches."""
    taught = drawn()
    rng = np.random.default_rng(1)
    shape = DecoderConfig(len(tokenizer()), 16, 24, 2, 2, 1, 8)
    leaves = jax.eval_shape(functools.partial(decoder.init, config=shape), jax.random.key(1))
    params = jax.tree.map(lambda x: 0.3 * rng.standard_normal(x.shape, np.float32), leaves)
    nats = jax.jit(functools.partial(lessons.answer_nats, shape))(params, taught)
    logits = jax.jit(functools.partial(decoder.logits, shape))
    width = taught.answer.shape[-1]
    for g, s in ((0, 0), (0, 4), (1, 2)):
        head = np.append(
            taught.prefix[g][taught.prefix_valid[g]], taught.text[g, s][taught.text_valid[g, s]]
        )
        expected = 0.0
        for branch in range(LAKE.num_actions):
            own = [c for c in range(width) if taught.branch[g, s, c] == branch]
            tokens = jnp.asarray(np.append(head, taught.answer[g, s][own]))
            log_probs = np.asarray(jax.nn.log_softmax(logits(params, tokens[None])[0]))
            for place, c in enumerate(own, len(head)):
                for target, weight in zip(
                    taught.targets[g, s, c], taught.weights[g, s, c], strict=True
                ):
                    expected -= weight * log_probs[place - 1, target]
        np.testing.assert_allclose(nats[g, s], expected, rtol=2e-5)


def test_an_action_counts_once_however_many_branches_begin_like_it():
    """Hard left and hard right share a word; all that may be said sums up to its probability."""
    env = Pendulum()
    good = jnp.array([1.0, 0.0, -1.0, 1.0, 0.0])

    def anyhow(key, params, instance, num):
        return jax.vmap(lambda k: env.initial_state(k, instance, params))(
            jax.random.split(key, num)
        )

    task = VerdictTask(
        "pole",
        env,
        lambda key, n, split: jax.tree.map(lambda x: x, env.params_of([{}] * n)),
        lambda params, instance: lambda state: good,
        anyhow,
        2,
        1,
        3,
        noise=0.1,
    )
    own = train_tokenizer([task])
    course = task.compile(own)
    bank = env.params_of([{}])
    _, answers = jax.jit(course.lessons)(jax.random.key(0), bank, jnp.int32(0))
    total = {}
    for token, weights in zip(answers.targets[0], answers.weights[0], strict=True):
        for t, w in zip(token, weights, strict=True):
            word = own.decode([int(t)])
            total[word] = total.get(word, 0.0) + float(w)
    # .9 / 2 of each of the two good ones, .1 / 5 of each of the five.
    each = {"hard left": 0.47, "left": 0.02, "none": 0.02, "right": 0.47, "hard right": 0.02}
    assert total["\n"] == pytest.approx(1.0)
    assert total[" hard"] == pytest.approx(each["hard left"] + each["hard right"])
    assert total[" left"] == pytest.approx(each["left"] + each["hard left"])
    assert total[" right"] == pytest.approx(each["right"] + each["hard right"])
    assert total[" none"] == pytest.approx(each["none"])


def test_good_and_bad_count_alike_over_all_lessons():
    course = SMALL.compile(tokenizer())
    draw = jax.jit(jax.vmap(lambda k: lessons.draw_lessons(SMALL, course, Widths(24, 20), k)))
    taught = draw(jax.random.split(jax.random.key(3), 64))
    word = {name: tokenizer().encode(f" {name}")[0] for name in ("good", "bad")}
    weights = np.where(taught.answer_valid[..., None], taught.weights, 0.0)
    total = {name: weights[np.asarray(taught.targets) == t].sum() for name, t in word.items()}
    assert total["good"] == pytest.approx(total["bad"], rel=0.1)


# -- what is right ------------------------------------------------------------------------------


def judged(task, bank, instance, num=24):
    """States of an instance and the verdicts that are taught there."""
    draw = jax.jit(task.draw, static_argnums=3)
    return draw(jax.random.key(5), bank, jnp.int32(instance), num)


def asked(judge, states, bank):
    num = len(jax.tree.leaves(states)[0])
    keys = jax.random.split(jax.random.key(0), num)
    needed = jnp.ones(num, bool)
    return judge.verdicts(judge.params, judge.init(), keys, states, bank, needed)[0]


def test_the_cart_is_judged_by_its_own_physics():
    env = CartPole()
    bank = env.params_of([{"length": 1.4, "gravity": 3.7, "swapped": True}, {"masspole": 0.8}])
    for instance in (0, 1):
        states, found = judged(TASKS["CartPole"], bank, instance)
        expert = expert_judge(env, bank, dead_zone=curriculum_of_judge.DEAD_ZONE)
        np.testing.assert_array_equal(found, asked(expert, states, bank))
        assert {-1.0, 0.0, 1.0} == set(np.unique(found))


def test_the_pole_is_judged_by_its_own_physics(monkeypatch):
    env = Pendulum()
    bank = env.params_of([{"l": 0.6, "m": 2.0, "g": 15.0}])
    expert = expert_judge(env, bank)
    every = curriculum_of_judge._every(curriculum_of_judge.POLE, ("l", "m", "g"))
    values = np.zeros((27, expert.params.expert.values.shape[1]), np.float32)
    values[every.index({"l": 0.6, "m": 2.0, "g": 15.0})] = expert.params.expert.values[0]
    monkeypatch.setattr(curriculum_of_judge, "_pole_values", lambda: values)
    states, found = judged(TASKS["Pendulum"], bank, 0)
    np.testing.assert_array_equal(found, asked(expert, states, bank))
    assert {-1.0, 1.0} <= set(np.unique(found))


def test_a_hand_is_judged_by_its_own_dealer():
    env = Blackjack()
    bank = env.params_of([{"stands": 15, "tens": 1}, {"stands": 19, "tens": 8}])
    right = perfect_judge(env, bank, alike_below=curriculum_of_judge.BLACKJACK_ALIKE)
    tables = []
    for instance in (0, 1):
        states, found = judged(TASKS["Blackjack"], bank, instance, 60)
        np.testing.assert_array_equal(found, asked(right, states, bank))
        tables.append(np.asarray(right.params.verdicts)[instance])
    assert (tables[0] != tables[1]).any()


def test_a_watch_is_judged_by_its_margin_before_the_decision_alone():
    env = WatchRepair()
    states, found = judged(TASKS["WatchRepair"], env.default_params, 0, 48)
    # The paper's brands: -1.5, 3.5, 3.5, -1.5.
    for brand, clock, verdicts in zip(
        states.brand.tolist(), states.clock.tolist(), found.tolist(), strict=True
    ):
        right = -1.0 if brand in (0, 3) else 1.0
        assert verdicts == ([right, -right] if clock == 0 else [0.0, 0.0])
    assert 0 < int(jnp.sum(states.clock > 0)) < 24


def test_rooms_are_judged_by_the_shortest_way():
    env = KeyRooms(2, 2)
    bank = env.sample_params(jax.random.key(2), 2, "train")
    right = perfect_judge(env, bank, discount=curriculum_of_judge.DISCOUNT)
    states, found = judged(TASKS["KeyRooms 2"], bank, 1, 45)
    np.testing.assert_array_equal(found, asked(right, states, bank))


def test_states_are_met_on_the_way_and_not_after_its_end():
    task = TASKS["CartPole"]
    bank = task.env.params_of([{}])
    states, _ = jax.jit(task.draw_by, static_argnums=3)(
        jax.random.key(0), bank, jnp.int32(0), (48, 48, 0)
    )
    over = jax.vmap(task.env.is_terminated, (0, None))(states, bank)
    assert not bool(over.any())
    lean = np.abs(np.asarray(states.theta))
    assert lean[48:].mean() > 1.5 * lean[:48].mean()  # chance lets the pole fall


def test_of_the_states_that_are_met_each_is_kept_as_often():
    """A trip: 0 to 50 on the clock, of which 0 to 4 lie within the horizon, one as often as any."""
    task = dataclasses.replace(TASKS["WatchRepair"], horizon=5)
    bank = task.env.default_params
    states, _ = jax.jit(task.draw_by, static_argnums=3)(
        jax.random.key(0), bank, jnp.int32(0), (0, 2_000, 0)
    )
    count = np.bincount(np.asarray(states.clock), minlength=5)
    assert len(count) == 5
    assert np.abs(count - 400).max() < 4 * np.sqrt(2_000 * 0.2 * 0.8)


@pytest.mark.parametrize("task", JUDGE_TASKS, ids=lambda task: task.name.replace(" ", "-"))
def test_held_out_instances_are_never_sampled(task):
    sample = jax.jit(lambda key: jax.vmap(task.env.held_out)(task.sample(key, 16, "train").bank))
    assert not any(sample(jax.random.key(seed)).any() for seed in range(4))


def test_no_text_of_a_held_out_instance_was_taught():
    task = TASKS["KeyRooms 2"]
    own = train_tokenizer([task])
    (row,) = replay.replay(PretrainConfig(), [task], own, range(1, 9), 12).held_out
    assert row.is_kept_apart
    assert row.texts > 500

    fixed = task.env.sample_params(jax.random.key(1), 12, "held-out")

    def sample(key, num_instances, split):
        bank = jax.tree.map(lambda x: x[:num_instances], fixed.bank)
        return dataclasses.replace(fixed, bank=bank, instances=jnp.arange(num_instances))

    leaky = dataclasses.replace(task, sample=sample)
    (row,) = replay.replay(PretrainConfig(), [leaky], own, range(1, 9), 12).held_out
    assert not row.is_kept_apart
    assert row.taught_texts > 0


def test_the_package_s_judge_says_what_it_was_taught():
    assert {task.env.name for task in JUDGE_TASKS} == set(embedded.taught("embedded-judge"))


# -- how it is measured -------------------------------------------------------------------------


def test_a_judgement_by_hand():
    # Two good ones, of which one is held for bad, and one bad one, of which nothing is said.
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.1, 0.6, 0.3], [0.5, 0.0, 0.5]])
    with np.errstate(divide="ignore"):
        found = measuring_verdicts.judgement(np.log(p)[None], np.array([[1.0, 1.0, -1.0, 0.0]]))
    assert found.right_of_good == pytest.approx(0.5)
    assert found.right_of_bad == pytest.approx(1.0)
    assert found.right == pytest.approx(0.75)
    assert found.covered == pytest.approx(0.5)
    assert found.right_where_said == pytest.approx(0.5)
    assert found.said_of_others == 1.0  # of the last, of which nothing is to be said
    # Confidences: 7/8 right and 6/7 wrong, of one bin, and 3/4 right.
    bins = [0.25 * (1 - 7 / 8) + 0.25 * (0 - 6 / 7), 0.5 * (1 - 3 / 4)]
    assert found.calibration == pytest.approx(sum(map(abs, bins)), rel=1e-6)


def test_who_is_blind_to_the_instance_knows_how_often_a_verdict_is_right_elsewhere():
    """Of two lakes, as many times each."""
    draw = measuring_verdicts.drawing(SMALL)
    slots, truth, others = map(np.asarray, draw(jax.random.key(0), BANK, BANK))
    states = jax.vmap(lambda i: LAKE.state_at(0, i, BANK))(jnp.arange(9))
    cell = [slot.name for slot in LAKE.template.slots].index("cell")
    number = {int(s[cell]): i for i, s in enumerate(jax.vmap(LAKE.slots, (0, None))(states, BANK))}
    for m, s in np.ndindex(truth.shape[:2]):
        state = number[int(slots[m, s, cell])]
        for a in range(LAKE.num_actions):
            said = VERDICTS[:, state, a]
            right = [(said == verdict).mean() for verdict in (1.0, 0.0, -1.0)]
            np.testing.assert_allclose(others[m, s, a], right)


def test_the_habit_is_the_commoner_verdict_on_each_action():
    taught = np.array([[[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]]])
    found = np.exp(measuring_verdicts._habit(taught, (2, 1, 2)))
    assert found.shape == (2, 1, 2, 3)
    assert found[0, 0, 0, 0] > 0.5 > found[0, 0, 1, 0]
    assert (found[..., 1] == 0).all()
