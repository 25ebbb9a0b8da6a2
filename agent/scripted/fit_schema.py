"""A value that fits a JSON schema, the same one each time. For the scripted agent's tool calls.

What is understood: type, enum, const, properties, required, items, bounds, lengths, pattern and
format (as far as it goes), anyOf, oneOf, allOf, and $ref within the schema. Optional properties
are left out.
"""

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.scripted.fit_pattern import matching

MAX_DEPTH = 12
"""Where a schema that contains itself is cut off."""
MAX_VALUES = 1000
"""How many values the whole may hold: a few references can ask for billions."""
LONGEST = 1000
"""No string or array is made longer than this, whatever the schema asks for."""

_FORMATS = {
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "date-time": "2026-01-01T12:00:00Z",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": str(uuid.UUID(int=0)),
    "duration": "PT1M",
}
_TYPE_BY_KEYWORD = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "minItems": "array",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
}

Schema = Mapping[str, Any]


@dataclass(slots=True)
class _Whole:
    """The schema that references point into, and how many more values may be made."""

    schema: Schema
    values_left: int


def fit(schema: Any) -> Any:
    """Return a JSON value that fits the schema; None for a schema that is itself malformed."""
    try:
        return _fit(schema, _Whole(schema if isinstance(schema, Mapping) else {}, MAX_VALUES), 0)
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        # {"minimum": "a", "required": 3, ...}: the schema is a client's, and nothing fits this one.
        return None


def _fit(schema: Any, whole: _Whole, depth: int) -> Any:
    whole.values_left -= 1
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH or whole.values_left < 0:
        return None
    schema = _resolved(schema, whole.schema)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list | tuple) and schema["enum"]:
        return schema["enum"][0]
    match _type(schema):
        case "object":
            return _object(schema, whole, depth)
        case "array":
            return _array(schema, whole, depth)
        case "integer":
            return _number(schema, step=1)
        case "number":
            return _number(schema, step=schema.get("multipleOf"))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with its references followed and its branches taken: plain keywords only."""
    for _ in range(MAX_DEPTH):
        branch: list[Any] = []
        rest = dict(schema)
        if "$ref" in rest:
            branch.append(_referenced(rest.pop("$ref"), root))
        branch.extend(rest.pop("allOf", ()))
        for either in ("anyOf", "oneOf"):
            options = rest.pop(either, ())
            said = [option for option in options if _is_of_use(option)]
            branch.extend((said or list(options))[:1])
        if not branch:
            break
        for part in branch:
            rest = _merged(rest, part) if isinstance(part, Mapping) else rest
        schema = rest
    return schema


def _is_of_use(option: Any) -> bool:
    return isinstance(option, Mapping) and option.get("type") != "null"


def _referenced(reference: Any, root: Schema) -> Any:
    """The part that "#/$defs/name" means; {} for what is not in this schema."""
    found: Any = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        if step:
            key = step.replace("~1", "/").replace("~0", "~")  # RFC 6901 4
            found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found


def _merged(one: Schema, other: Schema) -> dict[str, Any]:
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return both


def _type(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, list | tuple):
        named = next((option for option in named if option != "null"), "null")
    if isinstance(named, str):
        return named
    return next((kind for keyword, kind in _TYPE_BY_KEYWORD.items() if keyword in schema), "string")


def _object(schema: Schema, whole: _Whole, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    wanted = list(schema.get("required", ()))
    for name in properties:
        if len(wanted) < schema.get("minProperties", 0) and name not in wanted:
            wanted.append(name)
    other = schema.get("additionalProperties", {})
    return {name: _fit(properties.get(name, other), whole, depth + 1) for name in wanted}


def _array(schema: Schema, whole: _Whole, depth: int) -> list[Any]:
    first = list(schema.get("prefixItems", ()))
    count = min(max(schema.get("minItems", 0), len(first)), LONGEST)
    rest = schema.get("items", {})
    items = [_fit(first[at] if at < len(first) else rest, whole, depth + 1) for at in range(count)]
    if schema.get("uniqueItems"):
        items = [_another(item, at, rest) for at, item in enumerate(items)]
    return items


def _another(item: Any, at: int, schema: Any) -> Any:
    """The item made different from those before it, where its kind is simple enough."""
    choices = schema.get("enum") if isinstance(schema, Mapping) else None
    if choices:
        return choices[at % len(choices)]
    match item:
        case bool():
            return at == 0
        case int() | float():
            return item + at * (schema.get("multipleOf", 1) if isinstance(schema, Mapping) else 1)
        case str():
            return item + str(at) if at else item
        case _:
            return item


def _number(schema: Schema, step: Any) -> int | float:
    whole = step == 1
    step = schema.get("multipleOf", step) if whole else step
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None:
        value = low
        if step:
            value = math.ceil(low / step) * step
        if value == schema.get("exclusiveMinimum"):
            gap = high - low if high is not None else 2
            value = value + step if step else low + gap / 2
    elif high is not None:
        value = min(high, 1)
        if step:
            value = math.floor(value / step) * step
        if value == schema.get("exclusiveMaximum"):
            value = value - (step or 1)
    else:
        value = step or 1
    return int(value) if whole else value


def _string(schema: Schema) -> str:
    shortest = min(schema.get("minLength", 0), LONGEST)
    longest = schema.get("maxLength", max(shortest, LONGEST))
    named = _FORMATS.get(str(schema.get("format")))
    if named is not None:
        return named
    if "pattern" in schema:
        return matching(str(schema["pattern"]), shortest)
    return "example".ljust(shortest, "e")[:longest]
