"""Fuzz for a while: ``python -m tests.fuzz --seconds 600 --seed 1``."""

import argparse
import random
import sys
import time

from tests.fuzz.session import fuzz, mutate, seeds


def main() -> int:
    """Run mutations until the time is over or one breaks the rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    dice, corpus = random.Random(chosen.seed), seeds()
    end, count = time.monotonic() + chosen.seconds, 0
    while time.monotonic() < end:
        data = mutate(dice, corpus)
        try:
            fuzz(data)
        except Exception:
            sys.stderr.write(f"seed {chosen.seed}, input {count}: {data!r}\n")
            raise
        count += 1
    sys.stdout.write(f"seed {chosen.seed}: {count} inputs, no trouble\n")
    return 0


sys.exit(main())
