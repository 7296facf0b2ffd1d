"""A lower bound on cores: what columns, axons, outgoing edges and synapse memory add up to, whoever packs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.partition.bundle import pieces
from spikebnn.partition.copies import column_signals, reach
from spikebnn.partition.discrepancy import Columns, axons_of, columns_of
from spikebnn.partition.memory import run_bits
from spikebnn.partition.merge import MERGE
from spikebnn.partition.pulse import values_of
from spikebnn.partition.types import Bank, Partition
from spikebnn.program import SUBTRACT
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP

LONG = 4096  # synapses of one signal up to which their memory is exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Cores that each resource asks for by itself; 0 where the target has no such limit."""

    columns: float
    axons: float
    edges: float
    bits: float
    banks: tuple[float, ...] = ()  # columns of each bank, in cores

    @property
    def cores(self) -> int:
        """Cores below which no mapping of these neurons can go."""
        return max((int(np.ceil(value)) for value in (self.columns, self.axons, self.edges, self.bits)), default=0)

    @property
    def shares(self) -> Mapping[str, float]:
        """Cores by resource, the one that decides first."""
        named = {"neurons": self.columns, "axons": self.axons, "edges": self.edges, "synapse memory": self.bits}
        order = sorted((name for name in named if named[name]), key=lambda name: -named[name])
        return MappingProxyType({name: round(named[name], 3) for name in order})


def lower_bound(banks: Sequence[Bank], heard: Array, target: Target, sharp: bool = False) -> Bound:
    """The bound for neurons as they are split and relayed; `heard` (signals,) is 1 where the host reads.

    It holds for every way to put the neurons and their copies on cores, also for cores that share axons between
    banks, as long as an axon type of a crossbar is one weight for all neurons of its core. Each step counts the least
    that is possible, from the readout backward:

    - A core has N columns, so d columns that read a signal through a weight sit on at least d / N cores, and each of
      those spends an axon of its own on that signal and weight (on a list: on that signal).
    - Few columns share all of their axons where signs are mixed. If `sharp`, `discrepancy` says how many axons the signals
      of each bank take together at least; that may be more than the sum of what each asks for by itself, and takes longer.
    - Each such axon is fed by one column. A column that may feed a axons, or reach c cores, has to have as many
      copies as its axons or cores take; all of them are columns, and read in their turn.
    - An axon that merges several neurons is fed by a column of each of them; it takes no column itself.
    - The d synapses of one signal take at least the memory of one list of d in the cheapest blocks: a list on each of
      several cores is one more way to cut the d synapses into blocks, and delays and indices only add to it.
    - The sums over all neurons, divided by what one core has, bound the cores; the largest of them is taken.

    Control lines are left out: banks might share them.
    """
    room = target.core.neurons
    crossbar = target.synapse.format == "crossbar"
    per_axons, per_cores = reach(target)
    readers: dict[int, I64] = {}  # weight -> columns that read each signal through it; lists: one entry, 0
    columns: list[Columns] = []  # of the banks behind, where signs are looked at
    edges = axons = 0
    each: list[int] = []
    asked = [0] * len(banks)  # axons that merge with others', beyond those of single neurons
    through = np.zeros((2, len(heard)), np.int64)  # axons that merge with others', and cores that they are on at least
    for index in range(len(banks) - 1, -1, -1):
        bank = banks[index]
        mine = slice(bank.first, bank.first + bank.neurons)
        wanted, most = through[0, mine].copy(), through[1, mine].copy()
        for count in readers.values():
            wanted += -(-count[mine] // room)
            most = np.maximum(most, -(-count[mine] // room))
        alone = int(wanted.sum())
        read = axons_of(columns, mine.start, mine.stop, readers, room)
        axons += read
        more = asked[index] + read - (alone - int(through[0, mine].sum()))
        if bank.role == MERGE:
            row, at = np.nonzero(bank.synapses.taps != NO_TAP)
            feeder = bank.synapses.taps[row, at]
            through[0] += np.bincount(feeder, wanted[row], len(heard)).astype(np.int64)
            np.maximum.at(through[1], feeder, most[row])
            asked[_source(banks, int(feeder[0]))] += more * int(np.bincount(row).min())
            each.append(0)
            continue
        copies = np.minimum(wanted, 1)
        if per_axons is not None:
            copies = -(-wanted // per_axons)
        elif per_cores is not None:
            copies = -(-most // per_cores)
        copies = np.maximum(copies, heard[mine])
        edges += int(most.sum())
        least = int(copies.sum())
        if per_axons is not None:
            least = max(least, -(-(alone + more) // per_axons))
        each.append(least * (target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1))
        values = values_of(bank.synapses.weight) if crossbar else ()
        if sharp and crossbar and copies.any() and (found := columns_of(bank, copies, len(heard))) is not None:
            columns.append(found)
        for times in np.unique(copies[copies > 0]).tolist():
            cut = pieces(bank, copies == times, values, len(heard), 1 << 60)
            kind, signal = np.divmod(cut.key, len(heard))
            for which, value in enumerate(values or (0,)):
                tapped = signal[kind == which]
                if not len(tapped):
                    continue
                low, high = int(tapped.min()), int(tapped.max()) + 1
                count = np.bincount(tapped - low, cut.nnz[kind == which] * times)
                readers.setdefault(value, np.zeros(len(heard), np.int64))[low:high] += count.astype(np.int64)
    inputs = min((bank.first for bank in banks), default=0)
    axons += axons_of(columns, 0, inputs, readers, room)
    return Bound(
        columns=sum(each) / room,
        axons=axons / target.core.axons,
        edges=edges / target.core.output_edges if target.core.output_edges else 0.0,
        bits=_memory(readers, target),
        banks=tuple(columns / room for columns in reversed(each)),
    )


def heard_of(partition: Partition) -> I64:
    """1 for signals that the host reads, 0 for others; (signals,)."""
    first = np.append(0, np.cumsum([shard.columns for shard in partition.shards])).astype(np.int64)
    says = column_signals(partition.banks, partition.shards)
    heard = np.zeros(max([partition.inputs, *(bank.first + bank.neurons for bank in partition.banks)]), np.int64)
    heard[says[first[partition.outputs[:, 1]] + partition.outputs[:, 2]]] = 1
    return heard


def _source(banks: Sequence[Bank], signal: int) -> int:
    """The bank of a neuron."""
    return next(index for index, bank in enumerate(banks) if bank.first <= signal < bank.first + bank.neurons)


def _memory(readers: dict[int, I64], target: Target) -> float:
    """Synapse memory of all lists in cores."""
    if target.synapse.format != "list" or target.core.synapse_bits is None or not readers:
        return 0.0
    count = sum(readers.values())
    table = run_bits(target.synapse, target.synapse.weight_bits, LONG)
    least = float((table[1:] / np.arange(1, LONG + 1)).min())
    bits = np.where(count <= LONG, table[np.minimum(count, LONG)], count * least)
    return float(bits.sum()) / target.core.synapse_bits
