"""Template: merging, refusals, rendering, the template's own vocabulary, its digest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput, Literal, Scope, Slot, Template

SIZE = Slot("size", ("", " big"), Scope.INSTANCE)
COLOUR = Slot("colour", (" red", " blue", " big"))
PLACE = Slot("place", (" here", " blue"))
BOX = Template(
    (
        Literal("A"),
        SIZE,
        Literal(" box", Scope.STATE),
        COLOUR,
        PLACE,
        Literal("\nGo", Scope.STATE),
    )
)


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        ([0, 0, 0], "A box red here\nGo"),
        ([1, 0, 1], "A big box red blue\nGo"),
        ([1, 2, 0], "A big box big here\nGo"),
    ],
)
def test_render_reads_in_order(slots, text):
    assert BOX.render(slots) == text
    assert BOX.render(np.array(slots, np.int32).tolist()) == text


def test_slots_are_in_reading_order():
    assert BOX.slots == (SIZE, COLOUR, PLACE)
    assert BOX.num_slots == 3


def test_adjacent_literals_merge_and_take_the_later_scope():
    apart = Template(
        (
            Literal("One."),
            Literal("\nTwo", Scope.INSTANCE),
            COLOUR,
            Literal(" a", Scope.STATE),
            Literal(" b", Scope.STATE),
            Literal(" c", Scope.STATE),
        )
    )
    assert apart.segments == (
        Literal("One.\nTwo", Scope.INSTANCE),
        COLOUR,
        Literal(" a b c", Scope.STATE),
    )


def test_slots_never_merge():
    assert BOX.segments[3:5] == (COLOUR, PLACE)


def test_templates_are_values():
    # Written apart or together, the same wording is the same template, by equality and digest.
    apart = Template((Literal("A"), Literal("B")))
    together = Template((Literal("AB"),))
    assert apart == together
    assert hash(apart) == hash(together)
    assert apart.digest() == together.digest()


GO = Literal("\nGo", Scope.STATE)


@pytest.mark.parametrize(
    "other",
    [
        Template((Literal("B"), *BOX.segments[1:])),
        Template((*BOX.segments[:-1], Literal("\nGo ", Scope.STATE))),
        Template((Literal("A"), Slot("size", ("", " huge"), Scope.INSTANCE), *BOX.segments[2:])),
        Template((Literal("A"), Slot("size", (" big", ""), Scope.INSTANCE), *BOX.segments[2:])),
        Template((*BOX.segments[:3], PLACE, COLOUR, GO)),
    ],
    ids=["first literal", "last literal", "a value", "order of values", "order of slots"],
)
def test_digest_changes_with_the_wording(other):
    assert other.digest() != BOX.digest()


def test_digest_is_pinned():
    # Tables carry it: it must be the same in every process and every version.
    assert (
        Template((Literal("At"), Slot("cell", (" a1", " a2")), GO)).digest() == "dd8bca79c6f3882c"
    )


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        (
            (COLOUR, SIZE, GO),
            "the slot 'size' has the scope INSTANCE and stands behind the slot 'colour', which has "
            "STATE; right: put it before that, or give it scope=Scope.STATE",
        ),
        (
            (Literal("A", Scope.STATE), SIZE, GO),
            "the slot 'size' has the scope INSTANCE and stands behind the literal 'A', which has",
        ),
        ((), "a template ends with nothing; right: with a literal that has a text"),
        ((Literal("A"), COLOUR), "a template ends with the slot 'colour'; right: with a literal"),
        ((COLOUR, Literal("")), "a template ends with the literal ''; right: with a literal"),
        ((Slot("shade", ()), GO), "the slot 'shade' has no values; it needs one or more"),
        (
            (Slot("shade", (" a", " b", " a")), GO),
            "the slot 'shade' has the value ' a' twice; once is right",
        ),
        ((Slot("two\nlines", ()), GO), "two\\nlines"),
    ],
)
def test_refusals(segments, words):
    with pytest.raises(InvalidInput) as error:
        Template(segments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_literal_depends_on_what_stands_before_it():
    plain = Template((Literal("A"), SIZE, Literal(" box"), COLOUR, Literal("\nGo")))
    assert [segment.scope for segment in plain.segments] == [0, 1, 1, 2, 2]
    told = Literal("A"), SIZE, Literal(" box", Scope.INSTANCE), COLOUR, GO
    assert plain == Template(told)


def test_words_number_values_whatever_their_slot():
    # Equal values share a number, distinct values never do, and numbers fill [0, num_words).
    slots = np.stack(np.meshgrid([0, 1], [0, 1, 2], [0, 1], indexing="ij"), -1).reshape(-1, 3)
    numbers = np.asarray(jax.jit(jax.vmap(BOX.number_words))(jnp.asarray(slots)))
    assert numbers.dtype == np.int32
    pairs = {
        (slot.values[index], int(number))
        for row, found in zip(slots, numbers, strict=True)
        for slot, index, number in zip(BOX.slots, row, found, strict=True)
    }
    assert BOX.num_words == 5  # "", big, red, blue, here
    assert len(pairs) == len(dict(pairs)) == 5
    assert {number for _, number in pairs} == set(range(5))
