// SPDX-License-Identifier: Apache-2.0
// Attacks P1, H4 and H8 on the customer's side, on the real programs: who is told that they are forgotten while no box
// has erased, what is left of them in files, and who tries links and connections without end.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Authenticator } from '../../harness/authenticator.mjs';
import { Device } from '../../harness/door.mjs';
import { openShop } from './shop.mjs';

const base = (story) => `http://127.0.0.1:${story.stack.ports.door}`;

// Files under `dir` in which one of the words is.
function filesWith(dir, words) {
  return readdirSync(dir)
    .map((name) => path.join(dir, name))
    .filter((file) => statSync(file).isFile())
    .filter((file) => words.some((word) => readFileSync(file).includes(word)));
}

test('P1: forgotten is said when the last box has erased, and no session outlives the wish', async (t) => {
  const story = await openShop(t);
  const box = await story.startDaemon();
  await story.until(
    async () => (await story.ctl('status')).crm.feed.profiles?.items >= 3,
    'the box has profiles',
  );
  await box.stop();
  const phone = await story.device('c-paul', 'Phone');
  const other = await story.device('c-paul', 'Other');
  const unused = await story.link('c-paul');
  const { body } = await phone.ask('POST', '/v1/forget', {});
  assert.deepEqual([body.erasure.done, body.erasure.boxes, body.erasure.done_at], [0, 1, null]);
  for (const device of [phone, other]) assert.equal((await device.ask('GET', '/v1/me')).status, 401);
  const late = new Device(base(story), story.stack.web);
  assert.equal((await late.open(unused)).status, 404);
  const state = async () => (await late.ask('GET', `/v1/erasures/${body.token}`)).body;
  assert.equal((await state()).done_at, null);
  await story.startDaemon();
  await story.until(async () => (await state()).done_at, 'the box has erased');
  assert.ok((await state()).receipts.every(({ done_at }) => done_at));
});

test('H4: after "forget me" from the phone no file of the CRM and of the broker names them', async (t) => {
  const story = await openShop(t);
  const files = [path.join(story.dir, 'crm'), story.stack.brokerFiles('uplink')];
  const { stdout } = await story.crm('--json', 'customer', 'export', 'c-paul');
  const { profile, identities } = JSON.parse(stdout);
  const keys = identities.flatMap(({ key, irk }) => [key, irk].filter(Boolean));
  const words = [profile.name, ...profile.preferences.map(({ value }) => value), ...keys];
  assert.ok(keys.length > 0 && words.length > 3, 'what is looked for is there');
  assert.ok(filesWith(files[0], [profile.name]).length > 0);
  const phone = await story.device('c-paul', 'Phone of Paul');
  const key = new Authenticator(phone.origin);
  assert.equal((await key.create(phone, 'Key of Paul')).status, 204);
  assert.equal((await key.confirm(phone)).status, 204);
  const named = ['Phone of Paul', 'Key of Paul', key.id.toString('base64url'), key.handle];
  for (const word of named) assert.ok(filesWith(files[0], [word]).length > 0, word);
  assert.equal((await phone.choose('visit_analytics', false)).status, 200);
  assert.equal((await phone.ask('POST', '/v1/export', {})).status, 200);
  assert.equal((await phone.ask('POST', '/v1/forget', {})).status, 202);
  const made = ['customers.csv', 'consents.csv']; // by hand, for the import
  await story.until(
    async () =>
      files.every(
        (dir) =>
          filesWith(dir, [...words, ...named]).filter((file) => !made.includes(path.basename(file)))
            .length === 0,
      ),
    'nothing of them is left',
  );
});

test('H8: who tries links, or holds connections, without end is slowed down, and nobody else is', async (t) => {
  const story = await openShop(t);
  const phone = await story.device('c-mia', 'Phone');
  const answers = {};
  const thief = new Device(base(story), story.stack.web);
  for (let i = 0; i < 1000; ++i) {
    const token = `x${i}`.padEnd(43, 'y');
    const from = { 'x-forwarded-for': '203.0.113.9' };
    const { status } = await thief.ask('POST', '/v1/session', { link: token }, from);
    answers[status] = (answers[status] ?? 0) + 1;
  }
  assert.ok(answers[404] <= 40, `${answers[404]} links were tried`);
  assert.equal(answers[404] + answers[429], 1000);
  // Connections that say half a request, or nothing.
  const lines = await Promise.all(
    Array.from(
      { length: 300 },
      (_, i) =>
        new Promise((resolve) => {
          const line = net.connect(story.stack.ports.door, '127.0.0.1', () => {
            if (i % 2) line.write('GET /v1/me HTTP/1.1\r\nCookie: a');
            resolve(line);
          });
          line.on('error', () => {});
        }),
    ),
  );
  const began = Date.now();
  assert.equal((await phone.ask('GET', '/v1/me')).status, 200);
  assert.ok(Date.now() - began < 1000, `${Date.now() - began} ms`);
  for (const line of lines) line.destroy();
  // And the log is no longer by a line for each.
  const log = readFileSync(story.stack.program('crm').log, 'utf8');
  assert.ok(log.split('\n').length < 50, log);
});
