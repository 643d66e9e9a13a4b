// SPDX-License-Identifier: Apache-2.0
// The samples of docs/app-sdk.md as they stand there, one after the other, with the real CRM and a real box: somebody
// signs in with an app of their own, agrees, is forgotten, and the box's proof of it is checked.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Story } from '../../demo/story.mjs';
import { anHourLater } from '../../harness/door.mjs';
import { kRoot } from '../../harness/places.mjs';
import { load } from '../unit/sdk/load.mjs';

const kSamples = ['signIn', 'ask', 'listen', 'stepUp', 'deskCode', 'beHeard', 'hearTheBox', 'check'];
// What they take as given, and its type.
const kGiven = {
  kDoor: 'string',
  kPage: 'string',
  scanned: 'string',
  keep: '(session: string) => Promise<void>',
  show: '(what: unknown) => void',
  onClose: '(then: () => void) => void',
  kKey: 'string',
  kClockZero: 'string',
  isMoving: 'boolean',
  advertise: '(uuid: string) => void',
  onceAt: '(when: Date, what: string) => void',
  serviceData: 'Uint8Array',
  report: '(what: { eid: string; at: string }) => void',
  receipt: 'ErasureReceipt',
  erasure: 'string',
  boxKey: 'string',
};
const kImport = /^import \{ (.*) \} from '(.*)';$/gm;

// One module of them: a function for each, of what is given and, but for the first, of the door.
function moduleOf(page) {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
  assert.equal(blocks.length, kSamples.length, 'samples of docs/app-sdk.md');
  const imports = [...page.matchAll(kImport)];
  const names = [...new Set(imports.flatMap(([, list]) => list.split(', ')))];
  const members = Object.entries(kGiven).map(([name, type]) => `${name}: ${type};`);
  const functions = blocks.map((block, i) => {
    const door = i === 0 ? '' : ', door: Door';
    const end = i === 0 ? 'return door;\n' : '';
    const given = Object.keys(kGiven).join(', ');
    return `export async function ${kSamples[i]}({ ${given} }: Given${door}) {\n${block.replace(kImport, '')}${end}}\n`;
  });
  return [
    `import { ${names.join(', ')}, type ErasureReceipt } from '${imports[0][2]}';`,
    `interface Given {\n${members.join('\n')}\n}`,
    ...functions,
  ].join('\n');
}

// Adverts as a controller reports them, in a recording that a box plays: [{ at, address, ad }].
function btsnoop(adverts) {
  const word = (n) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(n);
    return bytes;
  };
  const records = adverts.flatMap(({ at, address, ad }) => {
    const report = Buffer.from(`3e${hex(ad.length + 12)}02010301${address}${hex(ad.length)}`, 'hex');
    const packet = Buffer.concat([Buffer.from('04', 'hex'), report, ad, Buffer.from([0xcc])]); // -52 dBm
    const time = Buffer.alloc(8);
    time.writeBigInt64BE(BigInt(at) * 1000n + 0x00dcddb30f2f8000n);
    return [word(packet.length), word(packet.length), word(3), word(0), time, packet];
  });
  return Buffer.concat([Buffer.from('btsnoop\0'), word(1), word(1002), ...records]);
}
const hex = (n) => n.toString(16).padStart(2, '0');
const kUuidAd = (uuid) =>
  Buffer.from(`0201061107${uuid.replaceAll('-', '').match(/../g).reverse().join('')}`, 'hex');
const kEidAd = (eid) => Buffer.from(`0303aafe0d16aafe30ee${eid}`, 'hex');

