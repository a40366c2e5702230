"""The environments under the library's own name: what `lprl_envs` exports."""

from lprl_envs import (
    CHECKS,
    ENVIRONMENTS,
    CheckFailed,
    FrozenLake,
    InvalidInput,
    Literal,
    Scope,
    Slot,
    Template,
    TextEnv,
    TextEnvParams,
    TextEnvState,
    check_env,
    content_hash,
    parse_map,
)

__all__ = [
    "CHECKS",
    "ENVIRONMENTS",
    "CheckFailed",
    "FrozenLake",
    "InvalidInput",
    "Literal",
    "Scope",
    "Slot",
    "Template",
    "TextEnv",
    "TextEnvParams",
    "TextEnvState",
    "check_env",
    "content_hash",
    "parse_map",
]
