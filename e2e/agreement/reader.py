"""CPython's json as a reader: one body a line in hexadecimal, its normal form a line back.

An empty line asks for everything that is still buffered. `!` stands for a body that is refused.
"""

import json
import struct
import sys


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
    if isinstance(value, list):
        return "[" + ",".join(map(normal, value)) + "]"
    members = sorted((key.encode("utf-8").hex(), normal(member)) for key, member in value.items())
    return "{" + ",".join(key + ":" + member for key, member in members) + "}"


def read(line):
    try:
        return normal(json.loads(bytes.fromhex(line).decode("utf-8"), parse_int=float))
    except (ValueError, RecursionError):
        return "!"


for line in sys.stdin:
    line = line.strip()
    if line:
        sys.stdout.write(read(line) + "\n")
    else:
        sys.stdout.flush()
