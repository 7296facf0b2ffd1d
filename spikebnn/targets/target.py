"""`Target`: what a chip can hold and what its events cost, read from a TOML file with a source for every number.

The mapper knows kinds of constraint, never a chip's name. A limit that does not exist on a chip is
absent in its file and None here; a cost that nobody has published is absent too, and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its uncertainty and its source; SI units."""

    v: float
    lo: float
    hi: float
    unit: str
    src: str
    kind: str  # measured | spice | fitted | vendor | derived | assumed | quoted
    cond: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a structural limit comes from: keys of `Target.refs`, how it is known, and under which condition."""

    src: str
    kind: str
    cond: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The grid of cores: core (x, y) of a chip, x in 0..width-1. Several chips stand in a row along x."""

    width: int
    height: int
    chips: int = 1  # how many chips a mapping may use
    reach: tuple[int, int] | None = None  # furthest core in x and y that a packet can address
    dead_cores: tuple[tuple[int, int], ...] = ()
    cores_per_tile: int = 1  # cores sharing one router; hops are counted between tiles


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreLimits:
    """What one core can hold."""

    neurons: int
    axons: int
    neurons_per_subtract: int = 1  # physical neurons that one subtractive reset costs (Loihi: 2)
    output_edges: int | None = None  # (neuron, destination core) pairs that leave a core
    synapse_bits: int | None = None  # synapse memory, for list formats
    axon_merges: bool = False  # several neurons may feed one axon, which is on when any of them fires; else one alone


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseRule:
    """How synapses are stored: "crossbar" (a bit per axon and neuron, weight by axon type) or "list" (words per axon)."""

    format: str
    axon_types: int | None = None  # crossbar: weights per neuron, chosen by the axon's type
    weight_min: int = -1
    weight_max: int = 1
    weight_bits: int = 1  # list: bits per stored synapse for weights in -1, 0, +1
    block: int = 64  # list: synapses per block
    block_overhead_bits: int = 10
    word_bits: int = 64  # each block is rounded up to whole words
    index_bits: tuple[int, ...] = (0,)  # list: 0 for dense runs, else a width that can number the core's neurons
    delay_bits: int = 0  # list: further bits per stored synapse on an axon whose delay is not neuron.delay_min


@dataclass(frozen=True, slots=True, kw_only=True)
class FanRule:
    """Limits on the connections of one neuron."""

    fan_in: int | None = None  # synapses per neuron; None: only core limits
    cores_per_neuron: int | None = None  # destination cores of one neuron
    axons_per_neuron: int | None = None  # destination axons of one neuron over all cores (TrueNorth: 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronRule:
    """Arithmetic of a neuron."""

    v_bits: int
    threshold_min: int
    threshold_max: int
    bias_min: int  # the constant that a memoryless neuron adds each tick; its threshold is 1 - bias
    bias_max: int
    resets: tuple[str, ...]  # of "memoryless", "zero", "subtract", "none"
    floors: tuple[str, ...]  # of "saturate", "clear"
    delay_min: int = 1
    delay_max: int = 1
    membrane_readout: bool = False  # the host can read V
    graded_bits: int | None = None  # of the number that a spike can carry; None: spikes are bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One chip, or one preset of a chip."""

    name: str
    title: str
    vendor: str
    family: str  # presets of one chip share it
    topology: Topology
    core: CoreLimits
    synapse: SynapseRule
    fan: FanRule
    neuron: NeuronRule
    timing: Mapping[str, Quantity] = field(default_factory=lambda: MappingProxyType({}))
    energy: Mapping[str, Quantity] = field(default_factory=lambda: MappingProxyType({}))
    voltage: Mapping[str, Quantity] = field(default_factory=lambda: MappingProxyType({}))  # see `spikebnn.energy.voltage`
    included: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # cost -> where it is contained
    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))  # "core.neurons" -> source
    refs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # source key -> citation
    left_out: tuple[str, ...] = ()  # what the energy model does not know, in words
    digest: str = ""  # sha256 of the file, and of the files it extends


def tile_shape(topology: Topology) -> tuple[int, int]:
    """Width and height in cores of the block that shares one router: as square as possible, wider than high."""
    high = max(n for n in range(1, topology.cores_per_tile + 1) if topology.cores_per_tile % n == 0
               and n * n <= topology.cores_per_tile)
    return topology.cores_per_tile // high, high


def hops(topology: Topology, a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple[int, int, int]:
    """Hops in x and in y between the routers of two cores, and the chip borders crossed; a core is (chip, x, y).

    Packets travel in x first, then in y. Chips stand in a row along x, and no router serves two of them.
    """
    wide, high = tile_shape(topology)
    per_chip = -(-topology.width // wide)  # routers in a row of one chip
    column = [core[0] * per_chip + core[1] // wide for core in (a, b)]
    return abs(column[0] - column[1]), abs(a[2] // high - b[2] // high), abs(a[0] - b[0])
