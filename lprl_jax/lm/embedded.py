"""The language models that come with the package, by name.

They are real but tiny: trained from scratch (`lprl pretrain`) on text that the environments'
templates write. `card_of` says where a model's card is. The early versions are the same training
stopped sooner: a ladder of really worse models. `embedded-judge` has learnt other worlds, and to
say what is good and bad in them; `embedded-home` a kitchen and a household.
"""

from pathlib import Path

from lprl_envs.errors import require_one_of

LADDER = {
    "embedded": "final",
    "embedded-early-3": "early-3",
    "embedded-early-2": "early-2",
    "embedded-early-1": "early-1",
}
"""Name to folder of one training's versions, best first."""
JUDGE = "embedded-judge"
HOME = "embedded-home"
MODELS = {**LADDER, JUDGE: "judge", HOME: "home"}
"""Name to folder."""

TAUGHT = (
    "FrozenLake-lprl",
    "BlocksWorld-lprl",
    "CubeStacking-lprl",
    "ImageCompletion-lprl",
    "ObjectArrangement-lprl",
)
"""Ids of the worlds whose texts `embedded` and its early versions were trained on; the card knows
of no others. They read any text, byte by byte where it must be, but have not learnt what others
mean."""
JUDGED = (
    "CartPole-lprl",
    "Pendulum-lprl",
    "Blackjack-lprl",
    "WatchRepair-lprl",
    "KeyRooms-lprl",
)
"""Ids of the worlds of the judge."""
AT_HOME = ("Overcooked-lprl", "Household-lprl")
"""Ids of the worlds of `embedded-home`: both kitchens of the one, `kitchen-small` of the other."""

FOLDER = Path(__file__).parent / "embedded_models"


def path_of(name: str) -> Path:
    """The directory of an embedded model.

    Raises:
        InvalidInput: if there is none of that name.
    """
    require_one_of("model", name, MODELS)
    return FOLDER / MODELS[name]


def card_of(name: str) -> Path:
    """MODEL_CARD.md of an embedded model; MODEL_CARD.json, its figures, lies beside it.

    Raises:
        InvalidInput: if there is no model of that name.
    """
    folder = path_of(name)
    return (FOLDER if name in LADDER else folder) / "MODEL_CARD.md"


def taught(name: str) -> tuple[str, ...]:
    """Ids of the worlds that an embedded model has learnt."""
    return {JUDGE: JUDGED, HOME: AT_HOME}.get(name, TAUGHT)
