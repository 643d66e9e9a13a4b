// SPDX-License-Identifier: Apache-2.0
// Attack A: somebody with an account connects under another's client id, and so takes away the session
// and what waits in it; and who may have an account at all, and say what to customers. On the brokers as they
// are shipped (packaging/broker), the real CRM and box.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import path from 'node:path';
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
    for (const clean of [true, false]) await tryAs(stack, 'uplink', account, 'crm', { clean });
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
    await tryAs(stack, 'floor', 'tablet-1', id, { port: stack.ports.floorWs, protocol: 'ws' });
    await tryAs(stack, 'uplink', other, id);
    await tryAs(stack, 'uplink', 'crm-is-no-account', id);
  }
  assert.ok(await up());
  const log = readFileSync(daemon.log, 'utf8');
  assert.ok(!log.includes('is down: '), log);
});

// On a line of its own: Mosquitto cuts it where it lets nothing through.
async function tell(stack, account, topic) {
  const client = await stack.connect('uplink', account);
  client.publish(topic, JSON.stringify({ ...kExample, id: 'attack' }));
  await client.subscribeAsync('nothing').catch(() => {}); // then it has come
  await client.endAsync(true);
}

test('no customer has an account of the broker, and who is neither CRM nor box hears and says nothing', async (t) => {
  const story = await openShop(t);
  const { stack } = story;
  const passwords = path.join(stack.brokerFiles('uplink'), 'passwords');
  const accounts = () =>
    readFileSync(passwords, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(':')[0]);
  const before = accounts();
  // Signed in, and so known to the CRM in every way that a customer can be.
  const phone = await story.device('c-paul', 'Phone');
  assert.equal((await phone.choose('visit_analytics', true)).status, 200);
  assert.deepEqual(accounts(), before);
  assert.deepEqual(before.sort(), ['crm', stack.address, 'owner'].sort());
  const { app_id } = (await phone.ask('POST', '/v1/export', {})).body;
  const link = (await story.link('c-paul')).split('#link=')[1];
  const names = ['c-paul', app_id, `app-${app_id}`, 'app'];
  const secrets = [link, phone.cookie.split('=')[1], app_id];
  const tried = names.flatMap((username) => secrets.map((password) => ({ username, password })));
  for (const how of [...tried, { username: undefined, password: undefined }]) {
    const connecting = stack.connect('uplink', how.username, { ...how, clientId: 'phone' });
    await assert.rejects(connecting, /[Nn]ot authorized|Bad User Name/);
  }

  // An account as apps had one before 0.2, whose rules are not shipped any more.
  const account = `app-${app_id}`;
  stack.accounts[account] = randomUUID();
  execFileSync('mosquitto_passwd', ['-b', passwords, account, stack.accounts[account]]);
  await stack.reloadBroker('uplink', account);
  const app = await stack.connect('uplink', account);
  const heard = [];
  app.on('message', (topic) => heard.push(topic));
  await app.subscribeAsync(['#', 'welcome/#', `welcome/v1/${stack.tenant}/app/${app_id}/inbox`], { qos: 1 });
  const told = stack.message('uplink', `welcome/v1/${stack.address}/feed/+`);
  await story.crm('customer', 'consent', 'c-paul', 'visit_analytics', 'withdrawn');
  await told;
  assert.equal(app.connected, true);
  assert.deepEqual(heard, []);
  await app.endAsync();

  // Nor does a stolen box write to a customer: there is no topic of theirs.
  const owner = await stack.connect('uplink', 'owner');
  const passed = []; // what the broker lets through
  owner.on('message', (topic, payload) => String(payload).includes('"id":"attack"') && passed.push(topic));
  await owner.subscribeAsync('#', { qos: 1 });
  const page = ['inbox', 'request'].map((leaf) => `welcome/v1/${stack.tenant}/app/${app_id}/${leaf}`);
  const its = ['state', 'hello', 'event', 'response', 'command', 'taken', 'feed/consents'];
  for (const topic of [...page, ...its.map((leaf) => `welcome/v1/${stack.address}/${leaf}`)])
    await tell(stack, account, topic);
  for (const topic of [...page, `welcome/v1/${stack.address}/event`]) await tell(stack, stack.address, topic);
  await story.until(() => passed.length > 0, 'the box says what a box says');
  assert.deepEqual(passed, [`welcome/v1/${stack.address}/event`]);
  await owner.endAsync();
  assert.deepEqual((await phone.ask('GET', '/v1/offers')).body, { offers: [], surveys: [] });
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

test('no broker listens beyond the machine, but where its file opens a door', async (t) => {
  const { stack } = await openShop(t);
  // Mosquitto's WebSockets take every address unless told a domain: whoever listens for all of them is
  // reached at ::1, too, which no line of the files names.
  for (const [name, port] of Object.entries(stack.ports)) {
    const reached = await new Promise((resolve) => {
      const socket = createConnection({ host: '::1', port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    assert.equal(reached, false, `${name} is reached at ::1`);
  }
});
