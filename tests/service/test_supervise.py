import asyncio

from asmm_daemon.service.supervise import Supervisor


async def _until(stop):
    await stop.wait()


async def _fail(error):
    await asyncio.sleep(0)
    raise error


def test_a_failing_child_is_named_with_its_error():
    """The first task that fails ends the wait, and its siblings still end in order."""

    async def go():
        stop = asyncio.Event()
        supervisor = Supervisor(stop)
        supervisor.start("steady", _until(stop))
        supervisor.start("broken", _fail(ValueError("boom")))
        name, error = await supervisor.wait()
        rest = await supervisor.end(1.0)
        return name, str(error), [entry[0] for entry in rest]

    assert asyncio.run(go()) == ("broken", "boom", ["broken"])


def test_a_child_that_fails_while_it_is_cancelled_does_not_hang_the_end():
    """A task that answers cancellation with an error is reported, not waited for for ever."""

    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("while closing") from None

    async def go():
        supervisor = Supervisor(asyncio.Event())
        supervisor.start("stubborn", stubborn())
        await asyncio.sleep(0)
        return [(name, str(error)) for name, error in await supervisor.end(0.01)]

    assert asyncio.run(go()) == [("stubborn", "while closing")]


def test_a_child_that_ends_while_it_should_run_is_noticed():
    """A task that returns early is named, without an error."""

    async def go():
        supervisor = Supervisor(asyncio.Event())
        supervisor.start("short", asyncio.sleep(0))
        ended = await supervisor.wait()
        await supervisor.end(0.1)
        return ended

    assert asyncio.run(go()) == ("short", None)


def test_a_stop_is_no_failure():
    """When stop is set, the wait ends with nothing to report."""

    async def go():
        stop = asyncio.Event()
        supervisor = Supervisor(stop)
        supervisor.start("steady", _until(stop))
        stop.set()
        ended = await supervisor.wait()
        return ended, await supervisor.end(1.0)

    assert asyncio.run(go()) == (None, [])
