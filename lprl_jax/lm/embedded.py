"""The language models that come with the package, by name.

They are real but tiny: trained from scratch (`lprl pretrain`) on text that the environments'
templates write. See MODEL_CARD.md beside them. The early versions are the same training stopped
sooner: a ladder of really worse models.
"""

from pathlib import Path

from lprl_envs.errors import require_one_of

MODELS = {
    "embedded": "final",
    "embedded-early-3": "early-3",
    "embedded-early-2": "early-2",
    "embedded-early-1": "early-1",
}
"""Name to folder, best first."""

TAUGHT = (
    "FrozenLake-lprl",
    "BlocksWorld-lprl",
    "CubeStacking-lprl",
    "ImageCompletion-lprl",
    "ObjectArrangement-lprl",
)
"""Ids of the worlds whose texts they were trained on; the card knows of no others. They read any
text, byte by byte where it must be, but have not learnt what others mean."""

FOLDER = Path(__file__).parent / "embedded_models"


def path_of(name: str) -> Path:
    """The directory of an embedded model.

    Raises:
        InvalidInput: if there is none of that name.
    """
    require_one_of("model", name, MODELS)
    return FOLDER / MODELS[name]
