// SPDX-License-Identifier: Apache-2.0
// Two boxes of one store, the real programs on a real broker with the published access rules: they
// agree where a customer is, notice when one of them goes, and tell the broker nothing about her.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createCipheriv, randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { kBin, kRoot } from '../../harness/places.mjs';
import { assertFits } from '../e2e/contract.mjs';

const kPath = `${process.env.PATH}:/usr/sbin:/sbin`;
const kIrk = '9f3c1d0a5b7e42688c1f0e7d6a5b4c3d'; // of her phone
const kMia = '7d1c6f5240b34a0e9c550d2f8a7e1b36000c0bff'; // her fob, as in the feed

// The snapshot that a box gets of the only one who works in the store.
const kFeedOfStaff = `
import hashlib, json, sqlite3, sys
row = sqlite3.connect(sys.argv[1]).execute("SELECT value FROM item WHERE collection = 'staff'").fetchone()
digest = hashlib.blake2b(sys.argv[2].encode() + b"\\0" + b"1", digest_size=16).hexdigest()
print(json.dumps({"v": 1, "collection": "staff", "epoch": "staff-1", "kind": "snapshot", "part": 1, "parts": 1,
                  "to_seq": 1, "digest": digest,
                  "items": [{"op": "put", "key": sys.argv[2], "seq": 1, "value": json.loads(row[0])}]}))
`;

