"""What every model beside `embedded` keeps to: it is small, and no held-out text was taught."""

import jax
import pytest
from lm.cards import card, model

from lprl_jax.lm import embedded

OTHERS = (embedded.JUDGE, embedded.HOME)


@pytest.mark.parametrize("name", OTHERS)
def test_it_is_small(name):
    assert sum(leaf.size for leaf in jax.tree.leaves(model(name).params)) <= 2_000_000
    folder = embedded.path_of(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 4 << 20


@pytest.mark.parametrize("name", OTHERS)
def test_no_held_out_text_was_taught(name):
    assert card(name)["taught"]
    for row in card(name)["taught"]:
        assert row["taught_texts"] == 0, row
        assert row["held_out_as"] == "text"
