"""A language model as a prior: its numbers against plain scoring, and what they cost."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, FAST_TO_COMPILE, TabularMDP, tables
from lm.flax_folders import MAP, folder
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput, Literal
from priors.tiny import naive_scores, tiny_model

from lprl_jax.lm import decoder
from lprl_jax.lm.scoring import Answers
from lprl_jax.priors import FlaxLanguagePrior, LanguagePrior, language, reading, tabulate
from lprl_jax.priors.reading import Width

LAKE = FrozenLake("4x4", is_slippery=False)
MAPS = (
    ("SFFF", "FHFH", "FFFH", "HFFG"),
    ("SFFF", "FFFF", "FFFF", "FFFG"),
    ("FFFS", "FFHF", "FGFF", "FFFF"),
)
# Four actions of 1 to 4 words, of which some are illegal.
MDP = TabularMDP(4, 4)
LEGAL = [[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 1]]
MDP_PARAMS = MDP.params_of([tables([[END] * 4] * 4, [[0] * 4] * 4, LEGAL)])


def lake_params(*rows):
    return LAKE.params_of([list(MAPS[row]) for row in rows])


def all_states(env, params):
    """Every state of every instance, `[M * num_states]`."""
    num_instances = params.instances.shape[0]
    instance = jnp.repeat(jnp.arange(num_instances), env.num_states)
    index = jnp.tile(jnp.arange(env.num_states), num_instances)
    return jax.vmap(lambda m, i: env.state_at(m, i, params))(instance, index)


@functools.cache
def asker(prior):
    """`prior.log_probs`, compiled once."""
    return jax.jit(prior.log_probs, compiler_options=FAST_TO_COMPILE)


def ask(prior, params, states):
    """Log-probs `[B, A]` of all states, and the counters."""
    needed = jnp.ones(states.time.shape[0], bool)
    found, counters = asker(prior)(prior.params, prior.init(), states, params, needed)
    return np.asarray(found), counters


def assert_close(a, b):
    np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-5)


def naive(env, params, states, end="\n"):
    slots = np.asarray(jax.jit(jax.vmap(env.slots, (0, None)))(states, params))
    texts = [env.template.render(row) for row in slots.tolist()]
    one = jax.tree.map(lambda x: x[-1], states)
    assert env.describe(one, params) == texts[-1]
    return naive_scores(tiny_model(), texts, [text + end for text in env.action_texts])


def log_softmax(scores, legal=None):
    legal = np.ones(scores.shape, bool) if legal is None else np.array(legal, bool)
    weights = np.where(legal, np.exp(scores), 0.0)
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum(-1, keepdims=True))


@functools.cache
def lake(*rows):
    """`(parameters, prior, every state, its log-probs)` of a bank of these maps."""
    params = lake_params(*rows)
    prior = LanguagePrior.of_model(tiny_model(), LAKE, params, chunk=16)
    states = all_states(LAKE, params)
    return params, prior, states, ask(prior, params, states)[0]


@pytest.fixture(scope="module")
def mdp():
    """`(prior, its states that are not terminal)`."""
    states = all_states(MDP, MDP_PARAMS)
    states = jax.tree.map(lambda x: x[:4], states)
    return LanguagePrior.of_model(tiny_model(), MDP, MDP_PARAMS, chunk=4), states


BANKS = pytest.mark.parametrize("rows", [(0,), (2, 0)], ids=["shared prefix", "prefixes"])


@BANKS
def test_equals_scoring_every_text_on_its_own(rows):
    params, _, states, found = lake(*rows)
    scores, _ = naive(LAKE, params, states)
    np.testing.assert_allclose(found, log_softmax(scores), atol=2e-5)
    # Far from uniform, and not alike everywhere: there is something to be wrong about.
    assert np.exp(found).max(-1).mean() > 0.5
    assert found.std(0).max() > 0.5


def test_texts_by_their_slots_are_answered_as_the_states_that_read_so():
    """In the order of divisor and calibration too."""
    params, _, states, _ = lake(2, 0)
    own = {"normalization": "token", "calibration": "contextual", "temperature": 2.0}
    prior = LanguagePrior.of_model(tiny_model(), LAKE, params, **own)
    right, _ = ask(prior, params, states)
    slots = jax.vmap(LAKE.slots, (0, None))(states, params)
    needed = jnp.arange(len(slots)) % 3 > 0
    asked = prior.params, prior.init(), states.instance, slots, needed
    found, carry = jax.jit(prior.log_probs_of_slots)(*asked)
    assert_close(found[needed], right[needed])
    assert int(carry.evaluations) == int(needed.sum())


@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral"])
def test_equals_the_slow_path_with_the_same_weights(name):
    """Transformers' Flax code, every state with every action a sequence of its own."""
    params = LAKE.params_of([MAP])
    states = all_states(LAKE, params)
    ours = LanguagePrior.from_pretrained(folder(name), LAKE, params, chunk=16)
    theirs = FlaxLanguagePrior.from_pretrained(folder(name), LAKE, params)
    assert_close(ask(ours, params, states)[0], ask(theirs, params, states)[0])


