"""The fields of a config that are not its algorithm's: the instances, the prior, the runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lprl_envs import InvalidInput, values
from lprl_envs.errors import require_one_of, shown

from lprl_jax.algorithms import base
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.experiments import judge_kinds, prior_kinds
from lprl_jax.field_help import described
from lprl_jax.judges.controls import ERRORS
from lprl_jax.lm.quantised import WHOLE
from lprl_jax.priors import calibration, memo
from lprl_jax.priors.options import NORMALIZATIONS

_SHARES = ("prior_epsilon", "judge_accuracy", "judge_lazy", "judge_bias", "judge_threshold")
"""Fields that lie in [0, 1]."""


@described
@dataclasses.dataclass(frozen=True)
class BankConfig:
    """The instances of an experiment: given by hand, or drawn. Part of `env_params`."""

    instances: tuple[Any, ...] = ()
    """Instances by hand, as the environment's `params_of` takes them."""
    suite: str = ""
    """A published set of instances, one of the environment's `suites`."""
    num_instances: int = 0
    """Instances to draw; with none of these three, the environment's preset."""
    families: tuple[str, ...] = ()
    """Of those, the environment's kinds to draw from; none: what belongs to the split."""
    goal: str = ""
    """Where random maps have their start and goal: `corner`, or `anywhere`; empty: `corner`."""
    split_by: str = ""
    """What a split of random goals goes by: `goal`, or `shape`, which is harder; empty: `goal`."""
    split: str = ""
    """`train`, `held-out`, or empty for both."""
    bank_seed: int = 0
    """Of the drawing; an experiment's own seed does not change its instances."""
    instance_per_run: bool = False
    """Whether run r plays instance r alone (modulo their number), or every run all of them."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        if self.split not in ("", "train", "held-out"):
            raise InvalidInput(f"unknown split {shown(self.split)}; valid: train, held-out")
        if self.num_instances < 0:
            raise InvalidInput(f"num_instances is {self.num_instances}; it must be 0 or more")


@described
@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """What does not belong to the algorithm."""

    env: str
    """A registered id; `lprl envs` lists them."""
    env_params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments of the environment, and the fields of `BankConfig`."""
    algorithm: str = "dqn"
    """One of `algorithms.registry.ALGORITHMS`."""
    dataset: str = ""
    """What an algorithm learns from that does not act: a file of `lprl collect`."""
    prior: str = "none"
    """`none`, `uniform`, `habit`, an embedded model, `smollm2` once it was fetched, a Hugging Face
    directory, a .gguf file, a .npz table, or one that `lprl priors` lists."""
    prior_access: str = "table"
    """`table` asks a model about all states beforehand, `memo` about one that is met and not
    remembered; `live` asks it at every step."""
    memo_slots: int = memo.SLOTS
    """Of `memo`: how many states are remembered at a time, by each share of the runs."""
    prior_kind: str = prior_kinds.P_DIST
    """`p_dist` scores every action; `p_map` finds an action in what a model writes."""
    samples: int = prior_kinds.DEFAULTS.samples
    """Of `p_map`, as all up to `smoothing`: answers a state; see `FreeForm`."""
    max_tokens: int = prior_kinds.DEFAULTS.max_tokens
    """Of an answer."""
    sample_temperature: float = prior_kinds.DEFAULTS.temperature
    """Of an answer's tokens."""
    top_p: float = prior_kinds.DEFAULTS.top_p
    """Probability of the likeliest tokens, among which they are drawn."""
    smoothing: float = prior_kinds.DEFAULTS.smoothing
    """Weight of the uniform distribution beside the samples."""
    encoder: str = ""
    """Hugging Face directory of a BERT, from which features then come; see `q_input`."""
    prior_dtype: str = "float32"
    """Of a model's weights and matrix products: `float32`, or `bfloat16` on accelerators."""
    model_parallel: int = 1
    """Devices that share one copy of a model's weights; the runs are split over the others."""
    wording: str = "bare"
    """What a model reads around a state: one of `priors.wordings.names()`, or a YAML file."""
    normalization: str = "sum"
    """Of a model's log-likelihood of an action: `sum`, or divided by its `token`s or `word`s."""
    end_of_action: str = "\n"
    """What ends an action's text, for a model."""
    chunk: int = 0
    """States that a model runs at a time; 0: 256, 4 behind a memory, and 16 of a family that is run
    by Flax code."""
    calibration: str = "none"
    """What a model likes to say anyway, divided out: `none`, `pmi`, `contextual`; see
    `priors.calibration`. The temperature behind it is `prior_temperature`."""
    prior_temperature: float = 1.0
    """Above 1 the prior is flattened; see `degrade`."""
    prior_epsilon: float = 0.0
    """Share of the uniform distribution mixed into the prior; see `degrade`."""
    prior_adversarial: bool = False
    """Whether the prior's preferences are turned round; see `degrade`."""
    judge: str = "none"
    """Whose verdicts shift the reward: `none`, `perfect` (planned), `always-good`, `uniform`, a
    .npz table of verdicts, or what may be a prior, whose verdicts are those that it implies."""
    judge_access: str = "table"
    """`table` asks a model about all states beforehand; `live` asks it at every step."""
    judge_says: str = judge_kinds.ACTION
    """Of a model: `action`, its verdict is implied by what it would do, or `words`, it is asked for
    one; see `judges.words`."""
    judge_soft: bool = False
    """Whether a model's or a prior's verdicts are degrees; see `judges.PriorJudge`."""
    judge_threshold: float = 0.0
    """Of `words`: what the likeliest word must have, or the judge is unsure."""
    judge_calibrated: bool = False
    """Of `words`: whether what the model likes to say of anything is taken off, as it is measured
    on training instances; see `algorithms.tabular.word_calibration`."""
    judge_bits: int = WHOLE
    """Of a model: to how many bits its matrices are rounded, 2 to 8; 32 leaves them alone."""
    judge_accuracy: float = 1.0
    """Probability that a verdict is kept; see `judges.corrupt`."""
    judge_errors: str = "step"
    """`step` errs anew at every step, `state` once and for ever in a text and action."""
    judge_seed: int = 0
    """By which errors by state are drawn; all runs have the same ones."""
    judge_lazy: float = 0.0
    """Share of the verdicts that become "unsure"."""
    judge_bias: float = 0.0
    """Share of the verdicts that become "good"."""
    judge_adversarial: bool = False
    """Whether verdicts are turned round."""
    num_runs: int = 32
    """Independent runs, in one program; in a sweep, of each setting, with the same seeds."""
    total_steps: int = 20_000
    """Environment steps a run; gradient steps, where an algorithm learns from a dataset. Rounded
    up to whole updates."""
    eval_every: int = 1_000
    """Such steps a run between two evaluations: a chunk of whole updates; the last is shorter."""
    eval_episodes: int = 32
    """Episodes an evaluation, a run."""
    checkpoint_every: int = 20
    """Chunks between two checkpoints; the last state is always kept."""
    seed: int = 0
    """Of the runs."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        require_one_of("algorithm", self.algorithm, ALGORITHMS)
        values.check_fields(self)
        counts = ("num_runs", "total_steps", "eval_every", "eval_episodes", "checkpoint_every")
        for name in (*counts, "model_parallel"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be 1 or more")
        require_one_of("prior_access", self.prior_access, prior_kinds.ACCESS)
        if self.memo_slots < 1:
            raise InvalidInput(f"memo_slots is {self.memo_slots}; a memory has 1 or more")
        require_one_of("prior_dtype", self.prior_dtype, ("float32", "bfloat16"))
        require_one_of("normalization", self.normalization, NORMALIZATIONS)
        if self.chunk < 0:
            raise InvalidInput(f"chunk is {self.chunk}; it must be 1 or more, or 0 for the default")
        require_one_of("calibration", self.calibration, calibration.METHODS)
        prior_kinds.free_form(self.prior_kind, vars(self))
        require_one_of("judge_access", self.judge_access, ("table", "live"))
        require_one_of("judge_errors", self.judge_errors, ERRORS)
        base.require_fraction(self, *_SHARES)
        judge_kinds.check(vars(self))
        base.require_above_0(self, "prior_temperature")
        base.require_finite(self, "prior_temperature")
