"""Template: how a state reads, as literals and slots. The single source of a state's text.

A state is text with a fixed skeleton. Literals never change; a slot takes one of finitely many
values. So a state is `num_slots` small integers, which a compiled program can compute, and the
text (or its tokens) is a lookup.

A value carries its own leading space or newline (`" b3"`, never `"b3"` behind a literal that ends
in a space): that is where byte-pair encoders may be split. An optional word is a slot with the
values `""` and `" word"`.
"""

import dataclasses
import enum
import hashlib
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.errors import InvalidInput


class Scope(enum.IntEnum):
    """What a segment depends on. Segments come in this order, so that a prefix can be shared."""

    STATIC = 0
    """Nothing: instructions."""
    INSTANCE = 1
    """The instance: a map, a goal."""
    STATE = 2
    """The state."""


@dataclasses.dataclass(frozen=True)
class Literal:
    """Text that every state has."""

    text: str
    scope: Scope = Scope.STATIC


@dataclasses.dataclass(frozen=True)
class Slot:
    """A place that takes one of `values`."""

    name: str
    values: tuple[str, ...]
    scope: Scope = Scope.STATE


@dataclasses.dataclass(frozen=True)
class Template:
    """Literals and slots, in the order in which they are read.

    A literal depends on what stands before it, whatever its scope says: it cannot be shared by
    states that differ before it. Adjacent literals are merged on construction, since byte-pair
    encoders may join what we write apart.

    Raises:
        InvalidInput: if a slot has no values or repeats one, a slot stands behind one of a later
            scope, or the last segment is not a literal (where the answer is read out must not
            depend on the state). It names the segment, and what would be right.
    """

    segments: tuple[Literal | Slot, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", _merge_literals(self.segments))
        for slot in self.slots:
            _require_values(slot)
        for before, segment in itertools.pairwise(self.segments):
            _require_order(before, segment)
        last = self.segments[-1] if self.segments else None
        if not isinstance(last, Literal) or not last.text:
            raise InvalidInput(
                f"a template ends with {_named(last)}; right: with a literal that has a text, "
                'behind which the action\'s text is read, such as Literal("\\nGo")'
            )

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots, in reading order."""
        return tuple(s for s in self.segments if isinstance(s, Slot))

    @property
    def num_slots(self) -> int:
        """How many integers describe a state."""
        return len(self.slots)

    def render(self, slots: Sequence[int]) -> str:
        """Text of the state whose slots take the values with these indices, `[num_slots]`.

        >>> lake = Template((Literal("At"), Slot("cell", (" a1", " a2")), Literal(" go")))
        >>> lake.render([1])
        'At a2 go'
        """
        values = iter(slots)
        return "".join(
            segment.text if isinstance(segment, Literal) else segment.values[int(next(values))]
            for segment in self.segments
        )

    @property
    def num_words(self) -> int:
        """Size of the template's own vocabulary: the distinct values of its slots."""
        return len({value for slot in self.slots for value in slot.values})

    def number_words(self, slots: jax.Array) -> jax.Array:
        """`i32[num_slots]` in `[0, num_words)`: the slots' values by their number; jittable."""
        distinct = dict.fromkeys(value for slot in self.slots for value in slot.values)
        number = {value: i for i, value in enumerate(distinct)}
        table = np.zeros(
            (self.num_slots, max((len(s.values) for s in self.slots), default=0)), np.int32
        )
        for row, slot in zip(table, self.slots, strict=True):
            row[: len(slot.values)] = [number[value] for value in slot.values]
        return jnp.asarray(table)[jnp.arange(self.num_slots, dtype=jnp.int32), slots]

    def digest(self) -> str:
        """Names the wording: equal digests, equal texts. Sixteen hexadecimal digits."""
        return hashlib.sha256(repr(self.segments).encode()).hexdigest()[:16]


def _merge_literals(segments: tuple[Literal | Slot, ...]) -> tuple[Literal | Slot, ...]:
    merged: list[Literal | Slot] = []
    scope = Scope.STATIC
    for segment in segments:
        last = merged[-1] if merged else None
        scope = max(scope, segment.scope)
        if isinstance(segment, Slot):
            merged.append(segment)
        elif isinstance(last, Literal):
            merged[-1] = Literal(last.text + segment.text, scope)
        else:
            merged.append(Literal(segment.text, scope))
    return tuple(merged)


def _require_values(slot: Slot) -> None:
    if not slot.values:
        raise InvalidInput(f"{_named(slot)} has no values; it needs one or more")
    for place, value in enumerate(slot.values):
        if value in slot.values[:place]:
            raise InvalidInput(f"{_named(slot)} has the value {value!r} twice; once is right")


def _require_order(before: Literal | Slot, segment: Literal | Slot) -> None:
    if before.scope > segment.scope:
        own, earlier = (scope.name for scope in (segment.scope, before.scope))
        raise InvalidInput(
            f"{_named(segment)} has the scope {own} and stands behind {_named(before)}, which has "
            f"{earlier}; right: put it before that, or give it scope=Scope.{earlier}"
        )


def _named(segment: Literal | Slot | None) -> str:
    if isinstance(segment, Slot):
        return f"the slot {segment.name!r}"
    return "nothing" if segment is None else f"the literal {segment.text!r}"
