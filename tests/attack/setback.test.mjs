// SPDX-License-Identifier: Apache-2.0
// Attack H10: a box's store is put back from a copy of its card. By itself the box cannot notice, its audit
// log is whole; the CRM remembers where it was. On the real broker, CRM and box.

import assert from 'node:assert/strict';
import { cpSync, renameSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openShop } from './shop.mjs';

async function known(story) {
  const { stdout } = await story.crm('--json', 'boxes');
  return JSON.parse(stdout).find(({ box }) => box === 'box-1');
}

// Starts the box, and waits until the CRM has its audit head of now.
async function startAndTell(story) {
  const daemon = await story.startDaemon();
  await story.until(async () => (await story.ctl('status')).crm.feed.consents?.items >= 11, 'all is there');
  await story.ctl('customer', 'export', 'c-mia'); // an entry of its audit log
  await daemon.stop();
  const again = await story.startDaemon();
  const { head } = await story.ctl('audit', 'verify');
  await story.until(async () => (await known(story)).audit?.seq === head.seq, 'the CRM has its audit head');
  return again;
}

test('H10: a store that was put back says that it is intact, and the CRM says that it is not', async (t) => {
  const story = await openShop(t);
  const state = path.join(story.dir, 'welcomed');
  const copy = path.join(story.dir, 'copy');

  await (await startAndTell(story)).stop();
  cpSync(state, copy, { recursive: true });
  let daemon = await startAndTell(story);
  assert.equal((await known(story)).audit.set_back, null, 'starting again is no alarm');
  const before = (await known(story)).audit;
  await daemon.stop();

  renameSync(state, path.join(story.dir, 'newer'));
  cpSync(copy, state, { recursive: true });
  daemon = await story.startDaemon();
  assert.equal((await story.ctl('audit', 'verify')).intact, true, 'the box cannot know');
  await story.until(async () => (await known(story)).audit.set_back, 'the CRM notices');
  const { audit } = await known(story);
  assert.match(audit.set_back.why, /its session is \d+ and was \d+/);
  assert.equal(audit.seq, before.seq, 'what was known stays');
  const { stdout } = await story.crm('boxes');
  assert.match(stdout, /aroma-1\/box-1 was set back/);
  const counters = async () => JSON.parse((await story.crm('--json', 'status')).stdout).at(0).counters;
  await story.until(async () => (await counters()).boxes_set_back === 1, 'it is counted');

  // It goes on for as long as it likes: it stays noticed, until somebody says that they know.
  await daemon.stop();
  daemon = await story.startDaemon();
  await story.ctl('customer', 'export', 'c-mia');
  await daemon.stop();
  assert.ok((await known(story)).audit.set_back);
  await story.crm('boxes', 'acknowledge', 'aroma-1/box-1');
  assert.equal((await known(story)).audit.set_back, null);
  daemon = await startAndTell(story);
  assert.equal((await known(story)).audit.set_back, null, 'from here on it is as any other');
  await daemon.stop();
});
