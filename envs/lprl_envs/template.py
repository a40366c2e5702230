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

    Adjacent literals are merged on construction (the later scope wins), since byte-pair encoders
    may join what we write apart.

    Raises:
        InvalidInput: if a slot has no values or repeats one, scopes are out of order, or the last
            segment is not a literal (where the answer is read out must not depend on the state).
    """

    segments: tuple[Literal | Slot, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", _merge_literals(self.segments))
        scopes = [segment.scope for segment in self.segments]
        if scopes != sorted(scopes):
            raise InvalidInput("template segments must be ordered static, instance, state")
        last = self.segments[-1] if self.segments else None
        if not isinstance(last, Literal) or not last.text:
            raise InvalidInput("the last segment of a template must be a literal with a text")
        for slot in self.slots:
            if not slot.values or len(set(slot.values)) != len(slot.values):
                raise InvalidInput(f"slot {slot.name!r} needs one or more distinct values")

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
    for segment in segments:
        last = merged[-1] if merged else None
        if isinstance(segment, Literal) and isinstance(last, Literal):
            merged[-1] = Literal(last.text + segment.text, max(last.scope, segment.scope))
        else:
            merged.append(segment)
    return tuple(merged)
