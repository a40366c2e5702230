"""Bad input to Blocks World: one line that says what was found and what would be right."""

import jax
import jax.numpy as jnp
import pytest
from lprl_envs import BlocksWorld, InvalidInput, from_stacks
from lprl_envs.blocks_world.instances import Problems
from lprl_envs.errors import NotNumbered

ENVIRONMENTS = [
    ({"num_blocks": 1}, ["num_blocks is 1", "2 to 12", "a goal needs two"]),
    ({"num_blocks": 13}, ["num_blocks is 13", "2 to 12"]),
    ({"num_blocks": "4"}, ["num_blocks is '4'", "a whole number"]),
    ({"num_blocks": 4.5}, ["num_blocks is 4.5", "a whole number"]),
    ({"num_blocks": True}, ["num_blocks is True", "a whole number"]),
    ({"illegal_reward": float("nan")}, ["illegal_reward is nan", "finite number"]),
    ({"illegal_reward": "a\nb"}, ["illegal_reward is 'a\\nb'", "a number"]),
    ({"illegal_reward": None}, ["illegal_reward is None", "a number"]),
    ({"observation": "pixels"}, ["observation 'pixels'", "onehot, features, tokens"]),
    ({"num_blocks": 7, "observation": "index"}, ["'index'", "up to 6 blocks, not 7", "features"]),
    ({"num_blocks": 12, "observation": "onehot"}, ["'onehot'", "up to 6", "features, tokens"]),
]
FORM = "an instance is {'init': ['cb', 'a'], 'goal': ['ba']}"
STACKS = [
    ([], ["ab"], ["init is []", FORM]),
    ("ab", ["ab"], ["init is 'ab'", FORM]),
    (None, ["ab"], ["init is None", FORM]),
    ([["a", "b"]], ["ab"], ["init is [['a', 'b']]", FORM]),
    (["ab", ""], ["ab"], ["init is ['ab', '']", FORM]),
    (["ab", 3], ["ab"], ["init is ['ab', 3]", FORM]),
    (["ab", "a"], ["ab"], ["'a' stands twice", "['ab', 'a']"]),
    (["aa"], ["ab"], ["'a' stands twice"]),
    (["ac"], ["ac"], ["['a', 'c']", "right: ['a', 'b']"]),
    (["AB"], ["AB"], ["['A', 'B']", "right: ['a', 'b']"]),
    (["a\n"], ["ab"], ["['\\n', 'a']", "right: ['a', 'b']"]),
    (["abcdefghijklm"], ["ab"], ["have 13 blocks; at most 12 are right, a to l"]),
    (["a", "b"], [], ["goal is []", FORM]),
    (["a", "b"], "ab", ["goal is 'ab'", FORM]),
    (["a", "b"], {"ab"}, ["goal is {'ab'}", FORM]),
    (["a", "b"], [("a", "b")], ["goal is [('a', 'b')]", FORM]),
    (["a", "b"], ["abc"], ["fact 'abc'", "two letters"]),
    (["a", "b"], ["a"], ["fact 'a'", "two letters"]),
    (["a", "b"], ["ac"], ["'ac'", "no block 'c'", "a, b"]),
    (["a", "b"], ["\nb"], ["'\\nb'", "no block '\\n'"]),
    (["a", "b"], ["aa"], ["'aa'", "on itself"]),
    (["a", "b", "c"], ["ab", "ac"], ["'a' twice", "one block"]),
    (["a", "b"], ["ab", "ab"], ["'a' twice", "one block"]),
    (["a", "b", "c"], ["ac", "bc"], ["two blocks on 'c'"]),
    (["a", "b"], ["ab", "ba"], ["a circle", "table"]),
    (["a", "b", "c", "d"], ["da", "ab", "bc", "ca"], ["two blocks on 'a'"]),
    (["a", "b", "c", "d"], ["ab", "bc", "ca"], ["a circle", "table"]),
    (["ba"], ["ab"], ["['ab'] holds in ['ba'] already"]),
]
INSTANCES = [
    ([], ["no instances", "at least one"]),
    ([None], ["found None", FORM]),
    (["ab"], ["found 'ab'", FORM]),
    ([["ab"]], ["found ['ab']", FORM]),
    ([{"init": ["ab"]}], ["found {'init': ['ab']}", FORM]),
    ([{"init": ["ab"], "goal": ["ab"], "limit": 3}], ["'limit': 3", FORM]),
    ([{"init": ["abcde"], "goal": ["ab"]}], ["5 blocks, the environment 4", "num_blocks: 5"]),
    ([{"init": ["ab"], "goal": ["ab"]}, {"init": 7, "goal": 7}], ["init is 7", FORM]),
]


