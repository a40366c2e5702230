"""What is shipped: a wheel and an sdist that hold both packages, and imports that stay light."""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = (
    "lprl_jax/cli/main.py",
    "lprl_jax/py.typed",
    "lprl_jax/results/page.css",
    "lprl_jax/results/page.js",
    "lprl_envs/py.typed",
    "lprl_jax/lm/embedded_models/final/model.safetensors",
    "lprl_jax/lm/embedded_models/early-1/config.json",
    "lprl_jax/lm/embedded_models/MODEL_CARD.md",
    "lprl_jax/completers/recorded.json",
    "lprl_envs/frozen_lake/env.py",
    "lprl_envs/blocks_world/planbench.json",
    "lprl_envs/household/affordances.json",
    "lprl_envs/household/kits.json",
    "lprl_envs/household/NOTICE",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist of this tree."""
    out = tmp_path_factory.mktemp("dist")
    call = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints; started elsewhere, so that it does not find this tree."""
    call = [sys.executable, "-W", "error::ImportWarning", "-c", code]
    done = subprocess.run(
        call,
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wheel_and_sdist_hold_both_packages(built: Path) -> None:
    wheel = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    archive = next(built.glob("*.tar.gz"))
    with tarfile.open(archive) as tar:
        sdist = [name.partition("/")[2] for name in tar.getnames()]
    for name in NEEDED:
        assert name in wheel
        assert name.replace("lprl_envs/", "envs/lprl_envs/") in sdist
    assert "lprl_jax/configs/frozen_lake_dqn_prior.yaml" in wheel
    assert "configs/frozen_lake_dqn_prior.yaml" in sdist
    assert not [name for name in wheel if name.startswith(("tests", "bench"))]


def test_the_installed_wheel_runs(built: Path, tmp_path: Path) -> None:
    wheel = str(next(built.glob("*.whl")))
    call = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--no-index"]
    subprocess.run([*call, "--target", str(tmp_path), wheel], check=True, capture_output=True)
    code = (
        "import lprl_jax, lprl_envs, lprl_jax.envs\n"
        "from lprl_jax.experiments import config\n"
        "from lprl_jax.lm import checkpoint, embedded\n"
        "print(lprl_jax.__file__, lprl_envs.__file__)\n"
        "print(config.names(), checkpoint.load(embedded.path_of('embedded')).config.vocab_size)\n"
        "print(lprl_jax.envs.__all__ == lprl_envs.__all__)\n"
        "print(lprl_jax.make('FrozenLake-lprl')[0].name)"
    )
    where, names, same, made = python(code, PYTHONPATH=str(tmp_path)).splitlines()
    assert where.count(str(tmp_path)) == 2
    assert "frozen_lake_dqn_prior" in names
    assert (same, made) == ("True", "FrozenLake-lprl")


def test_environments_import_no_language_model() -> None:
    # `import flax` itself loads flax.linen, and gymnax imports flax: what counts is that the
    # environments add nothing of the kind to what gymnax has loaded already.
    heavy = ("transformers", "flax.linen", "flax.nnx", "orbax", "torch", "lprl_jax")
    code = (
        "import sys, gymnax; before = set(sys.modules); import lprl_envs\n"
        f"print([m for m in {heavy!r} if m in sys.modules and m not in before])\n"
        "print([m for m in ('transformers', 'orbax', 'torch', 'lprl_jax') if m in sys.modules])"
    )
    assert python(code).splitlines() == ["[]", "[]"]


def test_importing_the_library_starts_nothing() -> None:
    assert python("import sys, lprl_jax; print('jax' in sys.modules)") == "False"
