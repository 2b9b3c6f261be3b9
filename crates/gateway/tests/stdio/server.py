"""A stdio server for the gateway's tests: each method shows one behaviour, good or bad."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

LOCK = threading.Lock()


def write(text):
    with LOCK:
        sys.stdout.write(text)
        sys.stdout.flush()


def send(**message):
    write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def answer(request, result):
    send(id=request["id"], result=result)


def own_state(request):
    descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    environment = open("/proc/self/environ", "rb").read().decode().split("\0")
    answer(request, {
        "argv": sys.argv[1:],
        "environment": sorted(part for part in environment if part),
        "cwd": os.getcwd(),
        # The listing itself holds one more.
        "descriptors": descriptors[:-1],
        "pid": os.getpid(),
        "group": os.getpgid(0),
    })


def slow(request):
    params = request["params"]
    time.sleep(params["seconds"])
    token = params.get("_meta", {}).get("progressToken")
    if token is not None:
        send(method="notifications/progress", params={"progressToken": token, "progress": 1})
    answer(request, {"marker": params["marker"]})


def listen(request):
    tag = {"io.modelcontextprotocol/subscriptionId": request["id"]}
    send(method="notifications/subscriptions/acknowledged", params={"_meta": tag})
    marker = request["params"]["marker"]
    send(method="notifications/resources/updated", params={"uri": marker, "_meta": tag})
    send(method="notifications/tools/list_changed", params={})
    answer(request, {"resultType": "complete", "_meta": tag})


def stubborn(request):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal,time;signal.signal(15,signal.SIG_IGN);"
         "print('ready',flush=True);time.sleep(60)"],
        stdout=subprocess.PIPE)
    child.stdout.readline()
    answer(request, {"pids": [os.getpid(), child.pid]})
    time.sleep(60)


def handle(request, seen):
    method = request.get("method", "response")
    if method == "initialize":
        answer(request, {"protocolVersion": "2025-11-25", "capabilities": {},
                         "serverInfo": {"name": "test", "version": "1"}})
    elif method == "state":
        own_state(request)
    elif method == "seen":
        answer(request, {"seen": seen})
    elif method == "slow":
        threading.Thread(target=slow, args=(request,), daemon=True).start()
    elif method == "silent":
        pass
    elif method == "logs":
        send(method="notifications/message", params={"level": "info", "data": "first"})
        answer(request, {})
    elif method == "asks":
        send(id="s1", method="roots/list")
        answer(request, {})
    elif method == "tells":
        answer(request, {})
        send(method="notifications/tools/list_changed")
    elif method == "subscriptions/listen":
        listen(request)
    elif method == "fails":
        send(id=request["id"], error={"code": -32601, "message": "no such method"})
    elif method == "garbage":
        write("Server running\n\x00\x1b[31m\n{\"jsonrpc\":\n[]\n\n{} trailing\n")
        answer(request, {"after": "garbage"})
    elif method == "chatter":
        write("not a message\n" * 2000)
    elif method == "endless":
        for _ in range(64):
            write("x" * (1 << 20))
    elif method == "flood":
        for _ in range(request["params"]["messages"]):
            send(method="notifications/message", params={"data": "y" * 1000})
        answer(request, {})
    elif method == "stubborn":
        stubborn(request)
    elif method == "deaf":
        answer(request, {})
        time.sleep(60)
    elif method == "exit":
        os._exit(request["params"]["code"])


def main():
    if "exit-at-once" in sys.argv:
        return
    seen = []
    for line in sys.stdin:
        request = json.loads(line)
        seen.append(request)
        handle(request, seen)


main()
