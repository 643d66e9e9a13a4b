// SPDX-License-Identifier: Apache-2.0
// A store of the real boxes on real brokers with the published access rules, in which one customer is heard
// from a capture. The CRM is a few lines that send what a test wants every box to have.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { kBin, kRoot } from '../../harness/places.mjs';

const kPath = `${process.env.PATH}:/usr/sbin:/sbin`;
const kIrk = '9f3c1d0a5b7e42688c1f0e7d6a5b4c3d'; // of her phone
export const kMia = '7d1c6f5240b34a0e9c550d2f8a7e1b36000c0bff'; // her fob, as in the feed

// The snapshot that a box gets of the only one who works in the store.
const kFeedOfStaff = `
import hashlib, json, sqlite3, sys
row = sqlite3.connect(sys.argv[1]).execute("SELECT value FROM item WHERE collection = 'staff'").fetchone()
digest = hashlib.blake2b(sys.argv[2].encode() + b"\\0" + b"1", digest_size=16).hexdigest()
print(json.dumps({"v": 1, "collection": "staff", "epoch": "staff-1", "kind": "snapshot", "part": 1, "parts": 1,
                  "to_seq": 1, "digest": digest,
                  "items": [{"op": "put", "key": sys.argv[2], "seq": 1, "value": json.loads(row[0])}]}))
`;

export const hex = (bytes) => randomBytes(bytes).toString('hex');
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export async function until(state, what, timeoutMs = 30000) {
  for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
    const value = await state();
    if (value) return value;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
  }
}

const fob = () => ({ ad: `1aff4c000215${kMia}c5`, address: Buffer.from([5, 4, 3, 2, 1, 0xc0]) });
// A phone with a resolvable private address (Core Specification, Vol 3, Part H, 2.2.2).
const phone = () => {
  const prand = Buffer.from([0x4a, 0x31, 0x07]);
  const cipher = createCipheriv('aes-128-ecb', Buffer.from(kIrk, 'hex'), null);
  const hash = cipher.update(Buffer.concat([Buffer.alloc(13), prand])).subarray(13);
  return { ad: '02011a', address: Buffer.concat([prand, hash]).reverse() };
};

// A capture in which she is heard five times a second, as strong as `rssi(second)` says.
function capture(file, startMs, seconds, rssi, { ad, address }) {
  const head = Buffer.alloc(16);
  head.write('btsnoop\0', 'latin1');
  head.writeUInt32BE(1, 8);
  head.writeUInt32BE(1002, 12);
  const records = [head];
  const data = Buffer.from(ad, 'hex');
  for (let ms = 0; ms < seconds * 1000; ms += 200) {
    const event = Buffer.concat([
      Buffer.from([0x04, 0x3e, 0, 0x02, 1, 0, 1, ...address, data.length]),
      data,
      Buffer.from([256 + rssi(ms / 1000)]),
    ]);
    event[2] = event.length - 3;
    const record = Buffer.alloc(24);
    record.writeUInt32BE(event.length, 0);
    record.writeUInt32BE(event.length, 4);
    record.writeUInt32BE(3, 8);
    record.writeBigUInt64BE(0x00dcddb30f2f8000n + BigInt(startMs + ms) * 1000n, 16);
    records.push(record, event);
  }
  writeFileSync(file, Buffer.concat(records));
}

export class Store {
  constructor() {
    this.dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-neighbours-'));
    this.programs = [];
    this.clients = [];
    this.events = []; // that the boxes told the CRM
    this.storeKey = hex(32);
    this.boxKeys = {};
  }

