"""What is imported, by the program and by the library: nothing heavy before it is used."""

import subprocess
import sys

import pytest

HEAVY = (
    "gguf", "minari", "pandas", "safetensors.torch", "scipy", "seaborn", "tensorboardX",
    "tensorflow", "torch", "transformers", "wandb",
)  # fmt: skip
"""Which no command imports as it starts."""
MORE = ("flax", "gymnax", "gymnasium", "jax", "matplotlib", "numpy", "optax", "orbax", "PIL")
"""Which a command needs, but neither its help nor `import lprl_jax`."""
IS_LOADED = "type(sys.modules[m]).__name__ != '_LazyModule'"


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of these a fresh interpreter has loaded after some code."""
    last = f"print(*(m for m in {names!r} if m in sys.modules and {IS_LOADED}))"
    call = [sys.executable, "-c", f"import sys\n{code}\n{last}"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_what_is_loaded_is_seen() -> None:
    assert loaded("import json, numpy", ("json", "numpy", "wandb")) == ["json", "numpy"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["train", "--help"]], ids=str)
def test_help_imports_nothing(arguments: list[str]) -> None:
    run = f"from lprl_jax.cli.main import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
    assert loaded(run, HEAVY + MORE) == []


@pytest.mark.parametrize("name", ["lprl_jax", "lprl_jax.cli", "lprl_jax.cli.main"])
def test_the_library_imports_nothing(name: str) -> None:
    assert loaded(f"import {name}", HEAVY + MORE) == []


def test_a_command_starts_without_what_it_may_not_need() -> None:
    run = "from lprl_jax.cli.main import main\nsys.argv[1:] = ['envs']\nassert main() == 0"
    assert loaded(run, HEAVY) == []


def test_what_was_put_off_is_there_when_it_is_used() -> None:
    run = (
        "from lprl_jax.cli import imports\n"
        "with imports.lightly(): import gymnax\n"
        "from gymnax.environments.misc import pong\n"
        "assert len(pong.sns.color_palette('cubehelix', 3)) == 3"
    )
    assert loaded(run, ("seaborn", "pandas")) == ["seaborn", "pandas"]


@pytest.mark.parametrize("before", ["enable", "disable"])
def test_garbage_is_collected_again(before: str) -> None:
    run = (
        "import gc\n"
        "from lprl_jax.cli import imports\n"
        f"gc.{before}()\n"
        "finders = list(sys.meta_path)\n"
        "with imports.lightly():\n"
        "    import json\n"
        "    assert not gc.isenabled()\n"
        f"assert gc.isenabled() is ({before!r} == 'enable')\n"
        "assert sys.meta_path == finders"
    )
    assert loaded(run, ("json",)) == ["json"]


def test_a_module_that_is_not_there_is_missed() -> None:
    run = (
        "from lprl_jax.cli import imports\n"
        "imports.PUT_OFF = ('no_such_module',)\n"
        "with imports.lightly():\n"
        "    try: import no_such_module\n"
        "    except ModuleNotFoundError: print('missed')\n"
        "    else: raise SystemExit('found')"
    )
    assert loaded(run, ()) == []
