"""The fast engine: the daemon's order handling and switches as compiled kernels around the same decision.

It does what `core.engine` does with a venue that answers every request, event for event; a test holds
the two against each other. What a tape shows to every daemon alike is found once (`scout`, `trail`,
`feed`); a daemon and its venue follow that and stop only where something calls for it (`follow`, `fed`,
`loop`). What a venue can do wrong (lost requests, unknown outcomes, a silent stream) has no place here.
"""
