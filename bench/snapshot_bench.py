#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a box's first minute is like: a real mosquitto, welcome-crm and welcomed, and a snapshot of
100,000 customers in four collections (profiles, two consents each, one rotating key each).

usage: python3 bench/snapshot_bench.py [CUSTOMERS] [--crm-db FILE] [--alone]     JSON on stdout
       --crm-db: a database that was filled before (it is copied); made if it is not there
       --alone: then the very batches once more to a box that is new, from the broker, with the CRM gone
       WELCOME_BIN: where the programs are (default: build/release/bin)

A pause is how long the control socket takes to answer: it has its turn in the same loop in which
decisions are made. Processor time is read from /proc.
"""
import hashlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("WELCOME_BIN", os.path.join(ROOT, "build/release/bin"))
COLLECTIONS = {"consents", "identities", "profiles", "policy"}
PURPOSES = ("proximity_offers", "preference_prompts")


def crm_with(db):
    return [os.path.join(BIN, "welcome-crm"), "--database", db]


def public_keys(db):
    """What the box pins: everything is signed, as in a shop."""
    listed = subprocess.run(crm_with(db) + ["sign-keys"], check=True, capture_output=True, text=True).stdout
    if listed.strip():
        return listed
    return subprocess.run(crm_with(db) + ["sign-keys", "--new"], check=True, capture_output=True, text=True).stdout


def fill(db, customers, folder):
    def write(name, text):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    names = [f"c-{1_000_000 + n}" for n in range(customers)]
    files = [
        write(
            "customers.csv",
            "customer,app_id,name,greeting,language,tier,points\n"
            + "".join(f"{c},a{c},Paul Moreau,Mr Moreau,en,gold,1240\n" for c in names),
        ),
        write(
            "consents.csv",
            "customer,purpose,state,at\n"
            + "".join(f"{c},{p},given,2026-01-12T09:30:00Z\n" for p in PURPOSES for c in names),
        ),
        write(
            "identities.json",
            json.dumps(
                {
                    "identities": [
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
                }
            ),
        ),
    ]
    crm = crm_with(db)
    subprocess.run(crm + ["init", "--tenant", "demo", "--controller", "Aroma Ltd"], check=True, stdout=sys.stderr)
    subprocess.run(crm + ["sign-keys", "--new"], check=True, stdout=sys.stderr)
    subprocess.run(crm + ["boxes", "admit", "aroma-1/box-1"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(crm + ["import", *files], check=True, stdout=sys.stderr)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("the broker does not listen")


def processor_s(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(") ", 1)[1].split(" ")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def threads_s(pid):
    """Processor time of each thread that has had any to speak of, the busiest first."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(") ", 1)[1].split(" ")
        found.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return [round(one, 1) for one in sorted(found, reverse=True) if one >= 0.1]


def memory_mib(pid, what):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(what + ":"):
                return round(int(line.split()[1]) / 1024)
    return None


def answer_ms(path):
    """How long a command that the box does not know takes to be answered."""
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        line.sendall(b'{"v":1,"command":"are you there","args":{}}\n')
        line.recv(4096)
    return (time.perf_counter() - began) * 1000


def send(feed, folder, port):
    """What was heard of the feed, each collection's batches as they came, by a program of its own."""
    files = {}
    with open(feed, encoding="utf-8") as file:
        for line in file:
            topic, payload = line.split(" ", 1)
            if '"items":[]' in payload:
                continue  # a heartbeat
            if topic not in files:
                files[topic] = open(os.path.join(folder, topic.rsplit("/", 1)[1]), "w", encoding="utf-8")
            files[topic].write(payload)
    words = []
    for topic, file in files.items():
        file.close()
        words.append(f"mosquitto_pub -V 5 -p {port} -q 1 -l -t {topic} < {file.name}")
    return subprocess.Popen(["sh", "-c", "\n".join(words)])


