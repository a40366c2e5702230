"""The environments' suite: which rates its ratios hold against which."""

import importlib
from typing import Any

import pytest

suite: Any = importlib.import_module("suites.environments")
timing: Any = importlib.import_module("tools.timing")


@pytest.mark.parametrize("quick", [True, False])
def test_new_worlds_are_held_against_gymnaxs_frozen_lake(
    monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    def contender(*arguments: Any, **keywords: Any) -> Any:
        return timing.Contender(lambda: None, 100.0, "steps/s")

    def race(contenders: dict[str, Any], repeats: int) -> dict[str, list[float]]:
        """Theirs takes half a second, KeyRooms four, every other two, or one without a reset."""
        took = {"env/gymnax-FrozenLake-firm/2048": 0.5, "env/KeyRooms-lprl/2048": 4.0}
        took |= {name: 1.0 for name in contenders if "-bank-no_reset/16384" in name}
        return {name: [took.get(name, 2.0)] * repeats for name in contenders}

    for name in ("random_play", "banked_play", "gymnasium_play"):
        monkeypatch.setattr(suite, name, contender)
    monkeypatch.setattr(suite, "race", race)
    rows, ratios = suite.run(quick)
    names = {row.name for row in rows}
    worlds = "CartPole", "Pendulum", "Blackjack", "WatchRepair", "KeyRooms"
    for world in (*worlds, "Overcooked", "Household"):
        assert f"env/{world}-lprl/2048" in names
    ends = "_vs_gymnax_frozen_lake"
    beside = {name: x.median for name, x in ratios.items() if name.endswith(ends)}
    assert beside == {
        "key_rooms/ours_vs_gymnax_frozen_lake": 0.125,
        "blackjack/ours_vs_gymnax_frozen_lake": 0.25,
        "watch_repair/ours_vs_gymnax_frozen_lake": 0.25,
        "overcooked/ours_vs_gymnax_frozen_lake": 0.25,
        "household/ours_vs_gymnax_frozen_lake": 0.25,
        "cartpole/ours_vs_gymnax_frozen_lake": 0.25,
        "pendulum/ours_vs_gymnax_frozen_lake": 0.25,
    }
    resets = {name: x.median for name, x in ratios.items() if "auto_reset" in name}
    assert resets == {
        f"env/{world}/auto_reset_vs_{other}{size}": share
        for world in (() if quick else suite.OURS)
        for other, size, share in (
            ("none", "", 1.0), ("none", "/16384", 0.5), ("alive", "", 1.0), ("alive", "/16384", 1.0)
        )
    }  # fmt: skip
