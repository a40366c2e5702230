"""Does an environment keep the contract of `TextEnv`? To be called in an environment's own tests.

`check` lists the checks and runs them; they lie in `instances`, `split`, `arrays`, `episodes`,
`text`, `law` and `completions`. `subject` is what they look at, `compare` how.
"""

from lprl_envs.conformance.check import CHECKS, check_env
from lprl_envs.conformance.subject import CheckFailed

__all__ = ["CHECKS", "CheckFailed", "check_env"]
