"""BertEncoder: features of states with actions are torch's, and what cannot be right is refused."""

import json
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import transformers
from algorithms.probes import FAST_TO_COMPILE, TabularMDP
from lm.flax_folders import LAKE, MAP, folder, refusal, retensor, spoil, torch_results
from lprl_envs import FrozenLake, Literal, Scope, Slot, Template
from tokenizers import processors

from lprl_jax.lm.encoder import BertEncoder
from lprl_jax.lm.token_table import SAMPLED_TEXTS

POSITIONS = "bert.embeddings.position_embeddings.weight"


def all_states(env, params):
    indices = jnp.arange(env.num_states)
    return jax.vmap(env.state_at, in_axes=(None, 0, None))(0, indices, params)


def test_features_are_those_of_torch():
    params = LAKE.params_of([list(MAP)])
    encoder = BertEncoder.from_pretrained(folder("bert"), LAKE)
    states = all_states(LAKE, params)
    found = np.asarray(jax.jit(encoder.encode)(encoder.params, states, params))
    right = torch_results("bert")["features"]
    assert found.shape == (16, 4, encoder.num_features) == (16, 4, 32)
    np.testing.assert_allclose(found, right, atol=1e-4)
    # States and actions both show.
    assert right.std(0).max() > 0.2
    assert right.std(1).max() > 0.2


def test_equals_transformers_own_class_one_pair_at_a_time():
    """Actions of 1 to 4 words: the shorter ones are padded in the encoder."""
    env = TabularMDP(4, 4)
    params = env.default_params
    encoder = BertEncoder.from_pretrained(folder("bert"), env)
    states = all_states(env, params)
    found = np.asarray(jax.jit(encoder.encode)(encoder.params, states, params))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder("bert"))
    with jax.numpy_rank_promotion("allow"):
        model: Any = transformers.FlaxBertModel(
            transformers.BertConfig.from_pretrained(folder("bert")),
            _do_init=False,
            add_pooling_layer=False,
        )
        run = jax.jit(
            lambda pair: model(**pair, params=encoder.params), compiler_options=FAST_TO_COMPILE
        )
        for i in range(0, env.num_states, 2):
            text = env.describe(jax.tree.map(lambda x, i=i: x[i], states), params)
            for j, action in enumerate(env.action_texts):
                right = run(dict(tokenizer(text, action, return_tensors="np")))
                np.testing.assert_allclose(found[i, j], right.last_hidden_state[0, 0], atol=1e-5)


def test_params_are_arguments():
    params = LAKE.default_params
    encoder = BertEncoder.from_pretrained(folder("bert"), LAKE)
    nothing = jax.tree.map(jnp.zeros_like, encoder.params)
    found = jax.jit(encoder.encode)(nothing, all_states(LAKE, params), params)
    np.testing.assert_array_equal(found, 0)


# -- refusals ------------------------------------------------------------------------------------


def test_a_word_that_the_tokenizer_does_not_know():
    message = refusal(BertEncoder.from_pretrained, folder("bert"), FrozenLake("4x4"))
    assert "does not know a word of 'Cross the frozen lake to the goal and avoid holes" in message
    assert message.endswith("([UNK]); a vocabulary with single letters writes any word")


def test_an_action_that_the_tokenizer_does_not_know():
    env = types.SimpleNamespace(template=LAKE.template, action_texts=(" left", " leap"))
    assert "a word of ' leap'" in refusal(BertEncoder.from_pretrained, folder("bert"), env)


def test_a_template_that_word_pieces_do_not_split():
    template = Template((Literal("At"), Slot("cell", (" a", "b")), Literal(" go", Scope.STATE)))
    env = types.SimpleNamespace(template=template, action_texts=(" left",))
    message = refusal(BertEncoder.from_pretrained, folder("bert"), env)
    assert "does not split the template at 'At' + 'b'" in message


def test_a_tokenizer_that_writes_pairs_otherwise(tmp_path):
    """As RoBERTa's would: two separators, one type."""
    backend = transformers.AutoTokenizer.from_pretrained(folder("bert")).backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]", [("[CLS]", 2), ("[SEP]", 3)]
    )
    path = spoil(tmp_path, "bert")
    backend.save(str(path / "tokenizer.json"))
    message = refusal(BertEncoder.from_pretrained, path, LAKE)
    assert message.startswith("this tokenizer does not write [CLS] 'Cross the frozen lake")
    assert message.endswith("piece by piece, with types 0 and 1; a BERT's own does")


def test_a_pair_longer_than_the_context(tmp_path):
    path = spoil(tmp_path, "bert", max_position_embeddings=48)
    retensor(path, lambda tensors: tensors | {POSITIONS: tensors[POSITIONS][:48]})
    message = refusal(BertEncoder.from_pretrained, path, LAKE)
    assert "every part at its longest, takes " in message
    assert "tokens, and bert reads 48; a smaller environment, or" in message
    BertEncoder.from_pretrained(path, TabularMDP(2, 2))


def test_a_word_that_the_model_does_not_have_is_found_wherever_it_is(tmp_path):
    """In one of 300 values of a slot, which the sampled texts leave out."""
    path = spoil(tmp_path, "bert", vocab_size=46)
    words = "bert.embeddings.word_embeddings.weight"
    retensor(path, lambda tensors: tensors | {words: tensors[words][:46]})
    vocabulary = json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
    known = [word for word in vocabulary if word.isalpha()][:18]
    values = [f" {a} {b}" for a in known for b in known]
    drawn = np.random.default_rng(0).integers(0, [len(values)], (SAMPLED_TEXTS, 1))
    values[min(set(range(len(values))) - set(drawn.ravel().tolist()))] = " wait"  # token 46
    template = Template((Literal("at"), Slot("place", tuple(values)), Literal(" go", Scope.STATE)))
    env = types.SimpleNamespace(template=template, action_texts=(" left",))
    message = refusal(BertEncoder.from_pretrained, path, env)
    assert "writes token 46, and the model has 46" in message


def test_what_the_loader_refuses():
    assert "'gpt2'; valid: bert" in refusal(BertEncoder.from_pretrained, folder("gpt2"), LAKE)
