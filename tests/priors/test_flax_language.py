"""A Flax model of transformers as a prior: its numbers are torch's, and those of plain scoring."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import transformers
from algorithms.probes import END, FAST_TO_COMPILE, TabularMDP, tables
from lm.flax_folders import DECODERS, LAKE, MAP, folder, refusal, spoil, torch_results

from lprl_jax.lm.flax_models import load_decoder
from lprl_jax.priors import FlaxLanguagePrior, Prior, tabulate

OPEN_MAP = ("SFFF", "FFFF", "FFFF", "FFFG")
# Four actions of 1 to 4 words, of which some are illegal.
MDP = TabularMDP(4, 4)
LEGAL = [[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 1]]
MDP_PARAMS = MDP.params_of([tables([[END] * 4] * 4, [[0] * 4] * 4, LEGAL)])


def all_states(env, params):
    """Every state of every instance that is not over, `[M * S]`."""
    num_states = MDP.num_places if env is MDP else env.num_states
    instance, index = jnp.divmod(jnp.arange(len(params.instances) * num_states), num_states)
    return jax.vmap(env.state_at, in_axes=(0, 0, None))(instance, index, params)


@functools.cache
def asker(prior):
    return jax.jit(prior.log_probs, compiler_options=FAST_TO_COMPILE)


def ask(prior, params, states):
    needed = jnp.ones(states.time.shape[0], bool)
    found, counters = asker(prior)(prior.params, prior.init(), states, params, needed)
    return np.asarray(found), counters


def log_softmax(scores, legal):
    weights = np.where(np.array(legal, bool), np.exp(scores), 0.0)
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum(-1, keepdims=True))


@functools.cache
def reference(name):
    """Transformers' own class, as it is called: logits `[1, T, vocab]` of tokens `[1, T]`."""
    config = transformers.AutoConfig.from_pretrained(folder(name))
    model = transformers.FlaxAutoModelForCausalLM.from_config(config, _do_init=False)
    params = load_decoder(folder(name)).params
    return jax.jit(
        lambda tokens: model(tokens, params=params).logits, compiler_options=FAST_TO_COMPILE
    )


def naive(name, env, params, states, end="\n"):
    """`log P(answer | text)` and the answers' lengths: each pair alone, without padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder(name))
    scores, lengths = np.zeros((2, states.time.shape[0], env.num_actions))
    for i in range(len(scores)):
        text = env.describe(jax.tree.map(lambda x, i=i: x[i], states), params)
        for j, action in enumerate(env.action_texts):
            start, tokens = len(tokenizer.encode(text)), tokenizer.encode(text + action + end)
            with jax.numpy_rank_promotion("allow"):
                logits = reference(name)(np.array([tokens]))[0]
            nats = np.asarray(jax.nn.log_softmax(logits))
            places = np.arange(start, len(tokens))
            scores[i, j] = nats[places - 1, np.array(tokens)[places]].sum()
            lengths[i, j] = len(places)
    return scores, lengths


@functools.cache
def mdp(name="gpt2", **options):
    prior = FlaxLanguagePrior.from_pretrained(folder(name), MDP, MDP_PARAMS, **options)
    return prior, all_states(MDP, MDP_PARAMS)


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECODERS)
def test_equals_torch_scoring_every_action_on_its_own(name):
    params = LAKE.params_of([list(MAP)])
    prior: Prior = FlaxLanguagePrior.from_pretrained(folder(name), LAKE, params)
    states = all_states(LAKE, params)
    found, counters = ask(prior, params, states)
    right = log_softmax(torch_results(name)["scores"], np.ones((16, 4)))
    np.testing.assert_allclose(found, right, atol=1e-4)
    assert (prior.name, counters) == (name, (16, 16))
    # Far from uniform, and not alike everywhere: there is something to be wrong about.
    assert np.exp(found).max(-1).mean() > 0.4
    assert found.std(0).max() > 0.3


@pytest.mark.parametrize("name", ["gpt2", "gpt_neo", "opt", "mistral"])
def test_equals_transformers_own_class_one_sequence_at_a_time(name):
    """Texts of several lengths, padded in the prior: GPT-Neo's window must not see the gaps."""
    params = LAKE.params_of([list(OPEN_MAP), list(MAP)])
    prior = FlaxLanguagePrior.from_pretrained(folder(name), LAKE, params, chunk=5)
    lengths = np.asarray(prior.params.prefix_valid).sum(1)
    assert lengths[0] < lengths[1] == prior.params.prefix.shape[1]
    states = jax.tree.map(lambda x: x[::9], all_states(LAKE, params))
    scores, _ = naive(name, LAKE, params, states)
    right = log_softmax(scores, np.ones(scores.shape))
    np.testing.assert_allclose(ask(prior, params, states)[0], right, atol=1e-5)