describe('an app of your own', () => {
  let story, dir, app, sdk, door, file;
  const shown = [];
  const given = { kKey: '000102030405060708090a0b0c0d0e0f', show: (what) => shown.push(what) };

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-app-'));
    symlinkSync(path.join(kRoot, 'sdk'), path.join(dir, 'sdk'));
    file = path.join(dir, 'app.ts');
    writeFileSync(file, moduleOf(readFileSync(path.join(kRoot, 'docs/app-sdk.md'), 'utf8')));
    [app, sdk] = [await load(file), await load('sdk/ts/index.ts')];
    story = new Story({ dir: path.join(dir, 'story'), pages: null });
    await story.prepare({ enrol: false });
    story.daemon = await story.startDaemon();
    given.kDoor = `http://127.0.0.1:${story.stack.ports.door}`;
    given.kPage = story.stack.web;
  });
  after(async () => {
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('compiles as the page has it', () => {
    const options = readFileSync(path.join(kRoot, 'sdk/tsconfig.json'), 'utf8');
    const { noUnusedLocals, noUnusedParameters, ...compilerOptions } = JSON.parse(options).compilerOptions;
    const config = path.join(dir, 'tsconfig.json');
    writeFileSync(config, JSON.stringify({ compilerOptions, files: [file] }));
    const tsc = path.join(kRoot, 'node_modules/.bin/tsc');
    const { status, stdout } = spawnSync(tsc, ['-p', config], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    // The types are those of the document: a purpose that it does not have is none.
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace("purpose: 'proximity_offers'", "purpose: 'everything'"));
    const wrong = spawnSync(tsc, ['-p', config], { encoding: 'utf8' });
    writeFileSync(file, text);
    assert.match(wrong.stdout, /TS2322.*everything/);
  });

  it('signs in, and goes on with the session that it kept', async () => {
    given.scanned = await story.link('c-mia');
    given.keep = async (session) => (given.session = session);
    door = await app.signIn(given);
    assert.match(given.session, /^__Host-welcome=[\w-]+$/);
    await assert.rejects(app.signIn(given), { name: 'Refused', status: 410, problem: 'link-used' });
  });

  it('asks, and what it asks is done once', async () => {
    const { purposes } = await door.ask('GET /v1/me');
    if (purposes.proximity_offers) {
      const body = { id: randomUUID(), purpose: 'proximity_offers', given: false };
      assert.equal((await door.ask('POST /v1/consents', { body })).purposes.proximity_offers, false);
      await door.ask('POST /v1/consents', { body });
      const { consents } = await door.ask('GET /v1/me');
      const { history } = consents.find((one) => one.purpose === 'proximity_offers');
      assert.equal(history.filter((step) => step.state === 'withdrawn').length, 1);
    }
    await app.ask(given, door);
    assert.equal(shown[0].proximity_offers, true);
    assert.deepEqual(shown[1], []);
  });

  it('hears what changes, until it is signed out elsewhere', async () => {
    shown.length = 0;
    given.onClose = (then) => (given.close = then);
    // It may be told of a choice and be signed out before it has asked.
    const listening = app.listen(given, door).catch(({ problem }) => assert.equal(problem, 'signed-out'));
    const other = await story.device('c-mia', 'Another phone');
    await story.until(async () => {
      await other.choose('proximity_offers', false);
      await other.choose('proximity_offers', true);
      return shown.length > 0;
    }, 'it has heard of a choice');
    assert.equal(shown.at(-1).proximity_offers !== undefined, true);
    const { devices } = await door.ask('GET /v1/me');
    const mine = devices.find((one) => one.this);
    assert.equal(mine.name, 'My phone');
    await other.ask('DELETE', `/v1/devices/${mine.device}`);
    await listening;
    await assert.rejects(door.ask('GET /v1/me'), { status: 401, problem: 'signed-out' });
  });

  it('is asked once more for what asks for it', async () => {
    given.scanned = await story.link('c-mia');
    door = await app.signIn(given);
    shown.length = 0;
    await app.stepUp(given, door);
    assert.deepEqual(shown, []);
    anHourLater(story.database);
    await app.stepUp(given, door);
    assert.equal(shown.length, 1);
  });

  it('shows a code for the desk', async () => {
    shown.length = 0;
    await app.deskCode(given, door);
    assert.match(shown[0], /^\d{6}, until 20/);
  });

  it('is heard by what docs/ble.md says', async () => {
    const sent = [];
    const clocks = { kClockZero: new Date(Date.now() - 1_000_000_500).toISOString(), isMoving: false };
    Object.assign(given, clocks, { advertise: (uuid) => sent.push(uuid), onceAt: (at) => sent.push(at) });
    await app.beHeard(given, door);
    assert.equal(sent[0], 'ea0e118d-097e-8c21-a2db-fef17714b0ce');
    assert.ok(sent[1] > new Date() && sent[1] - Date.now() <= 1_024_000);
    await app.beHeard({ ...given, isMoving: true }, door);
    assert.equal(sent[2], 'ea0e118d-097e-8c21-a2db-fef17714b0cf');
  });

  // Three phones at the desk: one sends what the SDK says, one moves, one sends an EID; the fourth is of another key.
  it('is recognised by a real box', async () => {
    const [begun, seconds, clockZero] = [Date.now(), 120, '2026-01-01T00:00:00.000Z'];
    const phones = [
      { customer: 'c-mia', kind: 'rotating_uuid', as: async (at, key) => kUuidAd(await uuid(at, key)) },
      {
        customer: 'c-bruno',
        kind: 'rotating_uuid',
        as: async (at, key) => kUuidAd(sdk.moving(await uuid(at, key))),
      },
      {
        customer: 'c-paul',
        kind: 'eddystone_eid',
        as: async (at, key) => kEidAd(await sdk.eddystoneEid(key, 3, clock(at))),
      },
    ];
    const clock = (at) => Math.floor((at - Date.parse(clockZero)) / 1000);
    const uuid = async (at, key) =>
      (await sdk.onAir({ key, exponent: 3, clockZero: new Date(clockZero) }, new Date(at))).uuid;
    const identities = phones.map(({ customer, kind }) => ({
      identity: `i-app-${customer}`,
      customer,
      kind,
      key: randomBytes(16).toString('hex'),
      rotation_exponent: 3,
      clock_zero: clockZero,
    }));
    const file = path.join(dir, 'identities.json');
    writeFileSync(file, JSON.stringify({ identities }));
    await story.crm('import', file);
    const adverts = [];
    for (let at = begun; at < begun + seconds * 1000; at += 250) {
      for (const [i, { as }] of phones.entries()) {
        const ad = await as(at, sdk.keyFromHex(identities[i].key));
        adverts.push({ at, address: `${hex(i)}334455667a`, ad });
      }
      adverts.push({ at, address: '99334455667a', ad: kUuidAd(await uuid(at, randomBytes(16))) });
    }
    const recording = path.join(dir, 'phones.btsnoop');
    writeFileSync(recording, btsnoop(adverts));
    await story.daemon.stop();
    story.daemon = await story.stack.startBox({
      file: story.program('welcomed'),
      conf: {
        consent: { crm_keys: '{dir}/crm-keys' },
        radio: { source: 'btsnoop', file: recording },
        replay: { epoch_ms: begun, start_ms: begun },
      },
      boxKey: story.boxKey,
    });
    const here = async () => (await story.ctl('visits')).map(({ customer }) => customer).sort();
    await story.until(async () => (await here()).length === 3, 'all three are here');
    assert.deepEqual(await here(), ['c-bruno', 'c-mia', 'c-paul']);
    assert.equal((await story.ctl('status')).radio.replayed ?? 0, 0, 'nothing of a window that is over');
  });

  it("reports a box's EID", async () => {
    const reports = [];
    given.serviceData = Uint8Array.from([0x30, 0xee, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0]);
    await app.hearTheBox({ ...given, report: (what) => reports.push(what) }, door);
    assert.equal(reports[0].eid, '0102030405060708');
  });

  it("checks the box's proof that somebody is erased", async () => {
    // The one of the page, `c-paul`, with its own id of the command and the key that the CRM trusts.
    const { erasure } = JSON.parse((await story.crm('--json', 'customer', 'forget', 'c-paul')).stdout);
    const ledger = async () =>
      (await story.crm('--json', 'ledger')).stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
        .find((event) => event.type.includes('erasure.receipt'));
    await story.until(ledger, 'the receipt is there');
    const [box] = JSON.parse((await story.crm('--json', 'boxes')).stdout);
    const { data } = await ledger();
    const checked = { ...given, erasure, boxKey: box.key.public_key };
    shown.length = 0;
    await app.check({ ...checked, receipt: data }, door);
    assert.deepEqual(shown, ['Proved: the bytes are gone.']);
    await app.check({ ...checked, receipt: { ...data, bytes_gone: false } }, door);
    assert.equal(shown[1], 'its signature is wrong');
  });
});
