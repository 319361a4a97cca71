"""One line about a whole connection, to be read at a glance and by programs."""

from collections.abc import Mapping

__all__ = ["summary"]


def summary(sent: Mapping[str, int], refused: Mapping[str, int]) -> str:
    """Write the summary of a connection.

    Args:
        sent: commands by verb.
        refused: how many of them were answered with 4xx or 5xx.

    Returns:
        ``ehlo=1 rcpt=1/2 quit=1``: each verb in the order of its first use, with the number
        accepted, and behind a slash the number sent where they differ.
    """
    words = []
    for verb, count in sent.items():
        bad = refused.get(verb, 0)
        words.append(f"{verb}={count - bad}/{count}" if bad else f"{verb}={count}")
    return " ".join(words)
