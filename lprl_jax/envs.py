"""The environments under the library's own name: what `lprl_envs` exports."""

from lprl_envs import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]
from lprl_envs import __all__ as __all__