def first_minute(start, folder, port, keys, name, then=None):
    """A new box in the folder `name`, until it says that it has all collections. `then` is called when it has said
    hello for the first time, and starts what sends them."""
    hello = subprocess.Popen(
        ["mosquitto_sub", "-p", str(port), "-F", "%U %p", "-t", "welcome/v1/demo/aroma-1/box-1/hello", "-t", "ready"],
        stdout=subprocess.PIPE,
        text=True,
    )
    hello.stdout.readline()
    state = os.path.join(folder, name)
    os.makedirs(os.path.join(state, "credentials"))
    with open(os.path.join(state, "credentials", "box-key"), "w", encoding="utf-8") as file:
        file.write("7" * 64)
    open(os.path.join(state, "empty.conf"), "w", encoding="utf-8").close()
    with open(os.path.join(state, "crm-keys"), "w", encoding="utf-8") as file:
        file.write(keys)
    control = os.path.join(state, "control.sock")
    settings = {
        "box.tenant": "demo",
        "box.store": "aroma-1",
        "box.id": "box-1",
        "box.state_dir": state,
        "box.control_socket": control,
        "uplink.port": port,
        "floor.port": port,
        "consent.crm_keys": os.path.join(state, "crm-keys"),
        "radio.source": "none",
        "vision.models_dir": os.path.join(ROOT, "build/models"),
    }
    box = start(
        [os.path.join(BIN, "welcomed"), "--config", os.path.join(state, "empty.conf")]
        + [f"--{key}={value}" for key, value in settings.items()],
        env={**os.environ, "CREDENTIALS_DIRECTORY": os.path.join(state, "credentials")},
    )
    hellos = []

    def listen():
        for line in hello.stdout:
            at, text = line.split(" ", 1)
            hellos.append((float(at), json.loads(text)))

    threading.Thread(target=listen, daemon=True).start()
    while not os.path.exists(control) or not hellos:
        time.sleep(0.01)
        if box.poll() is not None:
            sys.exit("welcomed ended: see " + folder)
    sender = then() if then else None
    began = time.time() if then else hellos[0][0]
    before = processor_s(box.pid)
    answers = []
    deadline = time.time() + 600
    while not COLLECTIONS <= set(hellos[-1][1]["have"]) and time.time() < deadline:
        answers.append(answer_ms(control))
        time.sleep(0.002)
    result = {
        "seconds": round(hellos[-1][0] - began, 1),
        "box_processor_s": round(processor_s(box.pid) - before, 1),
        "box_threads_s": threads_s(box.pid),
        "asked_again": sum(1 for _, one in hellos[1:] if not one.get("confirms")),
        "answers": len(answers),
        "answer_p50_ms": round(statistics.median(answers), 2),
        "answer_p99_ms": round(sorted(answers)[int(len(answers) * 0.99)], 1),
        "answer_longest_ms": round(max(answers), 1),
        "box_resident_mib": memory_mib(box.pid, "VmRSS"),
        "box_peak_mib": memory_mib(box.pid, "VmHWM"),
    }
    hello.terminate()
    hello.wait()
    if sender:
        sender.wait()
    return result


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    args = sys.argv[1:]
    db_given = args[args.index("--crm-db") + 1] if "--crm-db" in args else None
    customers = int(args[0]) if args and args[0].isdigit() else 100_000
    folder = tempfile.mkdtemp(prefix="welcome-snapshot-")
    processes = []

    def start(words, **more):
        log = open(os.path.join(folder, os.path.basename(words[0]) + ".log"), "w", encoding="utf-8")
        processes.append(subprocess.Popen(words, stdout=log, stderr=log, **more))
        return processes[-1]

    try:
        db = os.path.join(folder, "crm.db")
        if db_given and not os.path.exists(db_given):
            fill(db_given, customers, folder)
        if db_given:
            shutil.copy(db_given, db)
            if os.path.isdir(db_given + ".keys"):
                shutil.copytree(db_given + ".keys", db + ".keys")
        else:
            fill(db, customers, folder)

        keys = public_keys(db)
        port = free_port()
        conf = os.path.join(folder, "mosquitto.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        start(["mosquitto", "-c", conf])
        wait_for_port(port)
        crm = start(crm_with(db) + ["serve", "--broker", f"mqtt://127.0.0.1:{port}"])
        # What is retained comes when the subscription is there: from then on no hello is missed.
        subprocess.run(["mosquitto_pub", "-p", str(port), "-r", "-t", "ready", "-m", "ready"], check=True)
        feed = os.path.join(folder, "feed")
        if "--alone" in args:
            topic = "welcome/v1/demo/aroma-1/box-1/feed/+"
            with open(feed, "w", encoding="utf-8") as file:
                processes.append(
                    subprocess.Popen(["mosquitto_sub", "-p", str(port), "-q", "1", "-F", "%t %p", "-t", topic], stdout=file)
                )
        result = first_minute(start, folder, port, keys, "box")
        result["crm_processor_s"] = round(processor_s(crm.pid), 1)
        print(json.dumps({"customers": customers, **result}, indent=2))
        if "--alone" in args:
            for one in processes[:0:-1]:
                one.terminate()
                one.wait()
            del processes[1:]
            result = first_minute(start, folder, port, keys, "alone", lambda: send(feed, folder, port))
            print(json.dumps({"customers": customers, "alone": True, **result}, indent=2))
    finally:
        for one in reversed(processes):
            one.terminate()
        for one in processes:
            one.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
