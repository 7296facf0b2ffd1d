"""`--fail-if`: a tiny language of comparisons over a score's numbers, parsed here and never evaluated as Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from spikebnn.baseline import lost_to
from spikebnn.errors import InputError
from spikebnn.interval import wilson
from spikebnn.score import Score

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:%|[A-Za-zµ]+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9.]*)"
    r"|(?P<sign><=|>=|==|!=|[<>()+\-*/]))"
)
_COMPARE = ("<", "<=", ">", ">=", "==", "!=")
_UNITS = ("J", "s", "W", "Hz")
_PREFIXES = {
    "": 1.0,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
}
_DEEP = 50  # nested parentheses
BASE = "base."


def numbers(score: Score) -> dict[str, float | None]:
    """What an expression may name; None is unknown. Events and energies are per frame, in SI units.

    energy.hi is the upper end of what is known; energy.at_least is 1 where some cost is unknown, else 0.
    accuracy.lo and .hi are the 95 % interval for so many frames; quick.* is the energy at the fastest tick, rated.*
    and power.* are those at the frame rate that the score names; item.NAME.* are the lines of the bill.
    baselines.lost counts the conventional baselines that are sure to cost less.
    """
    frames = score.frames or None
    out: dict[str, float | None] = {
        "accuracy": score.accuracy, "correct": score.correct, "frames": score.frames,
        "cores": len(score.cores), "chips": score.chips, "synapses": score.synapses,
        "neurons": sum(core.neurons for core in score.cores),
        "latency.ticks": score.timing.latency, "latency.s": score.timing.latency_s,
        "period.ticks": score.timing.period, "frames_per_s": score.timing.frames_per_s,
        "energy.at_least": float(score.energy.at_least),
    }  # fmt: skip
    told = score.agreement
    out["agreement.classes"] = told.classes / frames if told is not None and frames else None
    out["agreement.scores"] = (
        told.scores / frames if told is not None and told.scores is not None and frames else None
    )
    for name in ("spikes", "synaptic_events", "updates", "messages", "hops"):
        out[name] = getattr(score, name) / frames if frames else None
    energy, duty = score.energy, score.duty
    right = wilson(score.correct, score.frames) if score.correct is not None and frames else None
    out["accuracy.lo"], out["accuracy.hi"] = (None, None) if right is None else (right.lo, right.hi)
    ours = energy.per_frame(energy.total)
    out["baselines.lost"] = None if ours is None else float(len(lost_to(score)))
    out["rate"] = score.rate
    spans = {
        "energy": energy.per_frame(energy.total),
        "marginal": energy.per_frame(energy.marginal),
        "fastest_tick": score.timing.fastest,
        "fastest_latency": score.timing.latency_fastest,
        "quick": None if score.timing.fastest is None else energy.at_ticks(score.timing.fastest),
        "rated": None if duty is None else duty.per_frame,
        "power": None if duty is None else duty.power,
        **{f"item.{item.name}": energy.per_frame(item.joules) for item in energy.items},
    }
    for name, part in spans.items():
        for end in ("lo", "v", "hi"):
            out[f"{name}.{end}"] = None if part is None else float(getattr(part, end))
    return out


def holds(expression: str, values: Mapping[str, float | None], label: str = "the score") -> bool:
    """Whether an expression is true of these values.

    Comparisons (< <= > >= == !=) of numbers, names and their + - * / are joined by `and`, `or`, `not` and parentheses.
    Raises InputError for anything else, and for a name whose value is unknown: a gate must not pass by ignorance.
    """
    return _Reader(expression, values, label).whole()


class _Reader:
    """Recursive descent over one expression."""

    def __init__(self, text: str, values: Mapping[str, float | None], label: str) -> None:
        self.text, self.values, self.label, self.depth, self.at = text, values, label, 0, 0
        self.tokens = _tokens(text)

    def whole(self) -> bool:
        value = self._either()
        if self.at < len(self.tokens):
            raise self._wrong("the end")
        return value

    def _either(self) -> bool:
        value = self._both()
        while self._take("or"):
            right = self._both()
            value = value or right
        return value

    def _both(self) -> bool:
        value = self._one()
        while self._take("and"):
            right = self._one()
            value = value and right
        return value

    def _one(self) -> bool:
        if self._take("not"):
            self._deeper()
            return not self._one()
        start = self.at
        if self._take("("):
            try:  # a parenthesis opens a condition or a sum; try the condition first
                self._deeper()
                value = self._either()
                if self._take(")") and self._peek() not in (*_COMPARE, "+", "-", "*", "/"):
                    return value
            except _NotThisWay:
                pass
            self.at = start
        left = self._sum()
        sign = self._peek()
        if sign not in _COMPARE:
            raise self._wrong("a comparison such as > or <=")
        self.at += 1
        return _compare(left, sign, self._sum())

    def _sum(self) -> float:
        value = self._product()
        while (sign := self._peek()) in ("+", "-"):
            self.at += 1
            right = self._product()
            value = value + right if sign == "+" else value - right
        return value

    def _product(self) -> float:
        value = self._number()
        while (sign := self._peek()) in ("*", "/"):
            self.at += 1
            right = self._number()
            if sign == "/" and right == 0:
                raise InputError(f"--fail-if {self.text!r} divides by zero for {self.label}")
            value = value * right if sign == "*" else value / right
        return value

    def _number(self) -> float:
        if self._take("-"):
            self._deeper()
            return -self._number()
        if self._take("("):
            self._deeper()
            value = self._sum()
            if not self._take(")"):
                raise self._wrong(")")
            return value
        token = self._peek()
        if token is None or not (token[0].isalnum() or token[0] in "._"):
            raise self._wrong("a number or a name")
        if token in ("and", "or", "not"):
            raise self._wrong("a number or a name")
        self.at += 1
        return self._plain(token) if token[0].isdigit() or token[0] == "." else self._value(token)

    def _plain(self, token: str) -> float:
        """A number, times its unit where one is written to it: 2uJ, 5 ms would be two words, 95%."""
        unit = re.search(r"(%|[A-Za-zµ]*)$", re.sub(r"[eE][+-]?\d+$", "", token))
        written = "" if unit is None else unit.group()
        value = float(token.removesuffix(written))
        if written in ("", "%"):
            return value / 100 if written else value
        name = next((name for name in _UNITS if written.endswith(name)), None)
        prefix = written.removesuffix(name) if name is not None else ""
        if name is None or prefix not in _PREFIXES:
            raise InputError(
                f"--fail-if {self.text!r}: {token!r} has no unit that is known; units are {', '.join(_UNITS)} and %, "
                f"with {', '.join(key for key in _PREFIXES if key)} before them, as in 2uJ"
            )
        return value * _PREFIXES[prefix]

    def _value(self, name: str) -> float:
        if name not in self.values:
            near = get_close_matches(name, self.values, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            known = ", ".join(key for key in self.values if not key.startswith(BASE))
            raise InputError(
                f"--fail-if knows no {name!r}{hint}; known are {known}, and {BASE}NAME for the first score"
            )
        value = self.values[name]
        if value is None:
            raise InputError(f"--fail-if cannot be decided: {name} is unknown for {self.label}")
        return value

    def _peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self.at += 1
        return True

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEP:
            raise InputError(f"--fail-if {self.text[:40]!r}... is nested more than {_DEEP} deep")

    def _wrong(self, wanted: str) -> InputError:
        found = repr(self._peek()) if self._peek() is not None else "the end"
        return _NotThisWay(f"--fail-if {self.text!r}: {wanted} is wanted where {found} stands")


class _NotThisWay(InputError):
    """A parse that failed; caught where there is a second way to read a parenthesis."""


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise InputError(f"--fail-if {text!r}: {text[at:].strip()[0]!r} has no meaning here")
        tokens.append(match.group().strip())
        at = match.end()
    if not tokens:
        raise InputError('--fail-if is empty; try --fail-if "energy.hi > 2e-6"')
    return tokens


def _compare(left: float, sign: str, right: float) -> bool:
    if sign in ("==", "!="):
        return (left == right) == (sign == "==")
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]
