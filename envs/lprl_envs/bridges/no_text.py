"""What an environment of gymnax's own answers where a text is asked for."""

from __future__ import annotations

import gymnax

from lprl_envs.errors import InvalidInput


class NoText(InvalidInput):
    """An environment of gymnax's own was asked for its text."""

    def __init__(self, env: str):
        super().__init__(env)

    def __str__(self) -> str:
        ours = ", ".join(name for name in gymnax.registered_envs if name.endswith("-lprl"))
        return (
            f"{self.args[0]} is gymnax's own and has no text, so no language model can be its "
            f"prior or its policy; valid priors: none, uniform; environments with text: {ours}"
        )
