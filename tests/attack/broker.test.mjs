// SPDX-License-Identifier: Apache-2.0
// Attack A: somebody with an account connects under another's client id, and so takes away the session
// and what waits in it. On the brokers as they are shipped (packaging/broker), the real CRM and box.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { openShop } from './shop.mjs';

const kExample = JSON.parse(
  readFileSync(new URL('../../docs/examples/event.health.json', import.meta.url), 'utf8'),
);

// `connect` refuses, or the broker has given the client another id: either way it is over at once.
async function tryAs(stack, link, account, clientId, options = {}) {
  const client = await stack.connect(link, account, { clientId, ...options }).catch(() => null);
  await client?.endAsync(true);
}

// Says `count` events as the box, as a box does: QoS 1, and gone when the broker has acknowledged.
async function say(box, address, count, first) {
  for (let i = first; i < first + count; ++i) {
    const event = { ...kExample, id: `attack-${i}`, time: new Date().toISOString() };
    event.source = `/${address}`;
    await box.publishAsync(`welcome/v1/${address}/event`, JSON.stringify(event), { qos: 1 });
  }
}

async function arrived(story) {
  const { stdout } = await story.crm('--json', 'ledger');
  return new Set(stdout.match(/"attack-\d+"/g)).size;
}

test('an account with the CRM’s client id takes no event away', async (t) => {
  const story = await openShop(t);
  const { stack } = story;
  // Another box of the store, and the one whose events they are.
  const attackers = [await story.admit('box-2'), stack.address];

  // While the CRM is away the broker keeps its session, and everything in it.
  await stack.program('crm').stop();
  const box = await stack.connect('uplink', stack.address);
  await say(box, stack.address, 100, 0);
  await box.endAsync();
  for (const account of attackers)
    for (const port of [stack.ports.uplink, stack.ports.uplinkWs])
      for (const clean of [true, false])
        await tryAs(stack, 'uplink', account, 'crm', {
          port,
          protocol: port === stack.ports.uplink ? 'mqtt' : 'ws',
          clean,
        });
  await story.serveCrm();
  await story.until(async () => (await arrived(story)) === 100, '100 of 100 events arrive');

  // While it lives, an attacker in a loop does not even disturb it.
  const again = await stack.connect('uplink', stack.address);
  let on = true;
  const loop = (async () => {
    while (on) await tryAs(stack, 'uplink', attackers[0], 'crm');
  })();
  await say(again, stack.address, 200, 100);
  on = false;
  await loop;
  await again.endAsync();
  await story.until(async () => (await arrived(story)) === 300, '300 of 300 events arrive');
  // Twice started, twice connected: it was not thrown out in between.
  const connected = readFileSync(stack.program('crm').log, 'utf8').match(/connected to the broker/g);
  assert.equal(connected.length, 2);
});

test('an account with a box’s client id does not push it off either line', async (t) => {
  const story = await openShop(t);
  const { stack } = story;
  const daemon = await story.startDaemon();
  const up = async () => {
    const { links } = await story.ctl('status');
    return links.uplink.state === 'up' && links.floor.state === 'up';
  };
  await story.until(up, 'both lines are up');
  const other = await story.admit('box-2');
  for (const id of [stack.address, stack.box, stack.address.replaceAll('/', '-')]) {
    await tryAs(stack, 'floor', 'tablet-1', id);
    await tryAs(stack, 'uplink', other, id);
    await tryAs(stack, 'uplink', 'crm-is-no-account', id);
  }
  assert.ok(await up());
  const log = readFileSync(daemon.log, 'utf8');
  assert.ok(!log.includes('is down: '), log);
});

// Attack P2: what the broker acknowledged, it has lost; and nobody had read it.
test('a broker that is killed with events for the CRM takes none of them with it', async (t) => {
  const story = await openShop(t, { speed: 4 });
  const { stack } = story;
  story.play().catch(() => {}); // not to its end
  await story.at(12);
  await stack.program('crm').stop();
  const before = story.events.length;
  await story.until(() => story.events.length >= before + 3, 'events are at the broker');
  await stack.program('mosquitto-central').kill();
  await stack.startBroker('uplink');
  await story.serveCrm();
  const acknowledged = [...story.events];
  await story.until(async () => (await story.ctl('status')).outbox.uplink === 0, 'all is in the ledger');
  const { stdout } = await story.crm('--json', 'ledger');
  const ledger = new Set(stdout.match(/"id":\s*"[^"]+"/g)?.map((member) => member.split('"')[3]));
  assert.deepEqual(
    acknowledged.map(({ id }) => id).filter((id) => !ledger.has(id)),
    [],
  );
});
