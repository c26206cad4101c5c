"""Questions of many tasks in one call: how they are gathered, and what happens when the caller of the call is gone."""

from collections.abc import Mapping

import anyio
import anyio.lowlevel
import pytest

from app.engine.gather import Together


class Asked:
    """A call that remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, keys: list[int]) -> Mapping[int, str]:
        self.batches.append(keys)
        await anyio.lowlevel.checkpoint()
        return {key: f"answer {key}" for key in keys}


async def test_what_is_asked_within_the_moment_goes_in_one_call_each_key_once() -> None:
    together, asked, answers = Together(), Asked(), dict[int, str]()

    async def one(key: int) -> None:
        answers[key] = await together.ask("sizes", key, asked, seconds=0.05)

    async with anyio.create_task_group() as tasks:
        for key in (1, 2, 3, 2):
            tasks.start_soon(one, key)
    assert answers == {1: "answer 1", 2: "answer 2", 3: "answer 3"}
    assert [sorted(batch) for batch in asked.batches] == [[1, 2, 3]]
    assert await together.ask("sizes", 9, asked, seconds=0) == "answer 9"
    assert asked.batches[-1] == [9]


async def test_a_full_batch_makes_room_for_the_next() -> None:
    together, asked = Together(), Asked()
    async with anyio.create_task_group() as tasks:
        for key in range(5):
            tasks.start_soon(lambda k=key: together.ask("sizes", k, asked, seconds=0.02, at_most=2))
    assert sorted(len(batch) for batch in asked.batches) == [1, 2, 2]
    assert sorted(key for batch in asked.batches for key in batch) == list(range(5))


async def test_names_are_apart() -> None:
    together, sizes, orders = Together(), Asked(), Asked()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: together.ask("sizes", 1, sizes, seconds=0.02))
        tasks.start_soon(lambda: together.ask("orders", 1, orders, seconds=0.02))
    assert (sizes.batches, orders.batches) == ([[1]], [[1]])


async def test_who_made_the_call_gets_its_error_and_the_others_ask_again() -> None:
    together, asked, answers = Together(), Asked(), list[str]()

    async def breaks(keys: list[int]) -> Mapping[int, str]:
        raise ConnectionError(f"{len(keys)} keys")

    async def leads() -> None:
        with pytest.raises(ConnectionError, match="2 keys"):
            await together.ask("sizes", 1, breaks, seconds=0.02)

    async def follows() -> None:
        await anyio.sleep(0.005)
        answers.append(await together.ask("sizes", 2, asked, seconds=0.02))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leads)
        tasks.start_soon(follows)
    assert answers == ["answer 2"]
    assert asked.batches == [[2]]


async def test_who_waits_for_a_call_that_is_cancelled_asks_again() -> None:
    together, asked, answers = Together(), Asked(), list[str]()

    async def follows() -> None:
        await anyio.sleep(0.005)
        answers.append(await together.ask("sizes", 2, asked, seconds=0.01))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follows)
        with anyio.move_on_after(0.02):
            await together.ask("sizes", 1, asked, seconds=10.0)
    assert answers == ["answer 2"]
    assert asked.batches == [[2]]
