"""Pretraining: what is drawn, what the demonstrator does, what the loss is, and that it falls."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld, FrozenLake, Literal

from lprl_jax.lm import decoder, scoring
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Trie
from lprl_jax.pretraining import lessons, pretrain
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.lessons import Widths
from lprl_jax.pretraining.pretrain import PretrainConfig
from lprl_jax.pretraining.tasks import ActionTask, planned
from lprl_jax.pretraining.tokenizer import train_tokenizer

LAKE = FrozenLake("3x3", is_slippery=False)
BANK = LAKE.params_of([("SFH", "FFF", "FFG"), ("SFH", "FHF", "FFG"), ("SFF", "FFF", "FFG")])
SMALL = ActionTask(
    "small",
    LAKE,
    lambda key, n, split: BANK,
    planned(LAKE, 9, 0.97),
    instances=3,
    states=2,
    noise=0.0,
)
WIDTHS = Widths(prefix=20, text=14)
CONFIG = PretrainConfig(
    num_steps=24,
    learning_rate=2e-2,
    hidden_size=16,
    intermediate_size=24,
    num_layers=1,
    num_heads=2,
    early=(0.25,),
)


@functools.cache
def tokenizer():
    return train_tokenizer([SMALL])


@functools.cache
def drawn():
    """Two states of each of three instances, of which the second has a text that is too long."""
    course = SMALL.compile(tokenizer())
    draw = jax.jit(functools.partial(lessons.draw_lessons, SMALL, course, WIDTHS))
    return course, jax.tree.map(np.asarray, draw(jax.random.key(5)))


def texts(read_from):
    """The text of every lesson with its answer, `[G][S]`."""

    def read(g, s):
        tokens = [*read_from.prefix[g][read_from.prefix_valid[g]]]
        tokens += [*read_from.text[g, s][read_from.text_valid[g, s]]]
        return tokenizer().decode([*tokens, *read_from.answer[g, s][read_from.answer_valid[g, s]]])

    groups, states = read_from.text.shape[:2]
    return [[read(g, s) for s in range(states)] for g in range(groups)]


# -- text ----------------------------------------------------------------------------------------


def test_every_piece_of_text_comes_back_from_its_tokens():
    """And no two texts of the templates share their tokens."""
    own = train_tokenizer(TASKS)
    pieces = [word for task in TASKS for word in task.words]
    for task in TASKS:
        for segment in (segment for template in task.texts for segment in template.segments):
            pieces += [segment.text] if isinstance(segment, Literal) else segment.values
    pieces += ["é 名 .  !\n\n\t'll 12345", "<|end|>"]  # bytes: whatever is written can be read
    for piece in sorted(set(pieces)):
        assert own.decode(own.encode(piece)) == piece
    words = {" b3", " ice", "\nAt", " the red block", " from on top of", ".\nMy next action is to"}
    split = {piece: own.tokenize(piece) for piece in words}
    assert {piece: len(tokens) for piece, tokens in split.items()} == {
        piece: 2 if piece.startswith(".") else 1 for piece in words
    }


def test_the_tokenizer_is_the_same_every_time():
    assert train_tokenizer([SMALL]).get_vocab() == tokenizer().get_vocab()


def test_a_lesson_reads_as_the_environment_describes_it():
    """Instruction, map, state, and the way to a goal in the corner: right or down."""
    read = texts(drawn()[1])
    for group in (read[0], read[2]):
        for text in group:
            state, _, action = text.partition("\nMove")
            assert action in (" right\n", " down\n")
            rows = state.splitlines()
            assert rows[0].endswith("The ice is firm.")
            assert [row.split()[0] for row in rows[1:]] == ["Holes", "Goal", "At"]
            assert f"{action.strip()} hole" not in rows[3]
            cell = rows[3].split()[1]
            assert cell not in ("c3", *rows[1].split())  # where an episode is over
    assert "\nHoles c1\nGoal c3\nAt" in read[0][1]
    assert "\nHoles\nGoal c3\nAt" in read[2][0]


def test_beside_more_and_wider_lessons_each_state_keeps_its_text_and_its_answer():
    _, own = drawn()
    more, wider = dataclasses.replace(SMALL, states=5), Widths(prefix=24, text=19)
    draw = functools.partial(lessons.draw_lessons, more, more.compile(tokenizer()), wider)
    other = jax.tree.map(np.asarray, jax.jit(draw)(jax.random.key(6)))
    joined = jax.tree.map(np.asarray, lessons.join([own, other]))
    assert joined.text.shape == (6, 5, 19)
    read = texts(joined)
    assert [row[:2] for row in read[:3]] == texts(own)
    assert not joined.answer_valid[:3, 2:].any()
    assert read[3:] == texts(other)
    shape, params = random_model()
    nats = jax.jit(functools.partial(lessons.answer_nats, shape))
    alone = np.asarray(nats(params, own)), np.asarray(nats(params, other))
    together = np.asarray(nats(params, joined))
    np.testing.assert_allclose(together[:3, :2], alone[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(together[3:], alone[1], rtol=1e-5, atol=1e-5)


# -- what is drawn -------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name.replace(" ", "-"))
def test_held_out_instances_are_never_sampled(task):
    """One in five would be."""
    sample = jax.jit(lambda key: jax.vmap(task.env.held_out)(task.sample(key, 16, "train").bank))
    assert not any(sample(jax.random.key(seed)).any() for seed in range(4))


@pytest.mark.parametrize("fade", [None, 0.5])
def test_states_are_drawn_by_their_distance_from_the_goal(fade):
    """Of a 3x3 map without holes: 2, 3, 2 and 1 states are 1, 2, 3 and 4 steps from its goal."""
    draw = jax.jit(planned(LAKE, 9, 0.97, fade), static_argnums=3)
    states, right = draw(jax.random.key(0), BANK, jnp.int32(2), 20_000)
    assert right.any(axis=1).all()
    distance = np.array([4, 3, 2, 3, 2, 1, 2, 1, 0])
    expected = np.where(distance > 0, 1 / 8, 0)
    if fade:
        of_distance = {1: 8 / 15 / 2, 2: 4 / 15 / 3, 3: 2 / 15 / 2, 4: 1 / 15, 0: 0}
        expected = 0.25 * expected + 0.75 * np.array([of_distance[d] for d in distance])
    cell = jax.vmap(LAKE.state_index, (0, None))(states, BANK)
    found = np.bincount(np.asarray(cell), minlength=9) / 20_000
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_lessons_are_drawn_from_the_train_split():
    asked = []

    def sample(key, num_instances, split):
        asked.append((num_instances, split))
        return SMALL.sample(key, num_instances, split)

    spied = dataclasses.replace(SMALL, sample=sample)
    jax.eval_shape(
        functools.partial(lessons.draw_lessons, spied, SMALL.compile(tokenizer()), WIDTHS),
        jax.random.key(0),
    )
    assert asked == [(3, "train")]


# -- the loss ------------------------------------------------------------------------------------


@functools.cache
def random_model():
    """A shape, and weights that are anything but small."""
    shape, rng = DecoderConfig(len(tokenizer()), 16, 24, 2, 2, 1, 8), np.random.default_rng(1)
    leaves = jax.eval_shape(functools.partial(decoder.init, config=shape), jax.random.key(1))
    return shape, jax.tree.map(lambda x: 0.3 * rng.standard_normal(x.shape, np.float32), leaves)


def test_the_loss_is_what_scoring_says_where_one_answer_is_right():
    course, taught = drawn()
    shape, params = random_model()
    answers = course.prompts.answers
    hard = taught._replace(
        targets=taught.answer[..., None], weights=np.ones((*taught.answer.shape, 1), np.float32)
    )

    @jax.jit
    def both(params, taught):
        prefix = decoder.encode_prefix(shape, params, taught.prefix, taught.prefix_valid)
        text = taught.prefix_valid, taught.text, taught.text_valid
        scores = scoring.score(shape, params, prefix, *text, Trie.build(answers))
        return lessons.answer_nats(shape, params, taught), scores.log_likelihoods

    nats, scores = map(np.asarray, both(params, hard))
    for g, s in np.ndindex(3, 2):
        if g == 1:  # skipped
            assert nats[g, s] == 0
            continue
        answer = tuple(taught.answer[g, s][taught.answer_valid[g, s]].tolist())
        expected = -scores[g, s, answers.index(answer)]
        np.testing.assert_allclose(nats[g, s], expected, rtol=1e-6, atol=1e-5)
    assert np.ptp(scores) > 0.1


def test_the_loss_is_the_cross_entropy_of_what_may_be_said():
    _, taught = drawn()
    shape, params = random_model()
    nats = jax.jit(functools.partial(lessons.answer_nats, shape))(params, taught)
    for g, s in ((0, 0), (0, 1), (2, 0), (2, 1)):
        parts = [(taught.prefix[g], taught.prefix_valid[g])]
        parts += [(taught.text[g, s], taught.text_valid[g, s])]
        before = sum(int(valid.sum()) for _, valid in parts)
        parts += [(taught.answer[g, s], taught.answer_valid[g, s])]
        tokens = jnp.concatenate([jnp.asarray(tokens[valid]) for tokens, valid in parts])
        log_probs = np.asarray(jax.nn.log_softmax(decoder.logits(shape, params, tokens[None])[0]))
        expected = -sum(
            weight * log_probs[place - 1, target]
            for place in range(before, len(tokens))
            for target, weight in zip(
                taught.targets[g, s, place - before],
                taught.weights[g, s, place - before],
                strict=True,
            )
        )
        np.testing.assert_allclose(nats[g, s], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("noise", "second"),
    [
        (0.0, {" the red block": 0.5, " the blue block": 0.5}),
        (0.3, {" the red block": 0.45, " the blue block": 0.45, " the orange block": 0.1}),
    ],
)
def test_each_token_is_learnt_as_what_may_follow_those_before(noise, second):
    """Two of three blocks on the table are right to pick up."""
    env = BlocksWorld(3)
    bank = env.params_of([{"init": ["a", "b", "c"], "goal": ["ab"]}])
    right = jnp.arange(env.num_actions) < 2

    def draw(key, params, instance, num):
        state = env.initial_state(key, instance, params)
        return jax.tree.map(lambda x: jnp.stack([x] * num), (state, right))

    task = ActionTask("blocks", env, lambda key, n, split: bank, draw, 1, 2, noise)
    own = train_tokenizer([task])
    _, answers = jax.jit(task.compile(own).lessons)(jax.random.key(0), bank, jnp.int32(0))
    expected = [{" pick up": 1.0}, second, {"\n": 1.0}]
    for s, w in np.ndindex(2, 3):
        found = {}
        for target, weight in zip(answers.targets[s, w], answers.weights[s, w], strict=True):
            word = own.decode([int(target)])
            found[word] = found.get(word, 0.0) + float(weight)
        assert {k: v for k, v in found.items() if v} == pytest.approx(expected[w])
        assert own.decode([int(answers.tokens[s, w])]) in expected[w]


def test_an_instance_whose_text_is_too_long_is_not_learnt():
    """Texts of exactly `Widths.prefix` tokens fit, longer ones do not."""
    taught = drawn()[1]
    lengths = [len(tokenizer().encode(text.partition("\nAt")[0])) for text, _ in texts(taught)]
    assert lengths[0] == WIDTHS.prefix
    assert lengths[2] < WIDTHS.prefix
    assert taught.prefix_valid[1].all()  # cut off
    assert taught.answer_valid.any(axis=-1).tolist() == [[True] * 2, [False] * 2, [True] * 2]


# -- training ------------------------------------------------------------------------------------


def run(steps, config=CONFIG):
    return list(itertools.islice(pretrain.pretrain(config, [SMALL], report_every=1), steps))


@functools.cache
def full_run():
    return run(None)


def test_matrices_are_orthogonalised_and_all_else_is_scaled():
    # Muon's update of a matrix U S V' is about -U V', of AdamW's size. AdamW's first one is a sign,
    # with Nesterov's momentum more: .9 * .1 / (1 - .9^2) from the past and 1 from the present.
    config, rng = PretrainConfig(warmup=0.0, weight_decay=0.0), np.random.default_rng(0)
    shapes = {"embedding": (5, 4), "kernel": (2, 4, 6), "scale": (2, 4)}
    gradient = {name: jnp.asarray(rng.normal(size=s), jnp.float32) for name, s in shapes.items()}
    optimizer, params = pretrain.make_optimizer(config), jax.tree.map(jnp.zeros_like, gradient)
    updates, _ = jax.jit(optimizer.update)(gradient, optimizer.init(params), params)
    rate = config.learning_rate
    for found, given in zip(updates["kernel"], np.asarray(gradient["kernel"]), strict=True):
        left, sizes, right = np.linalg.svd(given, full_matrices=False)
        assert sizes[0] > 1.5 * sizes[-1]
        rotated = left.T @ np.asarray(found) @ right.T / (-rate * 0.2 * np.sqrt(6))
        np.testing.assert_allclose(rotated, np.eye(4), atol=0.35)
    for name in ("embedding", "scale"):
        right = -rate * (0.09 / 0.19 + 1.0) * np.sign(gradient[name])
        np.testing.assert_allclose(updates[name], right, rtol=1e-3)


def test_training_lowers_the_loss():
    losses = np.array([progress.loss for progress in full_run()])
    assert len(losses) == 24
    assert losses[0] == pytest.approx(np.log(len(tokenizer())) * 2, rel=0.5)  # two tokens, no idea
    assert losses[-6:].mean() < 0.6 * losses[:3].mean()


def test_early_models_are_kept_on_the_way():
    kept = {progress.step: progress.keep for progress in full_run() if progress.keep}
    assert kept == {6: "early-1", 24: "final"}


def test_training_is_a_function_of_the_seed():
    again, other = run(2)[-1], run(1, dataclasses.replace(CONFIG, seed=1))[-1]
    assert again.loss == full_run()[1].loss
    jax.tree.map(np.testing.assert_array_equal, again.model.params, full_run()[1].model.params)
    assert other.loss != full_run()[0].loss
