"""A stdio server whose catalogue is a file, so that a test can change it under a running server."""

import json
import sys

PATH = sys.argv[1]


def send(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def page(items, params, size):
    start = int(params.get("cursor", "0"))
    result = {"items": items[start:start + size]}
    if start + size < len(items):
        result["nextCursor"] = str(start + size)
    return result


def answer(request, state):
    method, params = request["method"], request.get("params", {})
    modern = "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {})
    capabilities = {"tools": {}, **({"prompts": {}} if "prompts" in state else {})}
    about = {"capabilities": capabilities}
    if "instructions" in state:
        about["instructions"] = state["instructions"]
    if method == "server/discover":
        if state["era"] == "silent":
            return
        if state["era"] == "legacy":
            send(id=request["id"], error={"code": -32601, "message": "unknown"})
            return
        meta = {"io.modelcontextprotocol/serverInfo": {"name": "files", "version": "1"}}
        send(id=request["id"], result={
            **about, "supportedVersions": ["2026-07-28"], "resultType": "complete", "_meta": meta})
    elif method == "initialize":
        info = {"name": "files", "version": "1"}
        send(id=request["id"], result={
            **about, "protocolVersion": "2025-11-25", "serverInfo": info})
    elif method in ("tools/list", "prompts/list"):
        kind = method.split("/")[0]
        result = page(state[kind], params, state.get("page", 100))
        result[kind] = result.pop("items")
        if modern:
            result.update(resultType="complete", ttlMs=0, cacheScope="private")
        for _ in range(state.get("storm", 0)):
            send(method="notifications/tools/list_changed")
        send(id=request["id"], result=result)


for line in sys.stdin:
    request = json.loads(line)
    with open(PATH + ".log", "a", encoding="utf-8") as log:
        log.write(request["method"] + "\n")
    if "id" in request:
        with open(PATH, encoding="utf-8") as file:
            answer(request, json.load(file))
