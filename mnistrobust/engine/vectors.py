"""Vectors of float32 as values inside compiled functions, whatever the processor's own width.

A block product that keeps its sums in registers is out of reach of LLVM's automatic vectoriser, so
the inner loops say what they want: `load64(a, i)` is the 64 floats of the 1-d array `a` from `i`,
`+ - * /` work by lane.  LLVM splits 64 lanes into eight AVX, four AVX-512 or sixteen NEON
registers, so the same code runs everywhere.  Nothing here checks bounds.
"""

# mypy: disable-error-code="untyped-decorator, call-arg"
# ruff: noqa: ARG001, ARG002 (numba takes the signatures of intrinsics from their functions)

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.core.typing.templates import signature as typed
from numba.extending import intrinsic

_FLOAT, _I8, _I32, _I64 = ir.FloatType(), ir.IntType(8), ir.IntType(32), ir.IntType(64)


class Vector(types.Type):  # type: ignore[misc]
    """The type of `lanes` values, float32 or uint32."""

    def __init__(self, lanes: int, dtype: Any = types.float32) -> None:
        self.lanes, self.dtype = lanes, dtype
        super().__init__(name=f"Vector({lanes}, {dtype})")

    @property
    def llvm(self) -> Any:
        """The same type in LLVM."""
        return ir.VectorType(_FLOAT if self.dtype == types.float32 else _I32, self.lanes)


@register_default(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.llvm)


def _arithmetic(function: Any, instruction: str) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                return typed(args[0], *args)
            return None

    @lower_builtin(function, Vector, Vector)
    def _lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # contract: a product and a sum may become one fused multiply-add
        return getattr(builder, instruction)(*args, flags=("contract",))


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_function, _instruction)


def _address(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    # no wrap-around of negative indices, which costs two instructions a load
    return builder.gep(context.make_array(array)(context, builder, value).data, [index])


def _vector_at(context: Any, builder: Any, array: Any, value: Any, index: Any, lanes: int) -> Any:
    pointer = _address(context, builder, array, value, index)
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, lanes).as_pointer())


def _spread(builder: Any, scalar: Any, lanes: int) -> Any:
    kind = ir.VectorType(scalar.type, lanes)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, _I32(0))
    return builder.shuffle_vector(
        single,
        ir.Constant(kind, ir.Undefined),
        ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes),
    )


