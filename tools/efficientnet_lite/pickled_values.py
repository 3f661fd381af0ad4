"""Reads a pickle as plain data: no code that it names is imported or called.

The format: CPython's Lib/pickletools.py, which also takes the bytes apart into opcodes. A pickle is a program
for a stack machine. This one knows the opcodes that lists, dicts, tuples, texts and numbers need, and calls
only what its user gives it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

# The opcodes that push their argument, and those that push an empty container or a constant.
_PUSH_ARGUMENT = ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE")
_PUSH_NEW: Mapping[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
_TUPLE_SIZES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class UnknownContent(ValueError):
    """A pickle that asks for more than plain data, or is damaged."""


def read(
    file: BinaryIO,
    names: Mapping[str, Any] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the value of the pickle at the file's position, and leave the file behind its end.

    `names` gives what a name in the pickle ("module name") stands for: a value or a function that may be
    called. `persistent` returns the object of a reference to something outside the pickle. Raises
    UnknownContent.
    """
    machine = _Machine(names or {}, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except UnknownContent:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise UnknownContent(f"damaged pickle ({error})") from error
    raise UnknownContent("damaged pickle (it has no end)")


class _Machine:
    """The stack of values, the marks in it, and the values that the pickle refers to by number."""

    def __init__(self, names: Mapping[str, Any], persistent: Callable[[Any], Any] | None) -> None:
        self._names = names
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def step(self, opcode: str, argument: Any) -> None:
        """Carry out one opcode. Raises UnknownContent for one that plain data has no need of."""
        if opcode in _PUSH_ARGUMENT:
            self._stack.append(argument)
        elif opcode in _PUSH_NEW:
            self._stack.append(_PUSH_NEW[opcode]())
        elif opcode in _TUPLE_SIZES:
            self._stack.append(tuple(self._last(_TUPLE_SIZES[opcode])))
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif opcode != "PROTO":
            self._steps(opcode)(argument)

    def _steps(self, opcode: str) -> Callable[[Any], None]:
        steps: dict[str, Callable[[Any], None]] = {
            "MARK": self._mark,
            "TUPLE": self._tuple,
            "APPENDS": self._append_all,
            "SETITEM": self._set_item,
            "SETITEMS": self._set_items,
            "GLOBAL": self._name,
            "REDUCE": self._call,
            "BUILD": self._leave_out_attributes,
            "BINPERSID": self._refer,
        }
        if opcode not in steps:
            raise UnknownContent(f"the pickle has the opcode {opcode}, which plain data does not need")
        return steps[opcode]

    def _mark(self, _: None) -> None:
        self._marks.append(len(self._stack))

    def _tuple(self, _: None) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _append_all(self, _: None) -> None:
        values = self._since_mark()
        self._stack[-1].extend(values)

    def _set_item(self, _: None) -> None:
        key, value = self._last(2)
        self._stack[-1][key] = value

    def _set_items(self, _: None) -> None:
        values = self._since_mark()
        self._stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def _name(self, name: str) -> None:
        if name not in self._names:
            raise UnknownContent(f"the pickle names '{name}', which is not plain data")
        self._stack.append(self._names[name])

    def _call(self, _: None) -> None:
        function, arguments = self._last(2)
        self._stack.append(function(*arguments))

    def _leave_out_attributes(self, _: None) -> None:
        """Drop the attributes that an object is given, such as a state dict's `_metadata`."""
        self._stack.pop()

    def _refer(self, _: None) -> None:
        if self._persistent is None:
            raise UnknownContent("the pickle refers to something outside it")
        self._stack.append(self._persistent(self._stack.pop()))

    def _last(self, count: int) -> list[Any]:
        """Take the last `count` values off the stack."""
        values = self._stack[-count:]
        if len(values) < count:
            raise IndexError("a value is missing")
        del self._stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        """Take the values since the last mark off the stack."""
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values