def test_a_text_longer_than_the_context_is_refused():
    prior = LanguagePrior.from_pretrained(folder("llama"), LAKE, LAKE.params_of([MAP]))
    table = prior.scorer.table
    columns = prior.params.prefix_valid.shape[1] + len(table.suffix.slot)
    columns += max(map(len, table.answers)) - 1
    model = prior.model

    def of_context(length):
        config = dataclasses.replace(model.config, max_position_embeddings=length)
        return LanguagePrior.of_model(model._replace(config=config), LAKE, LAKE.params_of([MAP]))

    of_context(columns)
    with pytest.raises(InvalidInput, match=rf"takes {columns} tokens, and llama reads"):
        of_context(columns - 1)


def test_a_bank_is_encoded_a_few_instances_at_a_time(monkeypatch):
    """To the same numbers; three do not fill two chunks of two."""
    scorer, params = LanguagePrior.of_model(tiny_model(), LAKE).scorer, lake_params(0, 1, 2)
    right = language.encode_bank(tiny_model(), scorer, params)
    counts, encode = [], decoder.encode_prefix

    def counted(config, params, tokens, valid, *shared):
        counts.append(len(tokens))
        return encode(config, params, tokens, valid, *shared)

    monkeypatch.setattr(reading, "INSTANCES", 2)
    monkeypatch.setattr(decoder, "encode_prefix", counted)
    found = language.encode_bank(tiny_model(), scorer, params)
    assert counts == [1, 2]  # what all begin with, then what they do not
    np.testing.assert_array_equal(found.prefix_valid, right.prefix_valid)
    there = np.asarray(right.prefix_valid)[:, scorer.reader.begins_with :]
    jax.tree.map(assert_close, found.prefix.shared, right.prefix.shared)
    for ours, theirs in zip(found.prefix.own, right.prefix.own, strict=True):
        assert ours.shape == theirs.shape
        assert_close(np.asarray(ours)[:, there], np.asarray(theirs)[:, there])


def test_what_all_texts_begin_with_is_kept_once():
    """It is what no slot changes; of the tiny model's tokenizer, up to the line of the holes."""
    params, prior, _, _ = lake(2, 0)
    begin = LAKE.template.segments[0]
    assert isinstance(begin, Literal)
    tokens = tiny_model().tokenizer.encode(begin.text)
    assert prior.scorer.reader.begins_with == len(tokens) > 5
    rendered, _ = prior.scorer.render("tiny", params)
    np.testing.assert_array_equal(rendered[:, : len(tokens)], [tokens, tokens])
    assert prior.params.prefix.shared.keys.shape == (2, len(tokens), 1, 8)
    width = rendered.shape[1] - len(tokens)
    assert prior.params.prefix.own.keys.shape == (2, 2, width, 1, 8)


def test_a_tokenizer_of_another_model_is_refused():
    model = tiny_model()
    config = dataclasses.replace(model.config, vocab_size=50)
    with pytest.raises(InvalidInput, match=r"writes token .* and the model has 50; they do not"):
        LanguagePrior.of_model(model._replace(config=config), LAKE, lake_params(0))


@pytest.mark.parametrize("num_instances", [1, 2], ids=["shared prefix", "prefixes"])
def test_few_legal_actions_are_scored_alone(num_instances):
    """Of Blocks World's 18 actions at most 3 are legal; all of them equal plain scoring."""
    env = BlocksWorld(3)
    params = env.params_of(
        [{"init": ["cb", "a"], "goal": ["ab"]}, {"init": ["abc"], "goal": ["ca"]}]
    )
    bank = jax.tree.map(lambda x: x[:num_instances], params.bank)
    params = dataclasses.replace(params, bank=bank, instances=jnp.arange(num_instances))
    prior = LanguagePrior.of_model(tiny_model(), env, params, chunk=16)
    assert isinstance(prior.scorer.answers, Answers)
    states = all_states(env, params)
    legal = np.asarray(jax.vmap(env.action_mask, (0, None))(states, params))
    scores, _ = naive(env, params, states)
    found = ask(prior, params, states)[0]
    np.testing.assert_allclose(found, log_softmax(scores, legal), atol=3e-5)
    # A state is read in as many columns as the longest needs; one that needs more is not cut.
    slots = jax.vmap(env.slots, (0, None))(states, params)
    lengths = np.asarray(jax.vmap(prior.scorer.table.suffix.render)(slots)[1]).sum(-1)
    assert prior.params.width == Width(lengths.max())
    assert lengths.min() < lengths.max() < len(prior.scorer.table.suffix.slot)
    if num_instances == 1:
        narrow = prior.params._replace(width=Width(int(lengths.max()) - 1))
        needed = jnp.ones(len(found), bool)
        cut = np.asarray(asker(prior)(narrow, prior.init(), states, params, needed)[0])
        fits = lengths < lengths.max()
        assert_close(cut[fits], found[fits])
        assert np.isnan(cut[~fits]).all()


def test_where_no_state_is_shorter_all_columns_are_kept():
    """In Frozen Lake every state has as many tokens."""
    scorer = lake(0)[1].scorer
    assert scorer.reader.measure(lake_params(0)) == Width(len(scorer.table.suffix.slot))


