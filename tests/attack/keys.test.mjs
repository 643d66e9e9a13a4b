// SPDX-License-Identifier: Apache-2.0
// Keys are changed while everything runs, and whoever has an old one is nobody any more. On the real
// broker, CRM and box.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openShop } from './shop.mjs';

async function known(story) {
  const { stdout } = await story.crm('--json', 'boxes');
  return JSON.parse(stdout).find(({ box }) => box === 'box-1');
}

const allThere = (story) =>
  story.until(async () => (await story.ctl('status')).crm.feed.consents?.items >= 11, 'all is there');

// The ids of the keys that the box believes, by its own word.
const believed = async (story) => (await known(story)).believes;

function becomes(story, keys, what) {
  const wanted = [...keys].sort().join();
  return story.until(async () => (await believed(story)).sort().join() === wanted, what, 60000);
}

async function newKey(story) {
  const before = new Set(await ids(story));
  await story.crm('sign-keys', '--new');
  return (await ids(story)).find((id) => !before.has(id));
}

async function ids(story) {
  const { stdout } = await story.crm('sign-keys');
  return [...stdout.matchAll(/^([^\s#]+) /gm)].map(([, id]) => id);
}

test('the box key is changed: the store is kept, receipts count, the old key opens nothing', async (t) => {
  const story = await openShop(t);
  const ctl = (...args) => story.ctl(...args);
  let daemon = await story.startDaemon();
  await allThere(story);
  const before = (await ctl('status')).box;
  await story.until(async () => (await known(story)).key, 'the CRM has its key');
  await daemon.stop();

  const file = path.join(story.dir, 'welcomed.box-key');
  const old = story.boxKey;
  writeFileSync(file, `${old}\n`, { mode: 0o600 });
  await ctl('key', 'new', '--file', file);
  story.boxKey = readFileSync(file, 'utf8');
  assert.ok(story.boxKey.startsWith(`${old}\n`));

  daemon = await story.startDaemon();
  const after = (await ctl('status')).box;
  assert.notEqual(after.public_key, before.public_key);
  assert.equal(after.key_changing, true);
  assert.equal((await ctl('audit', 'verify')).intact, true);
  assert.ok((await ctl('audit', 'show')).some(({ kind }) => kind === 'key'));
  await story.until(
    async () => (await known(story)).key.public_key === after.public_key,
    'the CRM trusts the new key',
  );
  const { key, audit } = await known(story);
  assert.equal(key.other, undefined, 'nobody had to say so');
  assert.equal(audit?.set_back ?? null, null, 'it is the same box');
  const { erasure } = JSON.parse((await story.crm('--json', 'customer', 'forget', 'c-paul')).stdout);
  const done = () =>
    story.crm('erasure', 'status', erasure).then(
      () => true,
      () => false,
    );
  await story.until(done, 'its receipt counts');

  await ctl('key', 'settle', '--file', file);
  await daemon.stop();
  story.boxKey = readFileSync(file, 'utf8');
  assert.equal(story.boxKey.trim().length, 64);
  daemon = await story.startDaemon();
  assert.equal((await ctl('status')).box.public_key, after.public_key);
  assert.equal((await ctl('status')).box.key_changing, false);
  await daemon.stop();
  story.boxKey = old;
  await assert.rejects(story.startDaemon(), 'the old key opens nothing');
});

test('the CRM’s key is changed without a hand at the box, and the old one is dropped', async (t) => {
  const story = await openShop(t);
  const daemon = await story.startDaemon();
  await allThere(story);
  const [first] = await ids(story);
  await becomes(story, [first], 'the box says what it believes');
  const second = await newKey(story);
  await becomes(story, [first, second], 'it has heard of the next key');
  await story.crm('sign-keys', '--use', second);
  await becomes(story, [second], 'and drops the old one once all is signed again');
  await story.crm('customer', 'consent', 'c-mia', 'preference_prompts', 'withdrawn');
  await story.until(async () => {
    const { consents } = await story.ctl('customer', 'export', 'c-mia');
    return JSON.stringify(consents).includes(second);
  }, 'it obeys the new one');
  const { consents } = await story.ctl('status');
  assert.equal(consents.footing, 'firm');
  assert.ok((await known(story)).believes_signer);
  await daemon.stop();
});

test('a box that was away while the CRM’s key changed is told by the old key, or a person is', async (t) => {
  const story = await openShop(t);
  let daemon = await story.startDaemon();
  await allThere(story);
  const [first] = await ids(story);
  await becomes(story, [first], 'the box says what it believes');
  await daemon.stop();

  const second = await newKey(story);
  const { stderr } = await story.crm('sign-keys', '--use', second);
  assert.match(stderr, /aroma-1\/box-1 has not heard of this key yet/);
  daemon = await story.startDaemon();
  await becomes(story, [second], 'it follows the word of the old key');
  assert.ok((await known(story)).believes_signer);
  await daemon.stop();

  // Two keys later nobody is left who could tell it: the words say what to do.
  const third = await newKey(story);
  await story.crm('sign-keys', '--use', third);
  const fourth = await newKey(story);
  await story.crm('sign-keys', '--use', fourth);
  daemon = await story.startDaemon();
  await becomes(story, [second, third], 'it comes as far as the words lead');
  const { stdout } = await story.crm('boxes');
  assert.match(stdout, /aroma-1\/box-1 does not believe the key that signs now/);
  assert.match(stdout, /consent\.crm_keys/);
  await story.pinKeys();
  await story.ctl('reload');
  await becomes(story, [fourth], 'what the technician pins counts');
  await story.until(async () => (await known(story)).believes_signer, 'and it is believed');
  await daemon.stop();
});