const hex = (bytes) => randomBytes(bytes).toString('hex');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function until(state, what, timeoutMs = 30000) {
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

class Store {
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

  // `staff`: the only one who works here; then she carries a phone instead of a fob.
  async prepare(staff) {
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

const open = async (box) => (await box.ctl('visits')).find((row) => !row.ended);
const zone = async (box) => (await open(box))?.zone;

test('two boxes agree on one zone, and notice when one of them dies', async (t) => {
  const store = new Store();
  t.after(() => store.stop());
  await store.prepare();

  const words = [];
  const boxEar = await store.connect(store.floor, 'box-1');
  boxEar.on('message', (topic, payload) => words.push(JSON.parse(payload)));
  await boxEar.subscribeAsync('welcome/v1/floor/ranging/+');
  let leaked = 0;
  const tablet = await store.connect(store.floor, 'tablet-1');
  tablet.on('message', (topic) => (leaked += topic.includes('ranging') ? 1 : 0));
  await tablet.subscribeAsync('#').catch(() => {});

  // By the door for 15 s, then at the desk.
  const epoch = Date.now() + 6000;
  const door = await store.box('box-1', epoch, (s) => (s < 15 ? -62 : -78), { zones: 'box = door' });
  const desk = await store.box('box-2', epoch, (s) => (s < 15 ? -78 : -60), { zones: 'box = desk' });

  await until(
    async () => (await zone(door)) === 'door' && (await zone(desk)) === 'door',
    'both say that she is by the door',
  );
  const { visit } = await open(door);
  assert.equal((await open(desk)).visit, visit, 'one visit in both');
  const { neighbours } = await door.ctl('status');
  assert.equal(neighbours.zone, 'door');
  assert.deepEqual(
    neighbours.boxes.map(({ box, zone: z, state }) => [box, z, state]),
    [['box-2', 'desk', 'here']],
  );

  await until(
    async () => (await zone(door)) === 'desk' && (await zone(desk)) === 'desk',
    'both say that she is at the desk',
  );

  desk.program.kill('SIGKILL');
  await desk.program.ended;
  await until(
    async () => (await door.ctl('status')).neighbours.boxes[0].state === 'away',
    'its last will is heard',
    5000,
  );
  await until(async () => (await zone(door)) === 'door', 'what is left hears her by the door', 30000);
  assert.equal((await open(door)).visit, visit, 'and it is the same visit');

  assert.ok(words.length > 20);
  for (const word of words) assertFits('floor.ranging', word);
  assert.ok(
    words.some((word) => word.box === 'box-2' && word.gone),
    'the broker spoke the last will',
  );
  assert.ok(words.some((word) => word.heard.length === 1));
  const text = JSON.stringify(words);
  assert.ok(words.some((word) => word.heard.some((heard) => heard.visit)));
  assert.ok(!text.includes(visit.replaceAll('-', '')), 'the visit is told in the clear');
  assert.ok(!text.includes('c-mia') && !text.includes('i-mia') && !text.includes(kMia.slice(0, 12)));
  const ids = new Set(words.flatMap((word) => word.heard.map((heard) => heard.who)));
  assert.equal(ids.size, new Set(words.map((word) => word.day)).size, 'one id a day, the same in both boxes');
  assert.equal(leaked, 0, 'a tablet reads nothing of it');
});

// The campaign goes to each customer once a day, and both boxes hear her from the same moment on.
test('two boxes that share the floor make one offer where a cap allows one', async (t) => {
  const store = new Store();
  t.after(() => store.stop());
  await store.prepare();
  const epoch = Date.now() + 6000;
  const boxes = [];
  for (const name of ['box-1', 'box-2']) {
    boxes.push(await store.box(name, epoch, () => -84, { floor: 'shared = yes' }));
  }
  const decisions = async (box) => (await box.ctl('decisions')).filter((d) => d.kind === 'offer');
  await until(
    async () => (await Promise.all(boxes.map(decisions))).every((of) => of.length > 0),
    'both have decided',
    60000,
  );
  const offers = () => store.events.filter((event) => event.type.includes('decision.offer'));
  await until(() => offers().length > 0, 'the CRM gets an offer');

  // What the other had decided it took back, and says which cap stood against it.
  const reasons = async () => (await Promise.all(boxes.map(decisions))).flat().map((d) => d.reason);
  await until(async () => (await reasons()).includes('cap_campaign'), 'the other box makes none');
  for (const box of boxes) {
    await until(async () => (await box.ctl('status')).outbox.uplink === 0, `${box.name} has sent all`);
  }
  assert.equal(offers().length, 1, JSON.stringify(offers().map(({ source, time }) => [source, time])));
  assert.equal(offers()[0].subject, 'c-mia');
});

test('a sign-in counts with both boxes of a store, goes on when one is away, and ends everywhere', async (t) => {
  const store = new Store();
  t.after(() => store.stop());
  const eva = await store.member('eva', 'Eva', '273910');
  await store.prepare(eva);
  const tablet = await store.connect(store.floor, 'tablet-1');
  const said = { session: {}, prompts: [] };
  tablet.on('message', (topic, payload) => {
    if (!payload.length) return;
    const word = JSON.parse(payload);
    if (topic.endsWith('/session')) said.session[word.box] = word;
    if (topic.includes('/prompt/')) said.prompts.push(word);
  });
  await tablet.subscribeAsync(['welcome/v1/floor/to/tablet-1/#', 'welcome/v1/floor/prompt/+'], { qos: 1 });
  const say = (what, word) =>
    tablet.publishAsync(
      `welcome/v1/floor/tablet/tablet-1/${what}`,
      JSON.stringify({ v: 1, id: randomUUID(), at: new Date().toISOString(), ...word }),
      { qos: 1 },
    );
  const state = (box) => said.session[box]?.state;

  const epoch = Date.now() + 6000;
  const start = (name) => store.box(name, epoch, () => -60, { zones: 'box = desk' });
  const [one, two] = [await start('box-1'), await start('box-2')];
  for (const box of [one, two])
    await until(async () => (await box.ctl('status')).crm.feed.staff?.items === 1, `${box.name} knows Eva`);
  const signIn = randomUUID();
  await say('session', { id: signIn, kind: 'sign_in', staff: 'eva', pin: '273910' });
  await until(() => state('box-1') === 'on' && state('box-2') === 'on', 'both have looked at the PIN');
  for (const { sign_in, staff } of Object.values(said.session))
    assert.deepEqual([sign_in, staff], [signIn, 'eva']);

  // One tap is one event, of her.
  const prompt = await until(() => said.prompts.at(-1), 'she is shown');
  await say(`action/${prompt.visit}`, { visit: prompt.visit, sign_in: signIn, kind: 'claim' });
  const taps = () => store.events.filter((event) => event.type.includes('staff.action'));
  await until(() => said.prompts.at(-1).claimed_by === 'eva', 'the card is claimed');
  await until(() => taps().length > 0, 'the CRM hears of it');
  for (const box of [one, two])
    await until(async () => (await box.ctl('status')).outbox.uplink === 0, `${box.name} has sent all`);
  assert.deepEqual(
    taps().map(({ data }) => [data.staff, data.kind]),
    [['eva', 'claim']],
  );

  // A box that starts again asks nobody for a PIN.
  two.program.kill('SIGKILL');
  await two.program.ended;
  await say(`action/${prompt.visit}`, { visit: prompt.visit, sign_in: signIn, kind: 'release' });
  await until(() => said.prompts.at(-1).claimed_by === null, 'the one that is left takes her taps');
  delete said.session['box-2'];
  await start('box-2');
  await until(() => state('box-2') === 'on', 'it knows her session');

  // Head office lets her go.
  const gone = { op: 'delete', key: 'eva', seq: 2 };
  for (const box of ['box-1', 'box-2'])
    await store.crm.publishAsync(
      `welcome/v1/demo/aroma-1/${box}/feed/staff`,
      JSON.stringify({
        ...eva,
        kind: 'delta',
        part: undefined,
        parts: undefined,
        from_seq: 1,
        to_seq: 2,
        digest: '0'.repeat(32),
        items: [gone],
      }),
      { qos: 1 },
    );
  await until(() => state('box-1') === 'over' && state('box-2') === 'over', 'both have ended it');
});
