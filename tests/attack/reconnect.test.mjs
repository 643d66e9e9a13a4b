// SPDX-License-Identifier: Apache-2.0
// Attack H5: a box was offline with messages about somebody, who withdrew meanwhile. When the line comes
// back the box hears of it only after it has said hello; none of those messages may leave before. On the
// real broker, CRM and box.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openShop } from './shop.mjs';

const kPurposes = ['visit_analytics', 'proximity_offers', 'face_recognition'];

// The day of the shop's story, without a line from before the first guest on; then `meanwhile`. What
// waited in the box then, and what the CRM has got once nothing waits any more.
async function offlineDay(t, meanwhile) {
  const story = await openShop(t, { speed: 4 });
  story.play().catch(() => {}); // not to its end
  await story.until(
    async () => (await story.ctl('status').catch(() => null))?.crm.feed.identities?.items >= 3,
    'the CRM has sent everything',
  );
  await story.stack.program('mosquitto-central').stop();
  const unsent = async (customer) => (await story.ctl('customer', 'export', customer)).unsent;
  await story.until(async () => (await unsent('c-paul')).length >= 3, 'messages about Paul wait');
  await meanwhile(story);
  const waiting = (await unsent('c-paul')).map(({ id }) => id);
  await story.stack.startBroker('uplink');
  // Paul walks on, so something may always be on its way: what waited then has gone, one way or the other.
  await story.until(
    async () => {
      const still = new Set((await unsent('c-paul')).map(({ id }) => id));
      return waiting.every((id) => !still.has(id));
    },
    'what waited has left the box',
    90e3,
  ); // a line that was away for long comes back within a minute
  const { stdout } = await story.crm('--json', 'ledger');
  const ledger = new Set(
    stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).id),
  );
  return { waiting, arrived: waiting.filter((id) => ledger.has(id)) };
}

test('H5: nothing about who withdrew while the box was offline leaves it', async (t) => {
  const { waiting, arrived } = await offlineDay(t, async (story) => {
    for (const purpose of kPurposes) await story.crm('customer', 'consent', 'c-paul', purpose, 'withdrawn');
  });
  assert.ok(waiting.length >= 3);
  assert.deepEqual(arrived, []);
});

// So that what is kept back above is not kept back from everybody.
test('what waited about somebody who did not withdraw arrives', async (t) => {
  const { waiting, arrived } = await offlineDay(t, async () => {});
  assert.deepEqual(arrived, waiting);
});
