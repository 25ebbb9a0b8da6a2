"""What the scripted agent gives to a tool fits the tool's schema."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from agent.scripted.fit_schema import fit

SCHEMAS: dict[str, Any] = {
    "no arguments": {"type": "object", "properties": {}},
    "required": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "enum and const": {
        "type": "object",
        "properties": {"unit": {"enum": ["celsius", "kelvin"]}, "version": {"const": 3}},
        "required": ["unit", "version"],
    },
    "nested": {
        "type": "object",
        "properties": {
            "where": {
                "type": "object",
                "properties": {"point": {"type": "array", "items": {"type": "number"}, "minItems": 2}},
                "required": ["point"],
            }
        },
        "required": ["where"],
    },
    "bounds": {
        "type": "object",
        "properties": {
            "low": {"type": "integer", "minimum": 18},
            "high": {"type": "integer", "maximum": -5},
            "between": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
            "under": {"type": "integer", "exclusiveMaximum": 1},
            "tens": {"type": "integer", "minimum": 15, "multipleOf": 10},
            "whole": {"type": "integer", "minimum": 2.5},
            "above": {"type": "integer", "exclusiveMinimum": 7},
        },
        "required": ["low", "high", "between", "under", "tens", "whole", "above"],
    },
    "lengths": {
        "type": "object",
        "properties": {
            "long": {"type": "string", "minLength": 40},
            "short": {"type": "string", "maxLength": 3},
            "several": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
        },
        "required": ["long", "short", "several"],
    },
    "patterns": {
        "type": "object",
        "properties": {
            "postcode": {"type": "string", "pattern": r"^\d{5}(-\d{4})?$"},
            "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "either": {"type": "string", "pattern": "^(?:cat|dog)s?$"},
            "not_a_vowel": {"type": "string", "pattern": "^[^aeiou]+$"},
            "filled": {"type": "string", "pattern": r"^\w+$", "minLength": 12},
        },
        "required": ["postcode", "country", "either", "not_a_vowel", "filled"],
    },
    "formats": {
        "type": "object",
        "properties": {"when": {"type": "string", "format": "date-time"}},
        "required": ["when"],
    },
    "references": {
        "$defs": {
            "Place": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        },
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/Place"}},
        "required": ["place"],
    },
    "branches": {
        "type": "object",
        "properties": {
            "maybe": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 4}]},
            "one": {"oneOf": [{"type": "boolean"}, {"type": "string"}]},
            "all": {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]},
                ]
            },
            "types": {"type": ["null", "integer"]},
        },
        "required": ["maybe", "one", "all", "types"],
    },
    "no type": {"properties": {"n": {"minimum": 3}}, "required": ["n"]},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_the_value_fits_the_schema(schema: dict[str, Any]) -> None:
    value = json.loads(json.dumps(fit(schema)))
    assert isinstance(value, dict)
    Draft202012Validator(schema).validate(value)


def test_a_schema_that_contains_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    json.dumps(fit(node))
    json.dumps(fit({"$ref": "#"}))
    names = [f"p{n}" for n in range(50)]
    bush = {"type": "object", "properties": {name: {"$ref": "#"} for name in names}, "required": names}
    assert json.dumps(fit(bush)).count("{") <= 1000


keywords = st.sampled_from(
    ["type", "enum", "properties", "required", "items", "minItems", "minimum", "exclusiveMaximum"]
) | st.sampled_from(
    ["multipleOf", "minLength", "maxLength", "pattern", "format", "anyOf", "allOf", "$ref", "prefixItems"]
)
names = st.sampled_from(["object", "string", "number", "#", "^a+", "[[", "("])
odd_schemas = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keywords, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keywords, odd_schemas, max_size=5))
def test_no_schema_is_an_error(schema: dict[str, Any]) -> None:
    json.dumps(fit(schema))


@pytest.mark.parametrize("pattern", ["(", "(?=x)y", r"(a)\1", "[" + chr(0x400) + "-" + chr(0x410) + "]"])
def test_a_pattern_too_clever_still_gets_a_string(pattern: str) -> None:
    assert isinstance(fit({"type": "string", "pattern": pattern}), str)


def test_a_schema_cannot_ask_for_more_than_a_little_memory() -> None:
    assert len(fit({"type": "string", "minLength": 10**12})) == 1000
    assert len(fit({"type": "array", "items": {"type": "null"}, "minItems": 10**12})) == 1000
    assert len(fit({"type": "string", "pattern": "^a{4000000}$"})) <= 1000
