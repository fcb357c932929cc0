"""THE definition of packets, commands, parameters and events (rovercam.toml), its loader and its generators."""

from rovercam.dictionary.fields import (
    decode_fields,
    decode_structure,
    encode_command,
    to_engineering,
    to_raw,
)
from rovercam.dictionary.loader import DEFINITION, find, load, parse
from rovercam.dictionary.model import (
    Command,
    Dictionary,
    DictionaryError,
    Event,
    Field,
    Parameter,
    Report,
    Structure,
    UnknownName,
    ValueRefused,
)

__all__ = [
    "DEFINITION",
    "Command",
    "Dictionary",
    "DictionaryError",
    "Event",
    "Field",
    "Parameter",
    "Report",
    "Structure",
    "UnknownName",
    "ValueRefused",
    "decode_fields",
    "decode_structure",
    "encode_command",
    "find",
    "load",
    "parse",
    "to_engineering",
    "to_raw",
]
