"""Values that somebody might write where another belongs, and what is said of them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from lprl_envs import InvalidInput

ODD = (
    *(None, True, False, 0, -1, 1, 3, 2**31, -(10**30), 10**400, 1 << 20_000),
    *(0.0, -0.5, 0.5, 1.5, 1e-50, 1e-40, 1e39, math.nan, math.inf, -math.inf),
    *("", "dqn", "exact", "010", "1:30", "1e-3", "0.1", "a\nb", "a\0b", ".npz", "x" * 1000, "a,b"),
    *([], [None], [1, None], [[1], [2]], [0], [-1], [True], ["a"], [math.nan], [1e39], [64, 2.5]),
    *({}, {"a": 1}, {None: [1]}, {1: {2: None}}, {"init": None, "goal": None}),
    *(datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4), b"bytes", {1, 2}),
)
"""One or more of every YAML type, nested ones among them."""

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
)
VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.integers(), inner)
    ),
    max_leaves=8,
)
"""Any value that YAML can write."""


def outcome(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a call returns, or the one line with which it refuses."""
    try:
        return function(*arguments, **named)
    except InvalidInput as error:
        line = str(error)
        assert len(line.splitlines()) == 1, line
        assert len(line) < 3000
        return error
