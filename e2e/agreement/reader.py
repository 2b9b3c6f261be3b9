"""CPython's json as a reader: one body a line in hexadecimal, its normal form a line back.

An empty line asks for everything that is still buffered. `!` stands for a body that is refused.
"""

import json
import struct
import sys


class Members(list):
    """The members of an object, every one, so that a key that stands twice shows."""


def normal(value):
    if value is None:
        return "n"
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, float):
        return "#" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return '"' + value.encode("utf-8").hex()
    if isinstance(value, Members):
        members = sorted((key.encode("utf-8").hex(), normal(member)) for key, member in value)
        return "{" + ",".join(key + ":" + member for key, member in members) + "}"
    return "[" + ",".join(map(normal, value)) + "]"


def read(line):
    try:
        text = bytes.fromhex(line).decode("utf-8")
        return normal(json.loads(text, parse_int=float, object_pairs_hook=Members))
    except (ValueError, RecursionError):
        return "!"


for line in sys.stdin:
    line = line.strip()
    if line:
        sys.stdout.write(read(line) + "\n")
    else:
        sys.stdout.flush()
