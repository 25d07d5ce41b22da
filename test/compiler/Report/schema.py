"""A JSON Schema validator for what compiler/Report/schema.json uses."""
import json

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "const", "enum", "minimum",
         "properties", "required", "additionalProperties", "items"}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def validate(value, schema, root=None, at="$"):
    """The complaints about `value`, as text."""
    root = root or schema
    unknown = set(schema) - KNOWN
    if unknown:
        return [f"{at}: the schema uses {unknown}, which this validator does not know"]
    if "$ref" in schema:
        target = root
        for word in schema["$ref"].removeprefix("#/").split("/"):
            target = target[word]
        return validate(value, target, root, at)
    bad = []
    if "const" in schema and value != schema["const"]:
        bad.append(f"{at}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        bad.append(f"{at}: {value!r} is none of {schema['enum']}")
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(is_type(value, name) for name in types):
            return bad + [f"{at}: {value!r} is no {types}"]
    if "minimum" in schema and is_type(value, "number") and value < schema["minimum"]:
        bad.append(f"{at}: {value} is below {schema['minimum']}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        bad += [f"{at}: `{key}` is missing" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            more = schema.get("additionalProperties", True)
            if key in properties:
                bad += validate(item, properties[key], root, f"{at}.{key}")
            elif more is False:
                bad.append(f"{at}: `{key}` is not in the schema")
            elif isinstance(more, dict):
                bad += validate(item, more, root, f"{at}.{key}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            bad += validate(item, schema["items"], root, f"{at}[{i}]")
    return bad


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
