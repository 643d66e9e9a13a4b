#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much the CRM's door does on one core, and what open pages cost it: the real welcome-crm on loopback, with 2,000
signed-in phones that each gave five consents.

door_bench.py [BIN]    where welcome-crm is; build/release/bin if not given
"""

import csv
import hashlib
import json
import os
import pathlib
import resource
import secrets
import base64
import selectors
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CRM = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bin") / "welcome-crm"
PHONES, REQUESTS, STREAMS, LINES = 2_000, 40_000, 10_000, 16
PURPOSES = ("proximity_offers", "face_recognition", "preference_prompts", "personalised_offers", "visit_analytics")
TICK = os.sysconf("SC_CLK_TCK")


def fill(directory):
    customers, consents = directory / "customers.csv", directory / "consents.csv"
    with open(customers, "w") as file:
        rows = csv.writer(file)
        rows.writerow(["customer", "name", "language"])
        rows.writerows([f"c-{i}", f"Guest {i}", "en"] for i in range(PHONES))
    with open(consents, "w") as file:
        rows = csv.writer(file)
        rows.writerow(["customer", "purpose", "state", "at", "how"])
        rows.writerows([f"c-{i}", p, "given", "2026-01-12T09:30:00Z", "app"] for i in range(PHONES) for p in PURPOSES)
    database = str(directory / "crm.db")
    run = lambda *words: subprocess.run([CRM, "-d", database, *words], check=True, capture_output=True)
    run("init", "--tenant", "demo", "--controller", "Aroma Ltd")
    run("sign-keys", "--new")
    run("import", str(customers), str(consents))
    # As if each had opened a link.
    tokens = [base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") for _ in range(PHONES)]
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    with sqlite3.connect(database) as db:
        db.executemany(
            "INSERT INTO door_session VALUES (?, ?, ?, 'Phone', ?, ?, ?, '2099-01-01T00:00:00.000Z')",
            [(hashlib.blake2b(token.encode(), digest_size=32).hexdigest(), f"d-{i}", f"c-{i}", at, at, at)
             for i, token in enumerate(tokens)])
    return database, tokens


def serve(database):
    crm = subprocess.Popen(
        [CRM, "-d", database, "serve", "--broker", "mqtt://127.0.0.1:1", "--door", "127.0.0.1:0", "--door-page",
         "http://127.0.0.1/phone/"], stderr=subprocess.PIPE, text=True)
    for line in crm.stderr:
        if "the door is open at" in line:
            return crm, int(line.rsplit(":", 1)[1])
    raise SystemExit("the door does not open")


def processor_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def request(path, phone, token):
    return (f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: __Host-welcome={token}\r\n"
            f"X-Forwarded-For: 10.0.{phone >> 8}.{phone & 255}\r\n\r\n").encode()


def load(port, pid, tokens, path):
    """LINES connections of a proxy, one request after another on each."""
    choose = selectors.DefaultSelector()
    left, open_lines, waits = REQUESTS, 0, []
    before, began = processor_s(pid), time.monotonic()

    def ask(line):
        nonlocal left
        left -= 1
        phone = left % PHONES
        line.asked = time.monotonic()
        line.heard = b""
        line.socket.sendall(request(path, phone, tokens[phone]))

    class Line:
        pass

    for _ in range(LINES):
        line = Line()
        line.socket = socket.create_connection(("127.0.0.1", port))
        choose.register(line.socket, selectors.EVENT_READ, line)
        open_lines += 1
        ask(line)
    while open_lines:
        for key, _ in choose.select():
            line = key.data
            line.heard += line.socket.recv(65536)
            head, _, body = line.heard.partition(b"\r\n\r\n")
            size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) if body or b"\r\n\r\n" in line.heard else None
            if size is None or len(body) < size:
                continue
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(line.heard.decode())
            waits.append(time.monotonic() - line.asked)
            if left > 0:
                ask(line)
            else:
                choose.unregister(line.socket)
                line.socket.close()
                open_lines -= 1
    spent, passed = processor_s(pid) - before, time.monotonic() - began
    waits.sort()
    return {"path": path, "requests": REQUESTS, "a_core_second": round(REQUESTS / spent),
            "a_second": round(REQUESTS / passed), "p50_ms": round(waits[len(waits) // 2] * 1e3, 2),
            "p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 2)}


def streams(port, pid, tokens, database):
    before = memory_mib(pid)
    open_streams = []
    for i in range(STREAMS):
        phone = i % PHONES
        line = socket.create_connection(("127.0.0.1", port))
        line.sendall(request("/v1/events", phone, tokens[phone]))
        line.recv(4096)
        open_streams.append(line)
    after = memory_mib(pid)
    # How long until an open page hears of a consent that was given at the desk.
    began = time.monotonic()
    subprocess.run([CRM, "-d", database, "customer", "consent", "c-7", "visit_analytics", "withdrawn"], check=True,
                   capture_output=True)
    told = time.monotonic()
    open_streams[7].recv(4096)
    heard = time.monotonic()
    return {"streams": STREAMS, "mib_before": round(before, 1), "mib": round(after, 1),
            "kib_each": round((after - before) * 1024 / STREAMS, 1),
            "command_ms": round((told - began) * 1e3), "then_heard_ms": round((heard - told) * 1e3, 1)}


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as name:
        database, tokens = fill(pathlib.Path(name))
        crm, port = serve(database)
        try:
            result = [load(port, crm.pid, tokens, path) for path in ("/v1/me", "/v1/offers")]
            result.append(streams(port, crm.pid, tokens, database))
        finally:
            crm.send_signal(signal.SIGTERM)
            crm.wait()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
