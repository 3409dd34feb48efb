"""Vector code for the recurrent engine: arithmetic on lanes, and a matrix product in registers.

Matrices lie in *panels*, `[columns / WIDTH][rows][WIDTH]`: one row of a panel fills two vector
registers, and all strides inside a product are constants.  The loops are written as LLVM vector
instructions, because LLVM's own vectoriser neither keeps a block of a product in registers nor
accepts loops over as many arrays as a gate has.  LLVM splits vectors that are longer than the
processor's, so the same code runs everywhere.
"""

# ruff: noqa: ARG001 (numba takes the signatures of intrinsics from their Python functions)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = 16 if llvmlite.binding.get_host_cpu_features().get("avx512f", False) else 8
WIDTH = 2 * LANES  # columns of a panel
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT = ir.IntType(64)
_BYTES = 4


class Lanes:
    """A vector of `LANES` float32 in code that is being generated; arithmetic emits instructions."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def _emit(self, instruction: str, left: Any, right: Any) -> Lanes:
        make = getattr(self.builder, instruction)
        # contract fuses multiply and add; NaN and infinity keep their meaning
        return Lanes(self.builder, make(left.value, right.value, flags=("contract",)))

    def _lift(self, other: Lanes | float) -> Lanes:
        if isinstance(other, Lanes):
            return other
        return Lanes(self.builder, _constant(other))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._emit("fadd", self, self._lift(other))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._emit("fsub", self, self._lift(other))

    def __rsub__(self, other: float) -> Lanes:
        return self._emit("fsub", self._lift(other), self)

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._emit("fmul", self, self._lift(other))

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._emit("fdiv", self, self._lift(other))

    __radd__, __rmul__ = __add__, __mul__

    def product(self, other: Lanes) -> Lanes:
        """Return `self * other` rounded for itself: of two products in a sum, one may be fused.

        Which one LLVM would fuse is open, and may differ between two compilations.
        """
        return Lanes(self.builder, self.builder.fmul(self.value, other.value))

    def where(self, relation: str, other: Lanes | float, yes: Any, no: Any) -> Lanes:
        """Return `yes` where `self relation other` holds and `no` elsewhere; NaN never holds."""
        holds = self.builder.fcmp_ordered(relation, self.value, self._lift(other).value)
        yes, no = self._lift(yes).value, self._lift(no).value
        return Lanes(self.builder, self.builder.select(holds, yes, no))


def tanh(*values: Lanes) -> list[Lanes]:
    """Return tanh of each as the rational function of degree 9 / 8 that Eigen uses too.

    Its relative error is below 4e-7; outside +-7.905 float32 tanh is +-1.  NaN stays NaN.
    The functions go in step, so that they share constants and none waits for its own last result.
    """
    limit = 7.90531110763549805
    x = [v.where(">", limit, limit, v) for v in values]
    x = [v.where("<", -limit, -limit, v) for v in x]
    squares = [v * v for v in x]
    above = [s * 1.394553628e-8 + 2.102733560e-5 for s in squares]
    for term in (3.520756727e-3, 1.340216100e-1, 1.0):
        above = [v * s + term for v, s in zip(above, squares, strict=True)]
    below = [s * 8.015776984e-7 + 3.326951409e-4 for s in squares]
    for term in (2.597254514e-2, 4.673548340e-1, 1.0):
        below = [v * s + term for v, s in zip(below, squares, strict=True)]
    return [v * top / bottom for v, top, bottom in zip(x, above, below, strict=True)]


def gates(i: Lanes, f: Lanes, g: Lanes, o: Lanes) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Return sigmoid(i), sigmoid(f), tanh(g), sigmoid(o); the error of sigmoid is below 1e-7."""
    i, f, g, o = tanh(i * 0.5, f * 0.5, g, o * 0.5)
    return i * 0.5 + 0.5, f * 0.5 + 0.5, g, o * 0.5 + 0.5


