#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one box of many is told, and what many boxes cost the CRM: a real mosquitto and welcome-crm with
1,000,000 customers, 1,000 boxes (each in a store of its own) and 200 regions, in each scope.

usage: python3 bench/region_bench.py [CUSTOMERS [BOXES [REGIONS]]] [--crm-db FILE] [--scopes all,visited,…]
       --crm-db: a database that was filled before (it is changed); made if it is not there
       WELCOME_BIN: where the programs are (default: build/release/bin)

Per scope: how large the snapshot for one box is and how long it takes until it has come, what memory
`serve` takes for it, and how much processor time one round of heartbeats to all boxes takes. The boxes
are rows as `boxes admit` makes them, on the line; nobody listens for them but for one.
"""
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

from snapshot_bench import crm_with, free_port, memory_mib, processor_s, wait_for_port

PURPOSES = ("proximity_offers", "preference_prompts")
SCOPES = {"all": ["all"], "visited": ["visited"], "region": ["region"], "region visited": ["region", "visited"]}
BEAT_S, ROUNDS = 2, 20
COLLECTIONS = 6


def fill(db, customers, boxes, regions, folder):
    crm = crm_with(db)
    subprocess.run(crm + ["init", "--tenant", "demo", "--controller", "Aroma Ltd"], check=True, stdout=sys.stderr)
    subprocess.run(crm + ["sign-keys", "--new"], check=True, stdout=sys.stderr)
    with sqlite3.connect(db) as data:
        stores = [(f"s-{n}", f"r-{n % regions}") for n in range(boxes)]
        data.executemany("INSERT INTO store_region (store, region) VALUES (?, ?)", stores)
        data.executemany(
            "INSERT INTO box (store, box, state, session, version, seen_at) VALUES (?, 'b-1', 'online', 1, '0.2.0', '')",
            [(store,) for store, _ in stores],
        )
    files = {}

    def write(name, lines):
        files[name] = os.path.join(folder, name)
        with open(files[name], "w", encoding="utf-8") as file:
            file.writelines(lines)

    names = [f"c-{1_000_000 + n}" for n in range(customers)]
    write(
        "customers.csv",
        ["customer,app_id,name,greeting,language,tier,points,regions\n"]
        + [f"{c},a{c},Paul Moreau,Mr Moreau,en,gold,1240,r-{n % regions}\n" for n, c in enumerate(names)],
    )
    write(
        "consents.csv",
        ["customer,purpose,state,at\n"] + [f"{c},{p},given,2026-01-12T09:30:00Z\n" for p in PURPOSES for c in names],
    )
    identities = [
        {
            "identity": "i" + c[1:],
            "customer": c,
            "kind": "rotating_uuid",
            "key": hashlib.blake2b(c.encode(), digest_size=16).hexdigest(),
            "rotation_exponent": 10,
            "clock_zero": "2026-01-01T00:00:00.000Z",
        }
        for c in names
    ]
    write("identities.json", [json.dumps({"identities": identities})])
    began = time.time()
    subprocess.run(crm + ["import", *files.values()], check=True, stdout=sys.stderr, stderr=subprocess.DEVNULL)
    return time.time() - began


class World:
    """A broker, and a CRM that serves this database in this scope."""

    def __init__(self, db, folder, beat_s, hear=None):
        self.folder, self.processes = folder, []
        self.port = free_port()
        conf = os.path.join(folder, "mosquitto.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        self.start(["mosquitto", "-c", conf])
        wait_for_port(self.port)
        self.heard = hear and self.listen(hear)  # before the first word
        line = ["--broker", f"mqtt://127.0.0.1:{self.port}", "--heartbeat-s", str(beat_s)]
        self.crm = self.start(crm_with(db) + ["serve", *line])
        self.db = db

    def start(self, words):
        with open(os.path.join(self.folder, os.path.basename(words[0]) + ".log"), "a", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(words, stdout=log, stderr=log))
        return self.processes[-1]

    def listen(self, topic):
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-r", "-t", "ready", "-m", "ready"], check=True)
        words = ["mosquitto_sub", "-p", str(self.port), "-q", "1", "-F", "%t %l", "-t", topic, "-t", "ready"]
        self.processes.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        out = self.processes[-1].stdout
        out.readline()
        return out

    def sent(self):
        said = subprocess.run(crm_with(self.db) + ["--json", "status"], check=True, capture_output=True, text=True)
        return json.loads(said.stdout)[0]["counters"]["sent"]

    def stop(self):
        for one in reversed(self.processes):
            one.terminate()
        for one in self.processes:
            one.wait()


def snapshot(db, folder, region):
    """A box that has nothing says hello. It knows its region already."""
    box = "welcome/v1/demo/s-0/b-1"
    world = World(db, folder, 3600, box + "/feed/+")
    try:
        time.sleep(3)  # serve has connected, and said where the feed stands
        before, began = processor_s(world.crm.pid), time.time()
        hello = {"v": 1, "box": "b-1", "session": 1, "version": "0.2.0", "have": {}, "region": region}
        subprocess.run(
            ["mosquitto_pub", "-p", str(world.port), "-q", "1", "-t", box + "/hello", "-m", json.dumps(hello)],
            check=True,
        )
        sizes, campaigns = {}, 0
        # A snapshot each, and a heartbeat after it: campaigns come last. The first one was there before.
        for line in world.heard:
            topic, size = line.rsplit(" ", 1)
            name = topic.rsplit("/", 1)[1]
            sizes[name] = sizes.get(name, 0) + int(size)
            campaigns += name == "campaigns"
            if campaigns == 3:
                break
        return {
            "snapshot_bytes": sum(sizes.values()),
            "snapshot_bytes_of": sizes,
            "snapshot_s": round(time.time() - began, 2),
            "snapshot_processor_s": round(processor_s(world.crm.pid) - before, 2),
            "serve_peak_mib": memory_mib(world.crm.pid, "VmHWM"),
        }
    finally:
        world.stop()


def heartbeats(db, folder, boxes):
    world = World(db, folder, BEAT_S)
    try:
        time.sleep(3 * BEAT_S)
        sent, before = world.sent(), processor_s(world.crm.pid)
        time.sleep(ROUNDS * BEAT_S)
        spent, rounds = processor_s(world.crm.pid) - before, (world.sent() - sent) / (COLLECTIONS * boxes)
        return {
            "rounds": round(rounds, 1),
            "heartbeat_processor_ms": round(1000 * spent / rounds, 1),
            "serve_resident_mib": memory_mib(world.crm.pid, "VmRSS"),
        }
    finally:
        world.stop()


def main():
    args = sys.argv[1:]

    def option(name):
        if name not in args:
            return None
        at = args.index(name)
        value = args[at + 1]
        del args[at : at + 2]
        return value

    given, scopes = option("--crm-db"), option("--scopes")
    customers, boxes, regions = (int(n) for n in (args + ["1000000", "1000", "200"][len(args) :])[:3])
    with tempfile.TemporaryDirectory(prefix="welcome-region-") as folder:
        db = given or os.path.join(folder, "crm.db")
        out = {"customers": customers, "boxes": boxes, "regions": regions}
        if not os.path.exists(db):
            out["import_s"] = round(fill(db, customers, boxes, regions, folder))
        out["database_mib"] = os.path.getsize(db) >> 20
        for name, words in SCOPES.items():
            if scopes and name not in scopes.split(","):
                continue
            subprocess.run(crm_with(db) + ["scope", *words], check=True, stdout=sys.stderr)
            with sqlite3.connect(db) as data:  # the boxes know where they are; each has seen somebody
                data.execute(
                    "UPDATE box SET state = 'online', region = "
                    "(SELECT region FROM store_region WHERE store_region.store = box.store)"
                )
                data.execute(
                    "INSERT OR IGNORE INTO place SELECT 'profiles', store || '/' || box, 1, 0, ? FROM box", ("0" * 32,)
                )
            out[name] = heartbeats(db, folder, boxes) | snapshot(db, folder, "r-0" if "region" in words else "")
            print(name, json.dumps(out[name]), file=sys.stderr)
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
