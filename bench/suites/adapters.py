"""Adapters (LoRA) on a published model, SmolLM2-135M: the memory that four runs take.

A process of its own trains `frozen_lake_gflan_lora` with that model as policy and as prior, for one
update of every run. The runs share the model's weights, 538 MB in f32; a copy a run with Adam's two
moments, as without adapters, would be 1.6 GB each. Memory is the process's peak, and its seconds
are mostly XLA's compilation.

The model is read where `lprl fetch smollm2` puts it. Where it is not there, the row says so.
"""

from __future__ import annotations

import dataclasses
import tempfile

from lprl_envs import InvalidInput
from tools import processes
from tools.timing import Measured, row, unmeasured

from lprl_jax.lm import named

MODEL = "smollm2"
RUNS = 4
NAME = "training/smollm2_lora_4_runs"


def run(quick: bool, model: str = MODEL) -> Measured:
    """The row; a quick run is the same."""
    del quick
    try:
        named.path_of(model)
    except InvalidInput as error:
        return [unmeasured(NAME, "GB", str(error))], {}
    with tempfile.TemporaryDirectory() as folder:
        command = [*processes.LPRL, "train", "frozen_lake_gflan_lora"]
        command += [f"policy={model}", f"prior={model}", f"num_runs={RUNS}"]
        command += ["total_steps=128", "eval_every=128", "eval_episodes=4"]
        command += ["--quiet", "--out", f"{folder}/run"]
        seconds, memory = processes.peak(command)
    note = f"{RUNS} runs of one update, {seconds:.0f} s in all"
    return [
        dataclasses.replace(row(NAME, [memory / 1e9], "GB", note=note), memory_bytes=memory)
    ], {}
