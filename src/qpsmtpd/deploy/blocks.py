"""Which rows of the scoreboard belong to which generation."""

from qpsmtpd.deploy.pidfile import alive
from qpsmtpd.deploy.scoreboard import Scoreboard

__all__ = ["Blocks"]


class Blocks:
    """Equal shares of the rows; one is free again when no worker of its generation lives."""

    __slots__ = ("_board", "_free", "_left", "width")

    def __init__(self, board: Scoreboard, count: int) -> None:
        """Cut the scoreboard.

        Args:
            board: all rows.
            count: how many shares.
        """
        self._board = board
        self.width = board.rows // count  #: rows in each
        self._free = [range(n * self.width, (n + 1) * self.width) for n in range(count)][::-1]
        self._left: list[range] = []

    def take(self) -> range | None:
        """A share nobody uses, or None."""
        return self._free.pop() if self._free else None

    def leave(self, rows: range) -> None:
        """Give a share back; workers that outlived their generation may still write to it."""
        self._left.append(rows)
        self.tidy()

    def tidy(self) -> None:
        """Clear and free the shares in which nobody lives any more."""
        for rows in self._left[:]:
            if not any(alive(self._board.get("pid", row)) for row in rows):
                for row in rows:
                    self._board.clear(row)
                self._left.remove(rows)
                self._free.append(rows)
