"""A run's fine-tuned language model, as a Hugging Face directory: to be a prior, or to be shared.

Where adapters were trained they are merged into the model, or written alone, as peft keeps them.
What the values are read out by is no part of such a model, and is left out.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import jax
import yaml
from lprl_envs import InvalidInput

from lprl_jax.experiments import build, config, evaluate, run_directory, sharding
from lprl_jax.experiments.config import Experiment
from lprl_jax.files import paths
from lprl_jax.lm import checkpoint, embedded, identity, lora_files
from lprl_jax.lm.partition import LANGUAGE_MODEL

CARD = "README.md"


def run(directory: Path, out: Path, number: int = 0, adapter: bool = False) -> int:
    """Write what one run's newest checkpoint holds.

    Args:
        directory: Of the experiment's runs.
        out: New directory, which appears when it is whole.
        number: Of the run; in a sweep they are numbered setting by setting.
        adapter: Whether only its adapters are written, for peft, and not the model they make.

    Returns:
        After how many environment steps it was.

    Raises:
        InvalidInput: if there is no such run or no checkpoint yet, its policy is no language model,
            or one of a family that is not written, it has no adapters that are to be written, or
            the directory exists or cannot be written.
    """
    directory, out = paths.given(directory), paths.given(out)
    if out.exists():
        raise InvalidInput(f"{out} exists; name another directory, or remove it")
    paths.require_writable(out)
    trained = config.parse(run_directory.read_config(directory))
    if not 0 <= number < trained.num_runs:
        raise InvalidInput(f"run is {number}; {directory} has runs 0 to {trained.num_runs - 1}")
    env, params = build.make_env(trained.config.env, trained.env_arguments, trained.bank)
    policy = build.make_policy(trained, env, params)
    if policy is None:
        raise InvalidInput(
            f"the policy of {directory} is a network; a language model that was trained (policy=) "
            "can be exported"
        )
    adapters = trained.algorithm.adapters
    if not adapter:
        checkpoint.require_writable(policy.model.config)
    elif adapters is None:
        raise InvalidInput(
            f"the policy of {directory} has no adapters: all its weights were trained (lora_rank "
            "is 0); it can be exported as a model"
        )
    else:
        lora_files.require_named(policy.model.config)
    state = evaluate.newest_state(directory, trained)
    own = jax.tree.map(lambda leaf: leaf[number], sharding.fetch(state.params))
    draft = out.with_name(f"{out.name[:40]}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        model, steps = policy.model_of(own, adapters), int(state.num_steps)
        if adapter:
            learnt, base = own[LANGUAGE_MODEL], build.policy_name(trained)
            lora_files.save(draft, learnt, adapters, policy.model.config, base)
        else:
            checkpoint.save(draft, model)
        digests = identity.of_model(policy.model), identity.of_model(model)
        text = card(trained, number, steps, digests, adapter)
        (draft / CARD).write_text(text, encoding="utf-8")
        draft.rename(out)
    except OSError as error:
        raise InvalidInput(f"cannot write to {out}: {paths.reason(error)}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return steps


def card(
    trained: Experiment, number: int, steps: int, digests: tuple[str, str], adapter: bool = False
) -> str:
    """The model card: what it was, and what was done to it; both told apart by their digests."""
    name = build.policy_name(trained)
    setting = trained.settings[number // trained.config.num_runs]
    lines = [
        "---",
        f"base_model: {name}",
        *["library_name: peft"] * adapter,
        "---",
        f"# {'Adapters of a' if adapter else 'A'} language model, fine-tuned as a policy",
        "",
        f"`{name}` after {steps:,} environment steps of {trained.config.algorithm} on "
        f"{trained.config.env}, kept near the prior `{trained.config.prior}`: run {number} of "
        f"{trained.num_runs}" + (f", {config.name_of(setting)}" if setting else "") + ".",
        "It continues a state's text with an action's. The values that were learnt beside it are",
        "left out.",
        "",
        f"Digest, by which datasets and tables know it{', merged' * adapter}: `{digests[1]}`; "
        f"before: `{digests[0]}`.",
        "",
        "```yaml",
        yaml.safe_dump(trained.as_dict(), sort_keys=False).rstrip(),
        "```",
        "",
    ]
    if name in embedded.MODELS:
        base = embedded.card_of(name).read_text("utf-8").replace("\n#", "\n##")
        lines += ["What it began as:", "", f"#{base}"]
    return "\n".join(lines)
