// SPDX-License-Identifier: Apache-2.0
// Offers and the policy, on the real programs: none without one, none where the box refused it, none in
// quiet hours that are always, and one where all is well.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Store, until } from './small_store.mjs';

const kCases = {
  'the usual policy': { policy: (usual) => usual, reason: 'made' },
  'no policy: a fresh box': { policy: () => null, reason: 'no_policy' },
  'a policy with a time zone that nobody knows': {
    policy: (usual) => ({ ...usual, time_zone: 'Mars/Olympus_Mons' }),
    reason: 'no_policy',
    refused: 'time_zone',
  },
  'quiet hours from 00:00 to 24:00': {
    policy: (usual) => ({ ...usual, quiet_hours: { from: '00:00', to: '24:00', mode: 'drop' } }),
    reason: 'quiet_hours',
  },
};

for (const [name, { policy, reason, refused }] of Object.entries(kCases)) {
  test(name, async (t) => {
    const store = new Store();
    t.after(() => store.stop());
    await store.prepare({ policy });
    const box = await store.box('box-1', Date.now() + 6000, () => -84, {});
    const decided = async () => (await box.ctl('decisions')).filter((d) => d.kind === 'offer');
    const [first] = await until(async () => {
      const rows = await decided();
      return rows.length > 0 && rows;
    }, 'it has decided');
    assert.equal(first.reason, reason);

    const offers = () => store.events.filter(({ type }) => type.includes('decision.offer'));
    const rejected = () => store.events.find(({ type }) => type.includes('feed.rejected'));
    if (reason === 'made') await until(() => offers().length > 0, 'the CRM gets the offer');
    if (refused)
      assert.match(
        (await until(rejected, 'head office hears what was refused')).data.reason,
        new RegExp(refused),
      );
    // What it has to say it has said: there is no offer in it.
    await until(async () => (await box.ctl('status')).outbox.uplink === 0, 'all is sent');
    assert.equal(offers().length, reason === 'made' ? 1 : 0);
  });
}
