"""Whether a reader's Avro schema can resolve what a writer's schema wrote (Avro specification, 'Schema Resolution')."""

from typing import Any

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def differences(reader: Any, writer: Any, path: str) -> list[str]:
    """What keeps `reader` from reading `writer`, each with the path of its field; empty if nothing does.

    Both are schemas as fastavro parses them, without references to types named elsewhere.
    """
    if isinstance(writer, list):
        return [found for branch in writer for found in differences(reader, branch, path)]
    if isinstance(reader, list):
        tried = [differences(branch, writer, path) for branch in reader]
        return [] if [] in tried else [f"{path}: no branch of {_name(reader)} reads {_name(writer)}"]
    if _kind(reader) != _kind(writer):
        promoted = _kind(reader) in _PROMOTIONS.get(_kind(writer), set())
        return [] if promoted else [f"{path}: {_name(writer)} cannot be read as {_name(reader)}"]
    return _same_kind(reader, writer, path)


def _same_kind(reader: Any, writer: Any, path: str) -> list[str]:
    match _kind(reader):
        case "record":
            return _records(reader, writer, path)
        case "enum":
            return _enums(reader, writer, path)
        case "fixed":
            same = reader["size"] == writer["size"] and _name(reader) == _name(writer)
            return [] if same else [f"{path}: {_name(writer)} and {_name(reader)} are different fixed types"]
        case "array":
            return differences(reader["items"], writer["items"], f"{path}[]")
        case "map":
            return differences(reader["values"], writer["values"], f"{path}{{}}")
    return []


def _records(reader: Any, writer: Any, path: str) -> list[str]:
    if _name(reader) != _name(writer):
        return [f"{path}: {_name(writer)} cannot be read as {_name(reader)}"]
    written = {field["name"]: field for field in writer["fields"]}
    found = []
    for field in reader["fields"]:
        where = f"{path}.{field['name']}"
        if field["name"] in written:
            found += differences(field["type"], written[field["name"]]["type"], where)
        elif "default" not in field:
            found.append(f"{where}: new without a default")
    return found


def _enums(reader: Any, writer: Any, path: str) -> list[str]:
    unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if not unknown or "default" in reader:
        return []
    return [f"{path}: {', '.join(unknown)} can no longer be read"]


def _kind(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _name(schema: Any) -> str:
    if isinstance(schema, list):
        return " or ".join(_name(branch) for branch in schema)
    return str(schema.get("name", schema["type"]) if isinstance(schema, dict) else schema)
