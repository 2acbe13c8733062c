"""What kernels are made with: how functions are compiled, and bytes at an address.

Nothing checks an address. A kernel reads a few bytes past a line's end, never past what its caller
laid behind the block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit, types
from numba.extending import intrinsic

_F = TypeVar("_F", bound=Callable[..., Any])
NUMBER = types.int64
COLUMN, TABLE = types.int64[::1], types.int64[:, ::1]
REALS, CODES, FLAGS = types.float64[::1], types.int32[::1], types.boolean[::1]
ODD = -7046029254386353131  # 2**64 over the golden ratio, signed: neighbours fall far apart
GIVEN = types.Array(NUMBER, 1, "A", readonly=True, aligned=False)  # however it lies in memory


def inner(function: _F) -> _F:
    """A function that is compiled into kernels: nobody calls it from outside."""
    wrapped: Any = njit(
        nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    of_types = wrapped.get_call_template

    def of_plain_types(args: Any, kws: Any) -> Any:
        """Compiled once for all numbers, not once more for each that a caller writes out."""
        return of_types(tuple(types.unliteral(arg) for arg in args), kws)

    wrapped.get_call_template = of_plain_types
    return cast("_F", wrapped)


def outer(function: Callable[..., Any]) -> Any:
    """A kernel, compiled on its first call or taken from the cache; where no folder can be written,
    there is no cache."""
    return _cached(function, nogil=True)


def together(*kinds: Any) -> Any:
    """The type of a tuple of these."""
    return types.BaseTuple.from_types(kinds)


def brief(*kinds: Any) -> Callable[[Callable[..., Any]], Any]:
    """A kernel of one signature that gives nothing back and ends soon: it keeps Python's lock,
    which others would take at every call, and hold."""

    def made(function: Callable[..., Any]) -> Any:
        return _cached(function, types.void(*kinds))

    return made


def _cached(function: Callable[..., Any], *signature: Any, nogil: bool = False) -> Any:
    try:
        return njit(*signature, nogil=nogil, error_model="numpy", _nrt=False, cache=True)(function)
    except RuntimeError:
        return njit(*signature, nogil=nogil, error_model="numpy", _nrt=False)(function)


def _instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    wrapped: Callable[..., Any] = intrinsic(function)
    return wrapped


@_instruction
def load(typing: Any, at: Any) -> Any:
    """Eight bytes at an address as a number, the first the lowest."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = context.get_value_type(types.CPointer(types.uint64))
        return builder.load(builder.inttoptr(args[0], word), align=1)

    return types.uint64(types.int64), code


@_instruction
def peek(typing: Any, at: Any) -> Any:
    """The byte at an address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = context.get_value_type(types.CPointer(types.uint8))
        return builder.zext(
            builder.load(builder.inttoptr(args[0], byte)), context.get_value_type(types.int64)
        )

    return types.int64(types.int64), code


@_instruction
def put(typing: Any, at: Any, byte: Any) -> Any:
    """Write a byte at an address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(types.CPointer(types.uint8))
        value = builder.trunc(args[1], context.get_value_type(types.uint8))
        builder.store(value, builder.inttoptr(args[0], kind))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@_instruction
def byte_of(typing: Any, marks: Any) -> Any:
    """Which byte the lowest set bit lies in; some bit is set."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zeros = builder.cttz(args[0], context.get_constant(types.boolean, 0))
        return builder.lshr(zeros, context.get_constant(types.uint64, 3))

    return types.int64(types.uint64), code
