"""Wording: what a model reads around a state, as data: an instruction, examples, a chat's turns.

A world's template says how its states read. A wording puts text in front of it, and may lead to the
answer in other words. The result is a template again, `Literal(before) + segments +
Literal(after)`: what is proven of templates holds for it, and what stands before a state is shared
by all states of an instance.
"""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lprl_envs import InvalidInput, Literal, Template, TextEnv, values
from lprl_envs.errors import shown

from lprl_jax.files import paths, shipped, yaml_values
from lprl_jax.lm import hugging_face
from lprl_jax.priors.options import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FOLDER = "wordings"
"""Of those that ship, in `configs/`."""
MOST_LISTED, LISTED = 9, 6
"""Of more actions than the one, `{actions}` names the other, spread over all of them."""
MARKER = "[[the state of affairs]]"
"""In the place of a state, where a chat template is rendered."""
CHAT: dict[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""What some chat templates take: an answer at once, and a date that is not today's, so that a text
is the same tomorrow."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A state with an answer, as a prompt shows them."""

    state: str
    """As `TextEnv.describe` writes it."""
    action: str
    """One of `TextEnv.action_texts`."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """An example to be worked out in a world: which state, and what is done in it."""

    instance: Any
    """As `TextEnv.params_of` takes it."""
    state: int | None = None
    """Its number; by default an episode's first."""
    action: str | None = None
    """Its text; by default one that is right, by planning."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if one is of another type."""
        if self.state is not None:
            values.whole("an example's state", self.state)
        if self.action is not None:
            values.text("an example's action", self.action)


@dataclasses.dataclass(frozen=True)
class Wording:
    """How a model is asked; make one here, or `read` one.

    In `system`, `instruction` and `answer`, `{actions}` stands for the texts of the world's actions
    and `{name}` for the world's; braces themselves are doubled.
    """

    name: str
    """For reports."""
    system: str = ""
    """Stands first; in a chat, its system message."""
    instruction: str = ""
    """Stands in front of examples and state."""
    examples: tuple[int | Shown | Example, ...] = ()
    """States with their answers, between instruction and state; a number is that of a training
    instance. `lprl_jax.worked` makes an `Example` of each."""
    answer: str | None = None
    """The last line, which leads to the action, whose text begins with a space; by default the
    world's own."""
    chat: bool = False
    """Whether all this is said in the turns of the model's own chat template."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if a field is of another type, or a text has an unknown slot."""
        for field in ("name", "system", "instruction"):
            values.text(field, getattr(self, field))
        values.truth("chat", self.chat)
        if self.answer is not None:
            values.text("answer", self.answer)
            if self.answer != self.answer.rstrip() or not self.answer:
                values.refuse(
                    "answer", self.answer, "an action follows, whose text begins with a space: "
                    "right: text that ends in none"
                )  # fmt: skip
        object.__setattr__(self, "examples", values.sequence("examples", self.examples, _example))
        for field in ("system", "instruction", "answer"):
            _filled(field, getattr(self, field) or "", {"actions": "", "name": ""})

    @staticmethod
    def read(name: str | Path) -> Wording:
        """One that comes with the package, by its name, or that of a YAML file.

        Raises:
            InvalidInput: if there is no such file, it is no YAML mapping, or a field is wrong.
        """
        known = names()
        file = shipped.find(str(name), FOLDER) if str(name) in known else paths.given(name)
        if file is None or not file.is_file():
            asked = " ".join(str(name).splitlines())
            raise InvalidInput(f"no wording {asked}; valid: a YAML file, or {', '.join(known)}")
        try:
            fields = yaml_values.load(file.read_bytes(), str(name))
        except OSError as error:
            raise InvalidInput(f"cannot read {name}: {error.strerror}") from None
        try:
            return _of_fields(file.stem, {} if fields is None else fields)
        except InvalidInput as error:
            raise InvalidInput(f"the wording {name}: {error}") from None

    def template_of(self, env: TextEnv[Any, Any], tokenizer: PreTrainedTokenizerFast) -> Template:
        """The whole prompt in a world: its template, with what stands before and behind a state.

        Args:
            env: Writes the states.
            tokenizer: Of the model; of a chat, its template is asked for once.

        Raises:
            InvalidInput: if examples are not worked out, or there is no chat template that says
                messages as they are.
        """
        *head, last = env.template.segments
        assert isinstance(last, Literal)  # a template ensures it
        rest, cue = _cut(last.text)
        leads = cue if self.answer is None else "\n" + self._fill("answer", env)
        turns = [(_before(x.state, cue), leads, x.action) for x in self._worked(env)]
        system, instruction = self._fill("system", env), self._fill("instruction", env)
        if self.chat:
            before, after = self._dialogue(tokenizer, system, instruction, turns)
            leads = after + leads.lstrip()
        else:
            parts = [part for part in (system, instruction) if part]
            parts += [state + own + action for state, own, action in turns]
            before = "".join(f"{part}\n\n" for part in parts)
        first = [Literal(before)] if before else []
        return Template((*first, *head, Literal(rest, last.scope), Literal(leads, last.scope)))

    def _worked(self, env: TextEnv[Any, Any]) -> list[Example]:
        """The examples, all of them worked out."""
        found = [x for x in self.examples if isinstance(x, Example)]
        if len(found) < len(self.examples):
            raise InvalidInput(
                f"the examples of the wording {self.name!r} are not worked out yet; right: "
                f"lprl_jax.worked({self.name!r}, env), with the wording or its name"
            )
        for example in found:
            if example.action not in env.action_texts:
                listed = listed_actions(env.action_texts)
                raise InvalidInput(f"an example's action is {example.action!r}; valid: {listed}")
        return found

    def _fill(self, field: str, env: TextEnv[Any, Any]) -> str:
        """A text with its slots filled, and without line breaks around it."""
        slots = {"actions": listed_actions(env.action_texts), "name": env.name}
        return _filled(field, getattr(self, field) or "", slots).strip("\n")

    def _dialogue(
        self,
        tokenizer: PreTrainedTokenizerFast,
        system: str,
        instruction: str,
        turns: Sequence[tuple[str, str, str]],
    ) -> tuple[str, str]:
        """What stands before a state, and between it and the answer, in a chat."""
        said = [("system", system)] if system else []
        for state, leads, action in turns:
            said += [("user", state), ("assistant", leads.lstrip() + action)]
        said.append(("user", MARKER))
        first = 1 if system else 0
        if instruction:
            said[first] = "user", f"{instruction}\n\n{said[first][1]}"
        before, after = _rendered(self.name, tokenizer, said).split(MARKER)
        bos = tokenizer.bos_token
        if bos and tokenizer.encode("")[:1] == [tokenizer.bos_token_id]:
            before = before.removeprefix(str(bos))  # the tokenizer puts it there itself
        return before, after


def names() -> list[str]:
    """Wordings that come with the package."""
    return shipped.names(FOLDER)


def of(wording: Wording | str | Path) -> Wording:
    """A wording, which may be named.

    Raises:
        InvalidInput: if it is neither, or there is none of that name.
    """
    if isinstance(wording, Wording):
        return wording
    if not isinstance(wording, str | Path):
        values.refuse("wording", wording, "right: a Wording, its name, or a YAML file")
    return Wording.read(wording)


def prompt_of(
    wording: Wording | str | Path, env: TextEnv[Any, Any], tokenizer: PreTrainedTokenizerFast
) -> Prompt:
    """How a world reads in a wording, which may be named.

    Raises:
        InvalidInput: as `of` and `Wording.template_of`.
    """
    chosen = of(wording)
    return Prompt(chosen.name, chosen.template_of(env, tokenizer))


def listed_actions(texts: Sequence[str]) -> str:
    """Actions' texts with commas between them; of many, some, and that there are more."""
    if len(texts) <= MOST_LISTED:
        return ", ".join(text.strip() for text in texts)
    places = np.linspace(0, len(texts) - 1, LISTED).round()
    return ", ".join([*(texts[int(place)].strip() for place in places), "and others like these"])


def _cut(text: str) -> tuple[str, str]:
    """The end of a state's text, and the line behind it, which leads to the action."""
    place = text.rfind("\n")
    return (text[:place], text[place:]) if place >= 0 else ("", text)


def _before(state: str, cue: str) -> str:
    """A state's text without that line."""
    return state.removesuffix(cue)


def _filled(field: str, text: str, slots: Mapping[str, str]) -> str:
    """A text whose slots are filled.

    Raises:
        InvalidInput: if one is unknown, or a brace stands alone.
    """
    right = f"valid: {', '.join(f'{{{name}}}' for name in slots)}; braces themselves are doubled"
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        values.refuse(field, text, f"{error}; {right}")
    for _, slot, spec, conversion in parts:
        if slot is not None and (slot not in slots or spec or conversion):
            raise InvalidInput(f"{field} has a slot {shown(slot)} that is unknown; {right}")
    return "".join(piece + (slots[slot] if slot else "") for piece, slot, _, _ in parts)


def _example(name: str, value: Any) -> int | Shown | Example:
    """An example as Python or YAML gives it."""
    if isinstance(value, Shown | Example):
        return value
    if isinstance(value, Mapping):
        known = [field.name for field in dataclasses.fields(Shown)]
        unknown = [key for key in value if key not in known]
        if unknown or "instance" not in value:
            found = f"has {shown(unknown[0])}" if unknown else "names no instance"
            raise InvalidInput(f"{name} {found}; valid: {', '.join(known)}")
        return Shown(**value)
    if values.whole(name, value) < 0:
        values.refuse(name, value, "it must be 0 or more, the number of a training instance")
    return value


def _of_fields(name: str, fields: Any) -> Wording:
    """Of a YAML's mapping."""
    valid = [field.name for field in dataclasses.fields(Wording) if field.name != "name"]
    if not isinstance(fields, Mapping):
        raise InvalidInput(f"it holds {type(fields).__name__}; right: `field: value` lines")
    for field in fields:
        if field not in valid:
            raise InvalidInput(f"unknown field {shown(field)}; valid: {', '.join(valid)}")
    return Wording(name, **fields)


def _rendered(
    name: str, tokenizer: PreTrainedTokenizerFast, said: Sequence[tuple[str, str]]
) -> str:
    """A dialogue in a model's own chat template, up to where it answers."""
    if not getattr(tokenizer, "chat_template", None):
        raise InvalidInput(
            f"the wording {name!r} is a chat, and the model's tokenizer has no chat template; a "
            "wording without chat, or a model that was tuned for chats, fits"
        )
    messages = [{"role": role, "content": content} for role, content in said]
    try:
        with hugging_face.quiet():
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **CHAT
            )
    except Exception as error:  # whatever a template raises
        reason = " ".join(str(error).split())
        raise InvalidInput(
            f"the model's chat template fails on the wording {name!r}: {reason}"
        ) from None
    assert isinstance(text, str)
    lacking = next((content for _, content in said if content not in text), None)
    if lacking is not None or text.count(MARKER) != 1:
        told = shown(MARKER if lacking is None else lacking)
        raise InvalidInput(
            f"the model's chat template does not say a message of the wording {name!r} once, as it "
            f"is: {told}"
        )
    return text
