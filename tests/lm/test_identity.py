"""A model's digest: by content, whatever it is called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from lprl_jax.lm import checkpoint, embedded, identity
from lprl_jax.lm.checkpoint import LanguageModel


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return checkpoint.load(embedded.path_of("embedded"))


def test_a_copy_of_another_name_is_the_same_model(model: LanguageModel) -> None:
    digest = identity.of_model(model)
    copied = jax.tree.map(lambda x: jnp.array(np.array(x)), model.params)
    assert len(digest) == 64
    assert identity.of_model(model._replace(params=copied, name="another")) == digest


def test_one_weight_or_setting_makes_another_model(model: LanguageModel) -> None:
    digest = identity.of_model(model)
    leaves, tree = jax.tree.flatten(model.params)
    leaves[-1] = leaves[-1].at[(0,) * leaves[-1].ndim].add(1e-3)
    assert identity.of_model(model._replace(params=tree.unflatten(leaves))) != digest
    config = dataclasses.replace(model.config, rope_theta=20_000.0)
    assert identity.of_model(model._replace(config=config)) != digest


def byte_pairs(*merges: tuple[str, str]) -> PreTrainedTokenizerFast:
    """Of one vocabulary, whatever is merged first."""
    vocabulary = {piece: i for i, piece in enumerate(["a", "b", "c", "ab", "bc"])}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, [*merges])))


def test_another_tokenizer_makes_another_model(model: LanguageModel, tmp_path: Path) -> None:
    one, other = byte_pairs(("a", "b"), ("b", "c")), byte_pairs(("b", "c"), ("a", "b"))
    assert one.get_vocab() == other.get_vocab()
    assert one.tokenize("abc") != other.tokenize("abc")
    digests = {identity.of_model(model._replace(tokenizer=x)) for x in (one, other)}
    assert len(digests | {identity.of_model(model)}) == 3
    one.save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert identity.of_model(model._replace(tokenizer=again)) in digests


def test_numbers_count_and_not_their_dtype() -> None:
    half = {"w": jnp.arange(6, dtype=jnp.bfloat16)}
    assert identity.of_arrays(half) == identity.of_arrays({"w": half["w"].astype(jnp.float32)})
    assert identity.of_arrays(half) != identity.of_arrays({"v": half["w"]})
    assert identity.of_arrays(half) != identity.of_arrays({"w": half["w"].reshape(2, 3)})


@pytest.mark.parametrize("on_host", [True, False], ids=["on the host", "elsewhere"])
def test_many_numbers_are_read_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch, on_host: bool
) -> None:
    monkeypatch.setattr(identity, "_is_on_host", lambda leaf: on_host)
    numbers = np.arange(42, dtype=np.float32).reshape(7, 3, 2)
    whole = identity.of_arrays(numbers)
    monkeypatch.setattr(identity, "PIECE", 13)  # two rows, and one that remains
    assert identity.of_arrays(jnp.array(numbers)) == whole


def test_arrays_that_can_change_are_read_anew() -> None:
    numbers = np.zeros(3)
    before = identity.of_arrays(numbers)
    numbers[0] = 1
    assert identity.of_arrays(numbers) != before


def test_what_is_remembered_goes_with_the_arrays() -> None:
    before = len(identity._known)
    array = jnp.full(3, 7.0)
    identity.of_arrays(array)
    assert len(identity._known) == before + 1
    del array
    assert len(identity._known) == before
