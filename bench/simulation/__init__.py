"""The laboratory of the scheduler: the real `routing/core` and its peers' policies on simulated servers.

    python -m bench.simulation mix1.5 owner --seeds 100-105 --policies ours,llmd --jobs 2

Classes are the product's: 5 is the highest. Times are in seconds, lengths in tokens.
"""
