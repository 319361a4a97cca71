"""quit_fortune - say goodbye with a fortune cookie

DESCRIPTION

Answers QUIT with a short saying of fortune(6). Only clients that said HELO get one: with EHLO come
programs that nobody watches. When the program is not there, the plugin does nothing.

RESULTS

quit: DONE, after `221-<me> closing connection.` and the saying, each line behind `  / `; DECLINED
for other clients, and when the program fails or takes longer than two seconds.
"""

import os

from qpsmtpd.plugin import (
    DECLINED,
    DONE,
    LOGINFO,
    LOGWARN,
    Connection,
    Plugin,
    ProcessError,
    Result,
)

_SECONDS = 2.0
_MOST = 4096
_WIDTH = 120


class QuitFortune(Plugin):
    """Is friendly."""

    args: "QuitFortune.Args"
    eager = True

    class Args:
        program: str = "/usr/games/fortune"  #: run with the option `-s`, for a short saying

    def register(self) -> None:
        """Take part only where the program is installed."""
        if os.access(self.args.program, os.X_OK):
            self.register_hook("quit", self.goodbye)
        else:
            self.log(LOGINFO, f"skip, there is no {self.args.program}")

    async def goodbye(self, connection: Connection) -> Result:
        """Send the saying."""
        if connection.hello != "helo":
            return DECLINED
        try:
            run = await self.process.run([self.args.program, "-s"], timeout=_SECONDS, limit=_MOST)
        except ProcessError as error:
            self.log(LOGWARN, f"error, {error}", connection)
            return DECLINED
        if run.code or run.timed_out:
            self.log(LOGWARN, f"error, {self.args.program} ended with {run.code}", connection)
            return DECLINED
        text = run.output.expandtabs().decode("ascii", "replace").replace("\ufffd", "?")
        lines = [f"  / {line[:_WIDTH]}" for line in text.splitlines()]
        connection.respond(221, f"{self.config.text('me')} closing connection.", *lines)
        return DONE
