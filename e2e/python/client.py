"""The Python SDK, as its users use it. Prints one line of JSON: what it saw.

Usage: python client.py URL TOKEN TOOL ARGUMENTS ERA, where ERA is `legacy`, `auto` or a revision of
the modern era. With `*` as TOOL, ARGUMENTS is a list of calls, each a tool with its arguments.
"""

import asyncio
import json
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def call(client: Client, tool: str, arguments: dict) -> dict:
    result = await client.call_tool(tool, arguments)
    return result.model_dump(mode="json", by_alias=True)


async def called(client: Client, tool: str, arguments: dict) -> dict:
    try:
        return await call(client, tool, arguments)
    except Exception as fault:
        return {"fault": repr(fault)}


async def main(url: str, token: str, tool: str, arguments: str, era: str) -> dict:
    seen = {}
    try:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=era) as client:
                seen["tools"] = [one.name for one in (await client.list_tools()).tools]
                if tool == "*":
                    calls = json.loads(arguments)
                    seen["results"] = [await called(client, *one) for one in calls]
                else:
                    seen["result"] = await call(client, tool, json.loads(arguments))
    except BaseException as fault:  # an ExceptionGroup is what a refused connection looks like
        seen["fault"] = repr(fault)
    return seen


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
