"""Generate encoder and decoder of a schema as straight-line Python, several times faster than fastavro.

The source is written from the parsed Avro schema and executed once per process, as `dataclasses` does. It covers the
types that our contracts use, writes exactly fastavro's bytes (the tests compare them) and accepts no others:
lengths, union branches and numbers have one encoding each. Older versions go through fastavro's resolution.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import lru_cache
from itertools import count
from struct import Struct
from typing import Any, TypeVar, cast

from schemas import records
from schemas.avro import CRC_FIELD

T = TypeVar("T")

Encoder = Callable[[Any], list[bytes]]
"""A record to the pieces of its body, without the checksum."""
Decoder = Callable[[bytes, int, int], Any]
"""Bytes, start and end of a body to the record; raises one of DAMAGE."""

_DOUBLE = Struct("<d")
_CACHED_LONGS = 4096


@lru_cache(maxsize=_CACHED_LONGS)
def write_long(value: int) -> bytes:
    """Zigzag variable-length encoding; raises OverflowError past 64 bits. Cached: a record repeats its versions."""
    if not -(2**63) <= value < 2**63:
        raise OverflowError(f"{value} does not fit in 64 bits")
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


@lru_cache(maxsize=_CACHED_LONGS)
def write_int(value: int) -> bytes:
    """`write_long` of a number that has to fit in 32 bits."""
    if not -(2**31) <= value < 2**31:
        raise OverflowError(f"{value} does not fit in 32 bits")
    return write_long(value)


def read_unsigned(data: bytes, pos: int) -> tuple[int, int]:
    """The variable-length number at `pos` and the position after it; ValueError unless in its shortest form."""
    shift = value = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    if (byte == 0 and shift) or value >= 2**64:
        raise ValueError("a number in no proper form")
    return value, pos


_longs: dict[bytes, int] = {}


def read_long(data: bytes, pos: int) -> tuple[int, int]:
    """The zigzag number at `pos` and the position after it; versions (eight bytes) are looked up first."""
    raw = data[pos : pos + 8]
    known = _longs.get(raw)
    if known is not None:
        return known, pos + 8
    value, end = read_unsigned(data, pos)
    value = (value >> 1) ^ -(value & 1)
    if end - pos == 8:
        if len(_longs) >= _CACHED_LONGS:
            _longs.clear()
        _longs[raw] = value
    return value, end


def read_int(data: bytes, pos: int) -> tuple[int, int]:
    """`read_long` of a number that has to fit in 32 bits; ValueError otherwise, since no writer writes it."""
    value, end = read_long(data, pos)
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{value} does not fit in 32 bits")
    return value, end


def compile_codec(schema: dict[str, Any]) -> tuple[Encoder, Decoder]:
    """The encoder and decoder of a record schema whose names are those of `schemas.records`.

    Raises ValueError, AttributeError or NotImplementedError for a schema that those records do not fit.
    """
    source = _Source()
    return source.encoder(schema), source.decoder(schema)


def constructor(cls: type[T]) -> type[T]:
    """Generate a function that makes a frozen record from keywords, at half the cost of the class's `__init__`.

    It sets fields by their slot descriptors, since a frozen class's `__setattr__` refuses.
    """
    source = _Source()
    parameters = []
    for field in fields(cls):  # type: ignore[arg-type]
        default = (
            "" if field.default is MISSING else f"={source.bind(f'default_{field.name}', field.default)}"
        )
        parameters.append(f"{field.name}{default}")
    lines = [f"def make({', '.join(parameters)}):", f" made = new({source.bind(cls.__name__, cls)})"]
    lines += [f" {source.setter(cls, field.name)}(made, {field.name})" for field in fields(cls)]  # type: ignore[arg-type]
    return cast("type[T]", source.run([*lines, " return made"], "make"))


class _Source:
    """Generates lines of Python and runs them with the names that they use."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "write_long": write_long,
            "write_int": write_int,
            "read_unsigned": read_unsigned,
            "read_long": read_long,
            "read_int": read_int,
            "unpack": _DOUBLE.unpack_from,
            "pack": _DOUBLE.pack,
            "new": object.__new__,
        }
        self._ids = count()

    def run(self, lines: list[str], name: str) -> Any:
        """Execute the lines and return what they define under `name`."""
        exec("\n".join(lines), self._names)  # noqa: S102 (written above, from our own schemas)
        return self._names[name]

    def setter(self, cls: type[Any], field: str) -> str:
        """Bind the field's slot setter, which works on a frozen dataclass too; returns its name in the source."""
        return self.bind(f"set_{cls.__name__}_{field}", getattr(cls, field).__set__)

    def encoder(self, schema: dict[str, Any]) -> Encoder:
        """Compile the function that encodes records of this schema."""
        lines = ["def encode(record):", " out = []", " add = out.append"]
        self._write(schema, "record", lines, " ")
        encoder: Encoder = self.run([*lines, " return out"], "encode")
        return encoder

    def decoder(self, schema: dict[str, Any]) -> Decoder:
        """Compile the function that decodes records of this schema; bytes left over are a ValueError."""
        lines = ["def decode(data, pos, end):"]
        made = self._read(schema, lines, " ")
        lines += [
            " if pos != end:",
            "  raise ValueError(f'the record ends at byte {pos}, the bytes at {end}')",
        ]
        decoder: Decoder = self.run([*lines, f" return {made}"], "decode")
        return decoder

    def _fresh(self, stem: str) -> str:
        return f"{stem}_{next(self._ids)}"

    def bind(self, name: str, value: Any) -> str:
        """Let the source use `value` under `name`; returns `name`."""
        self._names[name] = value
        return name

    def _write(self, schema: Any, value: str, lines: list[str], pad: str) -> None:
        """Append the lines that write the expression `value`."""
        match schema:
            case "long" | "int":
                lines.append(f"{pad}add(write_{schema}({value}))")
            case "string" | "bytes":
                piece = self._fresh("piece")
                lines.append(f"{pad}{piece} = {value}{'.encode()' if schema == 'string' else ''}")
                lines.append(f"{pad}add(write_long(len({piece})))")
                lines.append(f"{pad}add({piece})")
            case "double":
                lines.append(f"{pad}add(pack({value}))")
            case "boolean":
                lines.append(f"{pad}add(b'\\x01' if {value} else b'\\x00')")
            case ["null", branch]:
                piece = self._fresh("piece")
                lines += [f"{pad}{piece} = {value}", f"{pad}if {piece} is None:", f"{pad} add(b'\\x00')"]
                lines += [f"{pad}else:", f"{pad} add(b'\\x02')"]
                self._write(branch, piece, lines, pad + " ")
            case {"type": "enum", "name": name, "symbols": symbols}:
                values = _enum(name)
                table = {values(symbol): write_long(index) for index, symbol in enumerate(symbols)}
                lines.append(f"{pad}add({self.bind(self._fresh('table'), table)}[{value}])")
            case {"type": "array", "items": items}:
                item = self._fresh("item")
                lines += [f"{pad}if {value}:", f"{pad} add(write_long(len({value})))"]
                lines.append(f"{pad} for {item} in {value}:")
                self._write(items, item, lines, pad + "  ")
                lines.append(f"{pad}add(b'\\x00')")
            case {"type": "record", "fields": parts}:
                for field in _own(parts):
                    self._write(field["type"], f"{value}.{field['name']}", lines, pad)
            case _:
                raise NotImplementedError(f"no code for {schema}")

    def _read(self, schema: Any, lines: list[str], pad: str) -> str:
        """Append the lines that read a value; the name that holds it."""
        value = self._fresh("value")
        match schema:
            case "long" | "int":
                lines += [f"{pad}{value} = data[pos]", f"{pad}if {value} < 128:"]
                lines += [f"{pad} {value} = ({value} >> 1) ^ -({value} & 1)", f"{pad} pos += 1"]
                lines += [f"{pad}else:", f"{pad} {value}, pos = read_{schema}(data, pos)"]
            case "string" | "bytes":
                self._read_length(value, lines, pad)
                call = ".decode()" if schema == "string" else ""
                lines.append(f"{pad}start, pos = pos, pos + ({value} >> 1)")
                lines.append(f"{pad}{value} = data[start:pos]{call}")
            case "double":
                lines += [f"{pad}({value},) = unpack(data, pos)", f"{pad}pos += 8"]
            case "boolean":
                self._read_table({0: False, 1: True}, value, lines, pad)
            case ["null", branch]:
                lines += [f"{pad}{value} = data[pos]", f"{pad}pos += 1", f"{pad}if {value} == 2:"]
                inner = self._read(branch, lines, pad + " ")
                lines += [f"{pad} {value} = {inner}", f"{pad}elif {value} == 0:", f"{pad} {value} = None"]
                lines += [f"{pad}else:", f"{pad} raise ValueError(f'no branch {{{value}}} of a union')"]
            case {"type": "enum", "name": name, "symbols": symbols}:
                values = _enum(name)
                table = {2 * index: values(symbol) for index, symbol in enumerate(symbols)}
                self._read_table(table, value, lines, pad)
            case {"type": "array", "items": items}:
                self._read_array(items, value, lines, pad)
            case {"type": "record", "name": name, "fields": parts}:
                self._read_record(_record(name), parts, value, lines, pad)
            case _:
                raise NotImplementedError(f"no code for {schema}")
        return value

    def _read_length(self, value: str, lines: list[str], pad: str) -> None:
        lines += [f"{pad}{value} = data[pos]", f"{pad}if {value} < 128:", f"{pad} pos += 1", f"{pad}else:"]
        lines += [f"{pad} {value}, pos = read_unsigned(data, pos)", f"{pad}if {value} & 1:"]
        lines.append(f"{pad} raise ValueError('a negative length')")

    def _read_table(self, table: dict[int, Any], value: str, lines: list[str], pad: str) -> None:
        bound = self.bind(self._fresh("table"), table)
        lines += [f"{pad}{value} = {bound}[data[pos]]", f"{pad}pos += 1"]

    def _read_array(self, items: Any, value: str, lines: list[str], pad: str) -> None:
        size, built = self._fresh("size"), self._fresh("list")
        lines += [f"{pad}{built} = []"]
        self._read_length(size, lines, pad)
        lines += [f"{pad}for _ in range({size} >> 1):"]
        inner = self._read(items, lines, pad + " ")
        lines += [f"{pad} {built}.append({inner})", f"{pad}if {size}:", f"{pad} if data[pos]:"]
        lines += [f"{pad}  raise ValueError('a list in several blocks')", f"{pad} pos += 1"]
        lines += [f"{pad}{value} = tuple({built})"]

    def _read_record(self, cls: type[Any], parts: Any, value: str, lines: list[str], pad: str) -> None:
        names = [part["name"] for part in _own(parts)]
        if sorted(names) != sorted(cls.__dataclass_fields__):
            raise ValueError(f"{cls.__name__} has other fields than its schema, which has {', '.join(names)}")
        lines.append(f"{pad}{value} = new({self.bind(cls.__name__, cls)})")
        for field in _own(parts):
            inner = self._read(field["type"], lines, pad)
            lines.append(f"{pad}{self.setter(cls, field['name'])}({value}, {inner})")


def _own(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [field for field in parts if field["name"] != CRC_FIELD]


def _record(full_name: str) -> type[Any]:
    found: type[Any] = getattr(records, full_name.rpartition(".")[2])
    return found


_enum = _record
