"""The environments under the library's own name: what `lprl_envs` exports."""

from lprl_envs import (
    ENVIRONMENTS,
    FrozenLake,
    InvalidInput,
    Literal,
    Scope,
    Slot,
    Template,
    TextEnv,
    TextEnvParams,
    TextEnvState,
    content_hash,
    parse_map,
)

__all__ = [
    "ENVIRONMENTS",
    "FrozenLake",
    "InvalidInput",
    "Literal",
    "Scope",
    "Slot",
    "Template",
    "TextEnv",
    "TextEnvParams",
    "TextEnvState",
    "content_hash",
    "parse_map",
]