def refusal(function, *args, **kwargs) -> str:
    with pytest.raises(InvalidInput) as error:
        function(*args, **kwargs)
    message = str(error.value)
    assert "\n" not in message
    return message


def assert_says(message, words):
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize(("config", "words"), ENVIRONMENTS)
def test_environment(config, words):
    assert_says(refusal(BlocksWorld, **config), words)


@pytest.mark.parametrize(("init", "goal", "words"), STACKS)
def test_stacks(init, goal, words):
    assert_says(refusal(from_stacks, init, goal), words)


@pytest.mark.parametrize(("instances", "words"), INSTANCES)
def test_instances(instances, words):
    assert_says(refusal(BlocksWorld(4).params_of, instances), words)


def test_stacks_are_read_from_bottom_to_top():
    problem = from_stacks(["cb", "a"], ["ba", "cb"])
    assert problem.on.tolist() == [-1, 2, -1]
    assert problem.goal.tolist() == [-1, 0, 1]
    params = BlocksWorld(4).params_of([problem, {"init": ["cb", "a"], "goal": ["ba", "cb"]}])
    assert params.bank.on.tolist() == [[-1, 2, -1, -3]] * 2
    assert params.bank.goal.tolist() == [[-1, 0, 1, -1]] * 2


@pytest.mark.parametrize("name", ["planbench-5", "", "planbench-length-3", None, "a\nb"])
def test_suite(name):
    assert_says(refusal(BlocksWorld(4).suite, name), [f"suite {name!r}", "planbench-4"])


def test_more_blocks_than_there_can_be():
    many = Problems(jnp.full(13, -1, jnp.int32), jnp.full(13, -1, jnp.int32))
    message = refusal(BlocksWorld(12).params_of, [many])
    assert message == "an instance has 13 blocks; at most 12 are right"


def test_suite_of_more_blocks():
    message = refusal(BlocksWorld(4).suite, "planbench")
    assert message == "an instance has 5 blocks, the environment 4; set num_blocks: 5"


@pytest.mark.parametrize("found", [1, 5, 2.0, "3"])
def test_number_of_blocks_of_random_instances(found):
    message = refusal(BlocksWorld(4).sample_params, jax.random.key(0), 1, num_blocks=found)
    assert_says(message, [f"num_blocks of an instance is {found!r}", "2 to 4"])


def test_split():
    message = refusal(BlocksWorld(4).sample_params, jax.random.key(0), 1, split="held_out")
    assert_says(message, ["unknown split 'held_out'", "train, held-out"])
    message = refusal(BlocksWorld(4).sample_params, jax.random.key(0), 1, "train", 2)
    assert_says(message, ["2 blocks are too few to split by goal", "3 or more"])


def test_states_of_many_blocks_have_no_numbers():
    env = BlocksWorld(7)
    params = env.default_params
    state = env.reset(jax.random.key(0), params)[1]
    assert env.num_states is None
    for ask in (
        lambda: env.numbered_states,
        lambda: env.state_index(state, params),
        lambda: env.state_at(jnp.int32(0), jnp.int32(0), params),
    ):
        with pytest.raises(NotNumbered, match="BlocksWorld-lprl has too many states"):
            ask()
