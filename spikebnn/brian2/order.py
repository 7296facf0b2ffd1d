"""When in a tick the parts of a `MappedNet` act: in Brian2's slot "thresholds", in this order.

A source fires in that slot too, with a lower order, so what it fires in a tick is heard in that tick. Neurons send and
reset in Brian2's own slots "synapses" and "resets"; wherever a user's schedule puts those two, it is after the
spikes of one tick and before the sums of the next, so no schedule changes a spike. What a mapped network fires, another
hears in the next tick.
"""

from __future__ import annotations

SLOT = "thresholds"
HEAR = 100  # the source's spikes are latched, on the source's own clock
FIRE_INPUTS = (
    101  # lines that are active in this tick spike; Brian2's own monitors follow with the next order
)
TO_AXONS = 103  # lines arrive on axons that several sources share
FIRE_AXONS = 104
FORGET = 106  # latches and shared axons are empty again
TO_NEURONS = 107  # lines and shared axons arrive
INTEGRATE = 108  # steps 1 and 2 of the tick law
SEE = 109  # membranes are recorded: V after step 2
FIRE = 110  # step 3
SPELL = 112  # with it the bits of the numbers that spikes carry
COUNT = 113  # what the readout reads arrives at its sums
RANK = 114  # each sum's rank among all scores
JUDGE = 115
DECIDE = 116  # the winner of a finished frame spikes
CLEAR = 119
