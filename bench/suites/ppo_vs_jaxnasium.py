"""PPO on CartPole-v1, here and in jaxnasium, at equal settings: `lprl train cartpole_ppo`.

Half a million environment steps a run, 976 roll-outs, by jaxnasium's `PPO.train` as it is
published, and by ours (`tools/peer_training.py`). The environment is jaxnasium's own CartPole in
theirs and gymnax's in ours: the same equations and limits.

Settings are those of the config, which both have, but for one: their Adam has ε = 1e-4, written in
the code, so that ours has it too. Their networks are 64-64 with tanh, not their layers with
normalised inputs (SimBa); theirs normalises neither observations nor rewards, and logs nothing.
Their loss of values lacks the half, so that its weight is half of ours. Theirs computes two values
a step of an environment, of the state and of the next, ours one and those of cut episodes; theirs
takes one step of every environment before its training, where it would warm its normalisation up,
and keeps returns of episodes.
"""

from __future__ import annotations

from typing import Any

from tools.peer_training import Contest, Training
from tools.peers import JAXNASIUM

STEPS = 499_712


def settings(steps: int) -> dict[str, Any]:
    """Ours: those of the config, but for Adam's ε."""
    return {"anneal_steps": steps, "adam_epsilon": 1e-4}


CONTEST = Contest(
    peer=JAXNASIUM,
    program=("jaxnasium_ppo.py",),
    config="cartpole_ppo",
    settings=settings,
    policy="sample",
    learnt=400.0,  # the most is 500, actions at random have 22
    steps=STEPS,
    names=("training/jaxnasium_ppo", "training/ppo_as_jaxnasium", "training/ppo_vs_jaxnasium"),
    trainings=(Training(1, STEPS, 11), Training(32, STEPS, 10)),
)
run = CONTEST.run