@BANKS
def test_table_and_live_agree(rows):
    params, prior, states, found = lake(*rows)
    table = tabulate(prior, LAKE, params, **prior.settings)
    ended = np.asarray(jax.vmap(LAKE.is_terminated, (0, None))(states, params))
    shuffled = jax.random.permutation(jax.random.key(0), len(found))
    here = jax.tree.map(lambda x: x[shuffled], states)
    tabulated, counters = ask(table, params, here)
    live = ~ended[shuffled]
    np.testing.assert_allclose(tabulated[live], found[shuffled][live], atol=1e-5)
    np.testing.assert_allclose(tabulated[~live], np.log(0.25), atol=1e-6)
    assert table.evaluations == live.sum()
    assert counters == (len(found), live.sum())
    assert (table.name, table.settings["model"]) == ("tiny", "tiny")


def test_a_prefix_an_instance_equals_a_shared_prefix():
    alone, (_, _, states, found) = lake(0)[3], lake(2, 0)
    assert_close(found[states.instance == 1], alone)
    # The two maps differ, also where the cell and its neighbours read alike.
    assert np.abs(found[states.instance == 0] - alone).max() > 0.1


def test_another_bank_equals_a_fresh_prior():
    params, prior, states, found = lake(2, 0)
    swapped = lake_params(0, 2)
    moved = prior.with_bank(swapped)
    fresh = LanguagePrior.of_model(tiny_model(), LAKE, swapped)
    jax.tree.map(np.testing.assert_array_equal, moved.params, fresh.params)
    needed = jnp.ones(len(found), bool)
    there, _ = asker(prior)(moved.params, moved.init(), states, swapped, needed)
    assert_close(there, np.roll(found, LAKE.num_states, axis=0))
    np.testing.assert_array_equal(ask(prior, params, states)[0], found)  # and this one stays


@pytest.mark.parametrize(
    ("normalization", "end"), [("sum", "\n"), ("token", "\n"), ("word", "\n"), ("sum", "")]
)
def test_normalised_over_the_legal_actions(mdp, normalization, end):
    _, states = mdp
    prior = LanguagePrior.of_model(
        tiny_model(), MDP, MDP_PARAMS, normalization=normalization, end_of_action=end
    )
    scores, lengths = naive(MDP, MDP_PARAMS, states, end)
    assert len(np.unique(lengths[0])) > 1
    divisor = {"sum": 1, "token": lengths, "word": np.array([1, 2, 3, 4])}[normalization]
    found, _ = ask(prior, MDP_PARAMS, states)
    np.testing.assert_array_equal(np.isfinite(found), np.array(LEGAL, bool))
    np.testing.assert_allclose(np.exp(found).sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(found, log_softmax(scores / divisor, LEGAL), rtol=2e-6, atol=2e-5)
    assert prior.settings["normalization"] == normalization
    assert prior.settings["end_of_action"] == end


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_chunks_change_no_number_and_only_needed_rows_are_counted(mdp, chunk):
    prior, states = mdp
    right, _ = ask(prior, MDP_PARAMS, states)
    rows = np.random.default_rng(0).integers(0, 4, 12)
    here = jax.tree.map(lambda x: x[rows], states)
    log_probs = asker(dataclasses.replace(prior, chunk=chunk))
    carry, asked = prior.init(), 0
    for needed in (np.arange(12) % 3 == 1, np.zeros(12, bool), np.ones(12, bool)):
        found, carry = log_probs(prior.params, carry, here, MDP_PARAMS, jnp.asarray(needed))
        assert_close(found[needed], right[rows][needed])
        # What was not asked can still be drawn from.
        assert np.isfinite(np.max(found, axis=-1)).all()
        asked += needed.sum()
        assert carry == (asked, asked)


def test_params_are_arguments(mdp):
    prior, states = mdp
    needed = jnp.ones(4, bool)
    nothing = jax.tree.map(jnp.zeros_like, prior.params.weights)
    weightless = prior.params._replace(weights=nothing)
    found, _ = asker(prior)(weightless, prior.init(), states, MDP_PARAMS, needed)
    # Without weights every token is alike: what remains is the number of tokens.
    lengths = np.array([len(answer) for answer in prior.scorer.table.answers])
    scores = np.broadcast_to(-lengths * np.log(prior.model.config.vocab_size), (4, 4))
    np.testing.assert_allclose(found, log_softmax(scores, LEGAL), atol=1e-4)


@pytest.mark.parametrize(
    ("argument", "message"),
    [({"normalization": "mean"}, "'mean'; valid: sum, token, word"), ({"chunk": 0}, "chunk is 0")],
)
def test_bad_arguments(argument, message):
    with pytest.raises(InvalidInput, match=message):
        LanguagePrior.of_model(tiny_model(), MDP, MDP_PARAMS, **argument)


def test_a_model_that_is_not_there():
    with pytest.raises(InvalidInput, match="no model 'nowhere'; valid: embedded"):
        LanguagePrior.from_pretrained("nowhere", MDP)
