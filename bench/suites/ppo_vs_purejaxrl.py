"""PPO on CartPole-v1, here and in purejaxrl, at equal settings: `lprl train cartpole_ppo`.

Half a million environment steps a run, by their `make_train` as it stands in a clone of theirs, and
by ours; with one run, and with 32, theirs by `jax.vmap(train)` as they propose
(`tools/peer_training.py`). Of ours the 32 are also divided over the devices, a device a core, as
`lprl train` does; theirs has no such thing.
"""

from __future__ import annotations

from typing import Any

from tools.peer_training import AS_PUBLISHED, BOTH_SPREADS, Contest, Training
from tools.peers import PUREJAXRL

STEPS = 499_712


def settings(steps: int) -> dict[str, Any]:
    """Ours: those of the config, which are theirs."""
    return {"anneal_steps": steps}


CONTEST = Contest(
    peer=PUREJAXRL,
    program=("purejaxrl_ppo.py",),
    config="cartpole_ppo",
    settings=settings,
    policy="sample",
    learnt=400.0,  # the most is 500, actions at random have 22
    steps=STEPS,
    names=("training/purejaxrl_ppo", "training/ppo", "training/ppo_vs_purejaxrl"),
    trainings=(
        Training(1, STEPS, 21),
        Training(32, STEPS, 10, AS_PUBLISHED, BOTH_SPREADS),
    ),
)
run = CONTEST.run
