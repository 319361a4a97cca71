"""The benchmark: this server and its peers under the same work, as ratios."""
