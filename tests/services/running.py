"""The ways a service's coroutine is run: to its end at once, in a task, or begun outside one."""

import asyncio

from qpsmtpd.hooks.chain import Handler, Kind, Suspended, begin, step
from qpsmtpd.hooks.spec import HOOKS


def run_in_task(coroutine):
    return asyncio.run(coroutine)


def run_stepped(coroutine):
    """Begin outside a task, as the event-loop driver does, and finish inside one."""

    async def main():
        begun = asyncio.get_running_loop().create_future()
        handler = Handler("test", HOOKS["helo"], lambda: coroutine, Kind.COROUTINE)

        def start():
            assert asyncio.current_task() is None
            try:
                begun.set_result(begin(handler, ()))
            except Exception as error:  # noqa: BLE001 - passed on
                begun.set_exception(error)

        asyncio.get_running_loop().call_soon(start)
        value = await begun
        return await value if type(value) is Suspended else value

    return asyncio.run(main())


RUNNERS = {"blocking": step, "task": run_in_task, "stepped": run_stepped}