  run(file, args, env = {}, input = '') {
    const child = spawn(file, args, {
      env: { ...process.env, PATH: kPath, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(input);
    child.log = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (child.log += text));
    child.ended = new Promise((resolve) => child.once('exit', resolve));
    this.programs.push(child);
    return child;
  }

  async broker(name, rules) {
    const port = await freePort();
    const conf = path.join(this.dir, `${name}.conf`);
    writeFileSync(path.join(this.dir, `${name}.acl`), rules);
    // Who has which name is another test's matter; here it is what a name may do.
    writeFileSync(
      conf,
      `listener ${port} 127.0.0.1\npersistence false\nallow_anonymous true\n` +
        `acl_file ${path.join(this.dir, `${name}.acl`)}\n${process.getuid() === 0 ? 'user root\n' : ''}`,
    );
    this.run('mosquitto', ['-c', conf]);
    await until(
      () =>
        new Promise((resolve) => {
          const socket = net.connect(port, '127.0.0.1', () => (socket.destroy(), resolve(true)));
          socket.once('error', () => resolve(false));
        }),
      `${name} listens`,
    );
    return port;
  }

  async connect(port, username) {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { username, protocolVersion: 5 });
    this.clients.push(client);
    return client;
  }

  // Somebody who works in the store, as head office's own program writes it down.
  async member(id, name, pin) {
    const database = path.join(this.dir, 'head-office.db');
    const crm = async (words, input) => {
      const child = this.run(path.join(kBin, 'welcome-crm'), ['--database', database, ...words], {}, input);
      assert.equal(await child.ended, 0, child.log);
    };
    await crm(['init', '--tenant', 'demo', '--controller', 'Aroma']);
    await crm(['staff', 'add', id, '--name', name, '--store', 'aroma-1']);
    await crm(['staff', 'pin', id], `${pin}\n`);
    const { stdout } = await promisify(execFile)('python3', ['-c', kFeedOfStaff, database, id]);
    return JSON.parse(stdout);
  }

  // `staff`: the only one who works here; then she carries a phone instead of a fob. `policy`: what the
  // CRM sends as that, made from the usual one; nothing: it sends none.
  async prepare({ staff, policy = (usual) => usual } = {}) {
    this.phone = Boolean(staff);
    const rules = (file) => readFileSync(path.join(kRoot, 'packaging/broker', file), 'utf8');
    const boxes = ['box-1', 'box-2'].map((box) => rules('floor-box.acl.in').replaceAll('@BOX@', box));
    this.floor = await this.broker('floor', [rules('floor.acl'), ...boxes].join('\n'));
    this.uplink = await this.broker('uplink', 'pattern readwrite #\n');
    this.crm = await this.connect(this.uplink, 'crm');
    const feed = readFileSync(path.join(kRoot, 'tests/replay/data/shop-feed.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    if (staff) feed.push({ topic: 'welcome/v1/demo/aroma-1/box-1/feed/staff', payload: staff });
    for (const { payload } of feed) {
      for (const { value } of payload.items) {
        if (payload.collection === 'policy') delete value.quiet_hours; // at whatever hour this runs
        // Staff are shown nobody by a fob alone.
        if (staff && value.identity === 'i-mia-fob') {
          for (const of of ['uuid', 'major', 'minor', 'measured_power_1m_dbm']) delete value[of];
          Object.assign(value, { kind: 'irk', irk: kIrk });
        }
        const hers = ['personalised_offers', 'preference_prompts'];
        if (value.customer === 'c-paul' && hers.includes(value.purpose)) value.customer = 'c-mia';
        if (value.customer === 'c-mia' && payload.collection === 'profiles') value.segments = ['regular'];
      }
    }
    const news = feed.findIndex(({ payload }) => payload.collection === 'policy');
    const [item] = feed[news].payload.items;
    item.value = policy(item.value);
    if (!item.value) feed.splice(news, 1);
    this.crm.on('message', (topic, payload) => {
      if (topic.endsWith('/event')) this.events.push(JSON.parse(payload));
      if (!topic.endsWith('/hello')) return;
      const box = topic.split('/')[4];
      for (const { topic: to, payload } of feed) {
        this.crm.publish(to.replace('box-1', box), JSON.stringify(payload), { qos: 1 });
      }
    });
    await this.crm.subscribeAsync(['welcome/v1/demo/aroma-1/+/hello', 'welcome/v1/demo/aroma-1/+/event'], {
      qos: 1,
    });
  }

  // `more`: a line of [floor], or of [zones].
  async box(name, epoch, rssi, more) {
    const dir = path.join(this.dir, name);
    mkdirSync(path.join(dir, 'credentials'), { recursive: true });
    writeFileSync(path.join(dir, 'credentials/box-key'), (this.boxKeys[name] ??= hex(32)));
    writeFileSync(path.join(dir, 'credentials/store-key'), this.storeKey);
    capture(path.join(dir, 'radio.btsnoop'), epoch, 120, rssi, this.phone ? phone() : fob());
    writeFileSync(
      path.join(dir, 'welcomed.conf'),
      `
[box]
tenant = demo
store = aroma-1
id = ${name}
state_dir = ${dir}
control_socket = ${dir}/control.sock
[uplink]
port = ${this.uplink}
user = ${name}
[floor]
port = ${this.floor}
user = ${name}
${more.floor ?? ''}
[consent]
unsigned = yes
[vision]
models_dir = ${path.join(kRoot, 'build/models')}
[zones]
${more.zones ?? ''}
[visits]
end_after_s = 12
[radio]
leave_after_s = 8
source = btsnoop
file = ${dir}/radio.btsnoop
[replay]
epoch_ms = ${epoch}
start_ms = ${epoch}
`,
    );
    const program = this.run(path.join(kBin, 'welcomed'), ['--config', path.join(dir, 'welcomed.conf')], {
      CREDENTIALS_DIRECTORY: path.join(dir, 'credentials'),
    });
    await until(
      () => /is ready/.test(program.log) || (program.exitCode !== null && assert.fail(program.log)),
      `${name} is ready`,
    );
    return { program, name, ctl: (...words) => this.ctl(dir, words) };
  }

  async ctl(dir, words) {
    const { stdout } = await promisify(execFile)(path.join(kBin, 'welcomectl'), [
      '--socket',
      path.join(dir, 'control.sock'),
      '--json',
      ...words,
    ]);
    return JSON.parse(stdout);
  }

  async stop() {
    for (const client of this.clients) await client.endAsync(true);
    for (const child of this.programs.reverse()) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await child.ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