def lanewise(body: Callable[..., tuple[Lanes | float, ...]]) -> Any:
    """Make a compiled loop from arithmetic on lanes.

    The result is called as `loop(n, sources, targets)`: with a count of floats, a multiple of
    `LANES`, and two tuples of addresses, of the arrays that `body` takes and of those it returns.
    All sources of a vector are read before its targets are written, so that a target may be a
    source. Addresses are integers, as in `array.ctypes.data`.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def loop(typingctx: Any, n: Any, sources: Any, targets: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, _: Any, args: Any) -> Any:
            n, sources, targets = args
            pointer = _VECTOR.as_pointer()
            reads, writes = (
                [builder.inttoptr(a, pointer) for a in cgutils.unpack_tuple(builder, packed)]
                for packed in (sources, targets)
            )
            with cgutils.for_range(builder, builder.udiv(n, _INT(LANES)), intp=_INT) as step:
                index = [step.index]
                values = (builder.load(builder.gep(p, index), align=_BYTES) for p in reads)
                results = body(*(Lanes(builder, value) for value in values))
                for address, result in zip(writes, results, strict=True):
                    value = _constant(result) if isinstance(result, float) else result.value
                    builder.store(value, builder.gep(address, index), align=_BYTES)
            return context.get_dummy_value()

        return types.void(types.intp, sources, targets), generate

    return loop


def tile(height: int, *, transposed: bool) -> Any:
    """Make the product of `height` rows with one panel, whose result stays in registers.

    It is called as `product(a, b, c, total, chunk, step_a, step_b, add)`. `a`, `b` and `c` are
    addresses; `b` and `c` of panels, `a` of a panel whose rows are those of the result, or, where
    `transposed`, whose columns are. `total` terms are added up in chunks of `chunk`; from chunk to
    chunk the addresses advance by `step_a` and `step_b` bytes. `add` keeps what is in `c`.
    """
    per_row, per_term = (1, WIDTH) if transposed else (WIDTH, 1)
    vectors = WIDTH // LANES
    cells = [(row, vector) for row in range(height) for vector in range(vectors)]

    @intrinsic  # type: ignore[untyped-decorator]
    def product(
        typingctx: Any,
        a: Any,
        b: Any,
        c: Any,
        total: Any,
        chunk: Any,
        step_a: Any,
        step_b: Any,
        add: Any,
    ) -> Any:
        def generate(context: Any, build: ir.IRBuilder, _: Any, args: Any) -> Any:
            a, b, c, total, chunk, step_a, step_b, add = args
            entry = build.block
            keep, outer, inner, latch, done = (
                build.append_basic_block(name)
                for name in ("keep", "outer", "inner", "latch", "done")
            )

            def phis(*values: tuple[ir.Value, ir.Block]) -> ir.Value:
                phi = build.phi(values[0][0].type)
                for value, block in values:
                    phi.add_incoming(value, block)
                return phi

            target = build.inttoptr(c, _VECTOR.as_pointer())
            places = [build.gep(target, [_INT(row * vectors + vector)]) for row, vector in cells]
            build.cbranch(build.icmp_signed("!=", add, _INT(0)), keep, outer)
            build.position_at_end(keep)
            kept = [build.load(place, align=_BYTES) for place in places]
            build.branch(outer)

            build.position_at_end(outer)
            zero = _constant(0.0)
            starts = [phis((x, entry), (x, keep)) for x in (a, b, total)]
            sums = [phis((zero, entry), (x, keep)) for x in kept]
            left = starts[2]
            count = build.select(build.icmp_signed("<", left, chunk), left, chunk)
            build.branch(inner)

            build.position_at_end(inner)
            here = [phis((x, outer)) for x in (*starts[:2], count)]
            running = [phis((x, outer)) for x in sums]
            column = build.inttoptr(here[0], _FLOAT.as_pointer())
            row_b = build.inttoptr(here[1], _VECTOR.as_pointer())
            panel = [build.load(build.gep(row_b, [_INT(v)]), align=_BYTES) for v in range(vectors)]
            results = []
            for (row, vector), value in zip(cells, running, strict=True):
                if vector == 0:
                    scalar = build.load(build.gep(column, [_INT(row * per_row)]), align=_BYTES)
                    factor = _spread(build, scalar)
                term = build.fmul(factor, panel[vector], flags=("contract",))
                results.append(build.fadd(term, value, flags=("contract",)))
            later = [
                build.add(here[0], _INT(per_term * _BYTES)),
                build.add(here[1], _INT(WIDTH * _BYTES)),
                build.sub(here[2], _INT(1)),
            ]
            for phi, value in zip((*here, *running), (*later, *results), strict=True):
                phi.add_incoming(value, inner)
            build.cbranch(build.icmp_signed("!=", later[2], _INT(0)), inner, latch)

            build.position_at_end(latch)
            later = [
                build.add(starts[0], step_a),
                build.add(starts[1], step_b),
                build.sub(left, count),
            ]
            for phi, value in zip((*starts, *sums), (*later, *results), strict=True):
                phi.add_incoming(value, latch)
            build.cbranch(build.icmp_signed(">", later[2], _INT(0)), outer, done)

            build.position_at_end(done)
            for place, value in zip(places, results, strict=True):
                build.store(value, place, align=_BYTES)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return product


def _constant(value: float) -> ir.Value:
    return ir.Constant(_VECTOR, [value] * LANES)


def _spread(build: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = build.insert_element(undefined, scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return build.shuffle_vector(first, undefined, zeros)