def _make_load(lanes: int) -> Any:
    @intrinsic
    def load(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load(_vector_at(context, builder, array, *args, lanes), align=4)

        return Vector(lanes, array.dtype)(array, types.intp), generate

    return load


def _make_fill(lanes: int) -> Any:
    @intrinsic
    def fill(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _spread(builder, args[0], lanes)

        return Vector(lanes)(types.float32), generate

    return fill


def _make_spread(lanes: int) -> Any:
    @intrinsic
    def spread(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _spread(builder, builder.load(_address(context, builder, array, *args)), lanes)

        return Vector(lanes)(array, types.intp), generate

    return spread


def _make_nonzero(lanes: int) -> Any:
    @intrinsic
    def nonzero(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = builder.load(_vector_at(context, builder, array, *args, lanes), align=4)
            zero = ir.Constant(values.type, [0.0] * lanes)
            bits = builder.fcmp_unordered("!=", values, zero)  # NaN counts as nonzero
            return builder.zext(builder.bitcast(bits, ir.IntType(lanes)), _I64)

        return types.uint64(array, types.intp), generate

    return nonzero


load8, load16, load32, load64 = (_make_load(lanes) for lanes in (8, 16, 32, 64))
fill8, fill16, fill32, fill64 = (_make_fill(lanes) for lanes in (8, 16, 32, 64))
spread8, spread16, spread32, spread64 = (_make_spread(lanes) for lanes in (8, 16, 32, 64))
nonzero32, nonzero64 = (_make_nonzero(lanes) for lanes in (32, 64))


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write `vector` to the 1-d array from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _vector_at(context, builder, array, *args[:2], vector.lanes)
        builder.store(args[2], pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def sqrt(typing: Any, vector: Any) -> Any:
    """Return the square roots."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        name = f"llvm.sqrt.v{kind.count}f32"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), name
        )
        return builder.call(function, args)

    return vector(vector), generate


@intrinsic
def lowest(typing: Any, mask: Any) -> Any:
    """Return the position of the lowest set bit of a uint64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of `array[index]`; any index is harmless."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.bitcast(_address(context, builder, array, *args), _I8.as_pointer())
        function = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [_I8.as_pointer()],
            ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32]),
        )
        builder.call(function, [pointer, _I32(1), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _make_where(relation: str) -> Any:
    @intrinsic
    def where(typing: Any, codes: Any, index: Any, code: Any, vector: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = _vector_at(context, builder, codes, *args[:2], vector.lanes)
            wanted = _spread(builder, args[2], vector.lanes)
            chosen = builder.icmp_unsigned(relation, builder.load(pointer, align=1), wanted)
            return builder.select(chosen, args[3], ir.Constant(args[3].type, None))

        return vector(codes, types.intp, codes.dtype, vector), generate

    return where


# (codes, index, code, vector): `vector` where the integers `codes[index:]` compare so, else 0
where, unless, at_least = (_make_where(relation) for relation in ("==", "!=", ">="))


@intrinsic
def larger(typing: Any, left: Any, right: Any) -> Any:
    """Return the larger value of each lane, `right` where either is NaN or both are equal."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return left(left, left), generate


@intrinsic
def where_positive(typing: Any, sign: Any, vector: Any) -> Any:
    """Return `vector` in the lanes where `sign` is positive, else 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(args[0].type, None)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[1], zero)

    return sign(sign, sign), generate


@intrinsic
def store_winner(
    typing: Any, codes: Any, index: Any, best: Any, a: Any, b: Any, c: Any, d: Any
) -> Any:
    """Write which of four vectors has the value `best`, 0 to 3, to the uint8 array `codes`.

    The first of equals wins; where `best` is not positive, 255 is written.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        top, lanes = args[2], best.lanes
        whole = ir.VectorType(_I32, lanes)
        code = ir.Constant(whole, [3] * lanes)
        for number, value in ((2, args[5]), (1, args[4]), (0, args[3])):
            equal = builder.fcmp_ordered("==", value, top)
            code = builder.select(equal, ir.Constant(whole, [number] * lanes), code)
        positive = builder.fcmp_ordered(">", top, ir.Constant(top.type, None))
        code = builder.select(positive, code, ir.Constant(whole, [255] * lanes))
        narrow = builder.trunc(code, ir.VectorType(_I8, lanes))
        builder.store(narrow, _vector_at(context, builder, codes, *args[:2], lanes), align=1)
        return context.get_dummy_value()

    return types.void(codes, types.intp, best, best, best, best, best), generate


@intrinsic
def xoshiro(typing: Any, s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    """Return 32 random bits a lane, and the next state, of xoshiro128++ generators.

    Blackman and Vigna, 2021, "Scrambled linear pseudorandom number generators".
    """
    result = types.UniTuple(s0, 5)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x0, x1, x2, x3 = args

        def by(count: int) -> Any:
            return ir.Constant(x0.type, [count] * s0.lanes)

        def rotated(x: Any, count: int) -> Any:
            return builder.or_(builder.shl(x, by(count)), builder.lshr(x, by(32 - count)))

        word = builder.add(rotated(builder.add(x0, x3), 7), x0)
        shifted = builder.shl(x1, by(9))
        x2, x3 = builder.xor(x2, x0), builder.xor(x3, x1)
        x1, x0 = builder.xor(x1, x2), builder.xor(x0, x3)
        x2, x3 = builder.xor(x2, shifted), rotated(x3, 11)
        return context.make_tuple(builder, result, (word, x0, x1, x2, x3))

    return result(s0, s0, s0, s0), generate


@intrinsic
def transpose8(
    typing: Any, array: Any, index: Any, pitch: Any, out: Any, at: Any, turned: Any
) -> Any:
    """Write the 8 x 8 block at `array[index]`, rows `pitch` apart, to `out[at]`, rows `turned` apart.

    Three rounds of pairwise shuffles, each of which every processor has as one instruction.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, start, step, target, first, stride = args

        def shuffled(left: Any, right: Any, order: list[int]) -> Any:
            mask = ir.Constant(ir.VectorType(_I32, 8), order)
            return builder.shuffle_vector(left, right, mask)

        def place(base: Any, line: int, by: Any) -> Any:
            return builder.add(base, builder.mul(by, by.type(line)))

        rows = [
            builder.load(
                _vector_at(context, builder, array, value, place(start, k, step), 8), align=4
            )
            for k in range(8)
        ]
        low, high = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
        pairs = [shuffled(rows[k], rows[k + 1], o) for k in (0, 2, 4, 6) for o in (low, high)]
        low, high = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
        fours = [
            shuffled(pairs[k + h], pairs[k + 2 + h], o)
            for k in (0, 4) for h in (0, 1) for o in (low, high)
        ]  # fmt: skip
        low, high = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
        for o, offset in ((low, 0), (high, 4)):
            for k in range(4):
                pointer = _vector_at(
                    context, builder, out, target, place(first, k + offset, stride), 8
                )
                builder.store(shuffled(fours[k], fours[k + 4], o), pointer, align=4)
        return context.get_dummy_value()

    whole = types.intp
    return types.void(array, whole, whole, out, whole, whole), generate
