"""Running the rest of a chain on an event loop."""

import asyncio
from concurrent.futures import Executor

from qpsmtpd.errors import HookTimeoutError
from qpsmtpd.hooks.chain import HookCall, Kind, resume
from qpsmtpd.hooks.verdict import Verdict

__all__ = ["run_waiting"]


async def run_waiting(call: HookCall, executor: Executor | None = None) -> Verdict:
    """Run the rest of a chain whose first handler has to wait.

    Args:
        call: what is left of it.
        executor: runs blocking handlers; None for the loop's own threads.
    """
    loop = asyncio.get_running_loop()
    while True:
        handler, arguments = call.chain[0], call.arguments
        pending, call.pending = call.pending, None
        try:
            async with asyncio.timeout(handler.timeout) as limit:
                if pending is not None:
                    value = await pending
                elif handler.kind is Kind.COROUTINE:
                    value = await handler.call(*arguments)
                else:
                    value = await loop.run_in_executor(executor, handler.call, *arguments)
        except Exception as error:  # noqa: BLE001 - a handler's failure costs that handler only
            if isinstance(error, TimeoutError) and limit.expired():
                verdict = call.fail(
                    handler, HookTimeoutError(f"no answer within {handler.timeout:g} seconds")
                )
            else:
                verdict = call.fail(handler, error)
        else:
            verdict = call.settle(handler, value)
        if verdict is not None:
            return verdict
        rest = resume(call)
        if not isinstance(rest, HookCall):
            return rest
        call = rest
