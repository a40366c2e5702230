"""Somebody who searches a room with a plan solves it in time: the room between chance and a prior.

By the twin, which equals the law (`test_law`). The searcher sees no more than is shown: it opens,
in random order, what can contain the goal's type, and brings what it finds where it belongs.
"""

import random

import envs.household.twin as twin
import jax
import numpy as np
import pytest
from envs.household.playing import row
from lprl_envs import Household
from lprl_envs.household import ROOMS

NUM = 200
LIMIT = 50
MEANS = {
    "kitchen-small": (11.1, 16),
    "kitchen": (14, 25),
    "bathroom": (10.3, 16),
    "bedroom": (12.6, 20),
    "livingroom": (12, 19),
}
"""Steps on average, and the ninetieth percentile."""


class Searcher:
    """One episode."""

    def __init__(self, room, rng):
        self.room, self.state, self.steps = room, twin.start(room), 0
        self.what, self.place = room["goal"]
        can = twin.KNOWN["can_contain"]
        self.places = [r for r in room["receptacles"] if self.what in can[twin.kind(r)]]
        rng.shuffle(self.places)
        self.rng = rng

    def do(self, command):
        assert command in twin.legal(self.room, self.state)
        self.state, self.steps = twin.apply(self.state, command), self.steps + 1

    def look_at(self, place):
        """What is there of the goal's type."""
        if self.state.at != place:
            self.do(f"go to {place}")
        if place in self.room["openable"] and place not in self.state.open:
            self.do(f"open {place}")
        inside = [o for o, r in self.state.where if r == place]
        return [o for o in inside if twin.kind(o) == self.what]

    def fetch(self, avoid=None):
        """Finds one and takes it."""
        for place in list(self.places):
            found = [] if place == avoid else self.look_at(place)
            if found:
                self.do(f"take {found[0]} from {place}")
                return found[0]
            self.places.remove(place)
        raise AssertionError("there is none")

    def play(self):
        """Steps until the goal holds."""
        task = self.room["task"]
        if task == "light":
            self.fetch()
            stands = [r for r in self.room["receptacles"] if twin.kind(r) in twin.LAMP_PLACES]
            self.rng.shuffle(stands)
            for place in stands:
                self.look_at(place)
                if place == self.room["lamp_on"]:
                    self.do("use desklamp 1")
                    break
        else:
            targets = [r for r in self.places if twin.kind(r) == self.place]
            target = targets[0]
            for _ in range(2 if task == "two" else 1):
                thing = self.fetch(avoid=target if task == "two" else None)
                if task in twin.STATIONS:
                    station = f"{twin.STATIONS[task]} 1"
                    if self.state.at != station:
                        self.do(f"go to {station}")
                    self.do(f"{task} {thing} with {station}")
                self.look_at(target)
                self.do(f"move {thing} to {target}")
        assert twin.is_won(self.room, self.state)
        return self.steps


@pytest.mark.parametrize("room", ROOMS)
def test_a_searcher_solves_every_room(room):
    env = Household(room)
    bank = jax.device_get(env.sample_params(jax.random.key(8), NUM).bank)
    rng = random.Random(0)
    rooms = [twin.room_of(env.kit, row(bank, i)) for i in range(NUM)]
    steps = np.array([Searcher(one, rng).play() for one in rooms])
    assert steps.max() <= LIMIT
    mean, most = MEANS[room]
    assert steps.mean() == pytest.approx(mean, abs=1)
    assert np.percentile(steps, 90) == pytest.approx(most, abs=2)
