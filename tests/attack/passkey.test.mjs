// SPDX-License-Identifier: Apache-2.0
// Rule 3, on the real CRM: what confirms that a phone is still in its owner's hand, or signs a new one in, is a
// passkey of that customer, used now, on this page, for this session. Everything else confirms nothing.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Authenticator } from '../../harness/authenticator.mjs';
import { anHourLater, Device } from '../../harness/door.mjs';
import { openShop } from './shop.mjs';

const mayExport = async (device) => (await device.ask('POST', '/v1/export', {})).status === 200;
// Each from an address of its own: how often one may try is another test's.
let addresses = 0;
function stranger(story) {
  const device = new Device(`http://127.0.0.1:${story.stack.ports.door}`, story.stack.web);
  const ask = device.ask.bind(device);
  device.ask = (method, target, body, headers = {}) =>
    ask(method, target, body, { 'x-forwarded-for': `203.0.113.${++addresses}`, ...headers });
  return device;
}
const problem = ({ body }) => body?.type.split(':').pop() ?? 'none';

test('only a passkey of this customer, used now and here, confirms that it is still them', async (t) => {
  const story = await openShop(t);
  const phone = await story.device('c-paul', 'Phone');
  const tablet = await story.device('c-paul', 'Tablet');
  const mia = await story.device('c-mia', 'Phone');
  const [key, ofMia] = [new Authenticator(phone.origin), new Authenticator(phone.origin)];
  assert.equal((await key.create(phone)).status, 204);
  assert.equal((await ofMia.create(mia)).status, 204);
  assert.equal((await key.confirm(phone)).status, 204);
  anHourLater(story.database);
  const challenge = async (device, what = 'confirm') =>
    (await device.ask('POST', '/v1/passkeys/challenge', { for: what })).body;
  const confirm = (device, body) => device.ask('POST', '/v1/passkeys/confirm', body);

  // Nobody makes a passkey with a phone that was left lying about.
  assert.equal(problem(await new Authenticator(phone.origin).create(phone)), 'step-up-needed');
  for (const wrong of [
    { origin: 'https://evil.example' },
    { origin: `${phone.origin}.evil.example` },
    { host: 'evil.example' },
    { flags: 0x01 },
    { flags: 0x04 },
    { crossOrigin: true },
    { counter: 0 },
  ]) {
    const before = key.counter;
    assert.equal(problem(await key.confirm(phone, wrong)), 'passkey-refused', JSON.stringify(wrong));
    key.counter = before + 1;
  }
  assert.equal(problem(await ofMia.confirm(phone)), 'passkey-unknown');
  assert.equal(problem(await confirm(phone, key.used(await challenge(tablet)))), 'challenge-over');
  const entering = (await phone.ask('POST', '/v1/session/challenge', {})).body;
  assert.equal(problem(await confirm(phone, key.used(entering))), 'challenge-over');
  for (const device of [phone, tablet]) assert.equal(await mayExport(device), false);

  const good = key.used(await challenge(phone));
  assert.equal((await confirm(phone, good)).status, 204);
  assert.equal(await mayExport(phone), true);
  assert.equal(await mayExport(tablet), false);
  anHourLater(story.database);
  assert.equal(problem(await confirm(phone, good)), 'challenge-over', 'replayed');
  // The authenticator was copied, and the copy counts on from where it was.
  assert.equal(problem(await key.confirm(phone, { counter: key.counter })), 'passkey-refused');
  assert.equal(await mayExport(phone), false);
});

test('a passkey signs in whose it is, and nobody once it is removed or they are forgotten', async (t) => {
  const story = await openShop(t);
  const phone = await story.device('c-paul', 'Phone');
  const mia = await story.device('c-mia', 'Phone');
  const [key, ofMia] = [new Authenticator(phone.origin), new Authenticator(phone.origin)];
  assert.equal((await key.create(phone)).status, 204);
  assert.equal((await ofMia.create(mia)).status, 204);
  const laptop = stranger(story);
  assert.equal((await key.enter(laptop)).status, 204);
  assert.equal((await laptop.ask('GET', '/v1/me')).body.name, 'Paul Moreau');

  const thief = stranger(story);
  for (const wrong of [{ origin: 'https://evil.example' }, { host: 'evil.example' }, { counter: 1 }]) {
    const before = key.counter;
    assert.equal(problem(await key.enter(thief, wrong)), 'passkey-refused');
    key.counter = before + 1;
  }
  assert.equal(problem(await key.enter(thief, { handle: ofMia.handle })), 'passkey-unknown');
  assert.equal(problem(await new Authenticator(phone.origin).enter(thief)), 'passkey-unknown');
  const asked = (await thief.ask('POST', '/v1/session/challenge', {})).body;
  const said = key.used(asked);
  assert.equal((await stranger(story).ask('POST', '/v1/session/passkey', said)).status, 204);
  assert.equal(problem(await thief.ask('POST', '/v1/session/passkey', said)), 'challenge-over');
  // A page of somebody else signs no visitor in as somebody.
  const foreign = { origin: 'https://evil.example' };
  assert.equal(
    problem(await thief.ask('POST', '/v1/session/passkey', key.used(asked), foreign)),
    'foreign-origin',
  );
  assert.equal(thief.cookie, '');

  const { passkeys } = (await phone.ask('GET', '/v1/me')).body;
  assert.equal(problem(await mia.ask('DELETE', `/v1/passkeys/${passkeys[0].passkey}`)), 'passkey-unknown');
  await story.crm('passkey', 'remove', 'c-paul', passkeys[0].passkey);
  assert.equal(problem(await key.enter(thief)), 'passkey-unknown');
  assert.equal((await mia.ask('POST', '/v1/forget', {})).status, 202);
  assert.equal(problem(await ofMia.enter(thief)), 'passkey-unknown');

  // No key, challenge or name of a passkey is in the log.
  const log = readFileSync(story.stack.program('crm').log, 'utf8');
  for (const secret of [key.handle, key.id.toString('base64url'), asked.challenge, 'Phone'])
    assert.ok(!log.includes(secret));
});
