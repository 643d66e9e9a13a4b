// SPDX-License-Identifier: Apache-2.0
// Attacks B and C: somebody has a box's account, its password or its certificate, and says whatever an
// account can say. On the real broker with the rules as they are shipped, the real CRM, and beside it
// a box of the same store that nobody touched.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Story } from '../../demo/story.mjs';

const kExamples = new URL('../../docs/examples/', import.meta.url);
const example = (name) => JSON.parse(readFileSync(new URL(name, kExamples), 'utf8'));

// A shop whose CRM serves two boxes: box-1, and box-2, whose account somebody has.
async function shop(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-attack-'));
  const story = new Story({ dir, pages: null, say: (line) => t.diagnostic(line) });
  t.after(async () => {
    await story.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await story.prepare({ enrol: false });
  return story;
}

// Speaks with the account of box-2.
class Thief {
  static async of(story) {
    const thief = new Thief();
    thief.story = story;
    thief.address = await story.admit('box-2');
    thief.heard = [];
    await thief.connect();
    return thief;
  }

  async connect() {
    this.client?.end(true);
    this.client = await this.story.stack.connect('uplink', this.address);
    this.client.on('message', (topic, payload) => this.heard.push({ topic, payload: String(payload) }));
  }

  hear(...topics) {
    return this.client.subscribeAsync(topics, { qos: 1 });
  }

  say(topic, body, qos = 1) {
    return this.client.publishAsync(`welcome/v1/${topic}`, JSON.stringify(body), { qos });
  }

  hello(address = this.address, qos = 1) {
    const body = { ...example('hello.json'), box: address.split('/').pop(), have: {} };
    return this.say(`${address}/hello`, body, qos);
  }

  // An event about `subject`, and waits until the CRM has it: the one after it is in the ledger.
  async event(type, subject, data, more = {}) {
    this.count = (this.count ?? 0) + 1;
    const event = {
      ...example('event.health.json'),
      id: `thief-${this.count}`,
      source: `/${this.address}`,
      type: `com.welcomed.${type}.v1`,
      time: new Date().toISOString(),
      ...(subject ? { subject } : {}),
      data,
      ...more,
    };
    await this.say(`${this.address}/event`, event);
    await this.story.until(async () => this.entry(event.id), `${event.id} is in the ledger`);
    return this.entry(event.id);
  }

  async entry(id) {
    const { stdout } = await this.story.crm('--json', 'ledger');
    const lines = stdout.trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line)).find((entry) => entry.id === id && entry.handled);
  }
}

test('C5: a box’s account says hello as another store and another company and gets nothing', async (t) => {
  const story = await shop(t);
  const thief = await Thief.of(story);
  const counters = async () => JSON.parse((await story.crm('--json', 'status')).stdout).at(0)?.counters;
  const others = ['demo/aroma-9/box-2', 'demo/aroma-1/box-1', 'rival/aroma-1/box-2'];
  for (const address of others) {
    await assert.rejects(thief.hello(address), /Not authorized/);
    await thief.connect();
  }
  // And once more with open ears, without asking for an acknowledgement.
  await thief.hear(...others.map((address) => `welcome/v1/${address}/feed/+`));
  for (const address of others) await thief.hello(address, 0);
  // Its own box that nobody admitted: what the broker lets through the CRM turns away.
  await story.crm('boxes', 'revoke', 'aroma-1/box-2');
  await thief.hear(`welcome/v1/${thief.address}/feed/+`);
  await thief.hello();
  const shown = async () => {
    const { stdout } = await story.crm('--json', 'boxes');
    return JSON.parse(stdout);
  };
  await story.until(async () => (await shown()).some((box) => box.box === 'box-2'), 'it is shown');
  const boxes = await shown();
  assert.deepEqual(
    boxes.map((box) => [box.store, box.box, box.admitted, box.tried]),
    [
      ['aroma-1', 'box-1', true, undefined],
      ['aroma-1', 'box-2', false, 'hello'],
    ],
  );
  await story.until(async () => (await counters())?.strangers === 1, 'and counted');
  assert.deepEqual(thief.heard, []);
});

test('C6: a box that no longer exists blocks no erasure, and its account is cut off', async (t) => {
  const story = await shop(t);
  const thief = await Thief.of(story);
  await thief.hear(`welcome/v1/${thief.address}/feed/+`, `welcome/v1/${thief.address}/command`);
  await thief.hello();
  await story.until(() => thief.heard.some(({ payload }) => payload.includes('c-mia')), 'it is told');
  const { erasure } = JSON.parse((await story.crm('--json', 'customer', 'forget', 'c-paul')).stdout);
  const status = () =>
    story.crm('--json', 'erasure', 'status', erasure).then(
      ({ stdout }) => JSON.parse(stdout),
      ({ stdout }) => JSON.parse(stdout),
    );
  assert.equal((await status()).complete, false);
  const gone = new Promise((resolve) => thief.client.once('close', resolve));
  const files = ['--broker-files', story.stack.brokerFiles('uplink')];
  const { stdout } = await story.crm('--json', 'boxes', 'revoke', 'aroma-1/box-2', ...files);
  const revoked = JSON.parse(stdout);
  assert.equal(revoked.erasures, 1);
  assert.deepEqual(revoked.customers, ['c-bruno', 'c-mia', 'c-paul'], 'whom the notice is for');
  assert.ok(revoked.new_keys_for.length > 0);
  const after = await status();
  assert.equal(after.complete, true);
  assert.ok(after.by_box.find((box) => box.box === 'box-2').revoked_at);

  story.stack.program('mosquitto-central').signal('SIGHUP');
  await gone; // the broker ends the line of an account that is no more
  await assert.rejects(story.stack.connect('uplink', thief.address));
});