@pytest.mark.parametrize(
    ("normalization", "end"), [("sum", "\n"), ("token", "\n"), ("word", "\n"), ("sum", "")]
)
def test_normalised_over_the_legal_actions(normalization, end):
    prior, states = mdp("opt", normalization=normalization, end_of_action=end)
    scores, lengths = naive("opt", MDP, MDP_PARAMS, states, end)
    assert len(np.unique(lengths[0])) > 1
    divisor = {"sum": 1, "token": lengths, "word": np.array([1, 2, 3, 4])}[normalization]
    found, _ = ask(prior, MDP_PARAMS, states)
    np.testing.assert_array_equal(np.isfinite(found), np.array(LEGAL, bool))
    np.testing.assert_allclose(found, log_softmax(scores / divisor, LEGAL), atol=1e-5)
    assert prior.settings["normalization"] == normalization
    assert prior.settings["end_of_action"] == end


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_chunks_change_no_number_and_only_needed_rows_are_counted(chunk):
    prior, states = mdp()
    right, _ = ask(prior, MDP_PARAMS, states)
    rows = np.random.default_rng(0).integers(0, 4, 12)
    here = jax.tree.map(lambda x: x[rows], states)
    log_probs = asker(dataclasses.replace(prior, chunk=chunk))
    carry, asked = prior.init(), 0
    for needed in (np.arange(12) % 3 == 1, np.zeros(12, bool), np.ones(12, bool)):
        found, carry = log_probs(prior.params, carry, here, MDP_PARAMS, jnp.asarray(needed))
        np.testing.assert_allclose(found[needed], right[rows][needed], rtol=2e-6, atol=1e-5)
        assert np.isfinite(np.max(found, axis=-1)).all()  # can be drawn from
        asked += needed.sum()
        assert carry == (asked, asked)


def test_params_are_arguments():
    prior, states = mdp()
    nothing = jax.tree.map(jnp.zeros_like, prior.params.weights)
    weightless = prior.params._replace(weights=nothing)
    found, _ = asker(prior)(weightless, prior.init(), states, MDP_PARAMS, jnp.ones(4, bool))
    # Without weights every token is alike: what remains is the number of tokens.
    lengths = np.array([len(answer) for answer in prior.table.answers])
    scores = np.broadcast_to(-lengths * np.log(61), (4, 4))
    np.testing.assert_allclose(found, log_softmax(scores, LEGAL), atol=1e-4)


def test_another_bank_equals_a_fresh_prior():
    params = LAKE.params_of([list(OPEN_MAP)])
    other = LAKE.params_of([list(MAP), list(OPEN_MAP)])
    prior = FlaxLanguagePrior.from_pretrained(folder("gpt2"), LAKE, params)
    moved = prior.with_bank(other)
    fresh = FlaxLanguagePrior.from_pretrained(folder("gpt2"), LAKE, other)
    jax.tree.map(np.testing.assert_array_equal, moved.params, fresh.params)
    assert prior.params.prefix.shape[1] < moved.params.prefix.shape[1]


def test_the_environments_own_bank_is_the_default():
    prior = FlaxLanguagePrior.from_pretrained(folder("gpt2"), LAKE)
    right = FlaxLanguagePrior.from_pretrained(folder("gpt2"), LAKE, LAKE.default_params)
    np.testing.assert_array_equal(prior.params.prefix, right.params.prefix)


def test_a_table_of_it_has_its_numbers_and_its_settings():
    prior, states = mdp()
    table = tabulate(prior, MDP, MDP_PARAMS, **prior.settings)
    found, _ = ask(prior, MDP_PARAMS, states)
    np.testing.assert_allclose(table.table[0, :4], found, atol=1e-5)
    assert table.settings == prior.settings
    assert table.settings["model"] == "gpt2"
    assert len(table.settings["tokenizer"]) == 16


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "message"),
    [({"normalization": "mean"}, "'mean'; valid: sum, token, word"), ({"chunk": 0}, "chunk is 0")],
)
def test_bad_arguments(argument, message):
    assert message in refusal(FlaxLanguagePrior.from_pretrained, folder("gpt2"), MDP, **argument)


def test_a_text_longer_than_the_context(tmp_path):
    """To the token: the text with the action, whose last token is predicted and not read."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder("mistral"))
    params = LAKE.params_of([list(MAP)])
    state = jax.tree.map(lambda x: x[0], all_states(LAKE, params))
    needed = len(tokenizer.encode(LAKE.describe(state, params) + " left\n")) - 1
    path = spoil(tmp_path / "fits", "mistral", sliding_window=needed)
    prior = FlaxLanguagePrior.from_pretrained(path, LAKE, params)
    path = spoil(tmp_path / "short", "mistral", sliding_window=needed - 1)
    message = refusal(FlaxLanguagePrior.from_pretrained, path, LAKE, params)
    assert f"takes {needed} tokens, and mistral reads {needed - 1}; a smaller" in message
    full = LAKE.params_of([["SFFF", "HHHF", "HHHF", "HHHG"]])
    assert f"and mistral reads {needed};" in refusal(prior.with_bank, full)


@pytest.mark.parametrize("word", ["Cross", " edge", "\n"], ids=["prefix", "suffix", "answer"])
def test_a_token_beyond_the_vocabulary(tmp_path, word):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder("gpt2"))
    assert word in tokenizer.get_vocab()
    words = {**tokenizer.get_vocab(), word: 61}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"}
    path = spoil(tmp_path, "gpt2", "tokenizer.json", model=model)
    message = refusal(FlaxLanguagePrior.from_pretrained, path, LAKE)
    assert "the tokenizer of gpt2 writes token 61, and the model has 61; they do not" in message


def test_what_the_loader_refuses(tmp_path):
    path = spoil(tmp_path, "llama", rope_theta=5e5)
    assert "rope_theta = 500000.0" in refusal(FlaxLanguagePrior.from_pretrained, path, LAKE)
