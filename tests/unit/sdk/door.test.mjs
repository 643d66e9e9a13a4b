// SPDX-License-Identifier: Apache-2.0
// What the SDK asks of a door, and what it makes of the answers, without a CRM.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { load } from './load.mjs';

const { Door } = await load('sdk/ts/index.ts');
const kCookie = '__Host-welcome=abc; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=31536000';

let asked, answers, door;
globalThis.fetch = async (url, options) => {
  asked.push({ url, ...options });
  const answer = answers.shift();
  if (answer instanceof Error) throw answer;
  return new Response(answer.body ?? null, answer);
};
beforeEach(() => {
  [asked, answers] = [[], []];
  door = new Door({ base: 'https://door.example/', origin: 'https://my.example' });
});
const json = (body, more = {}) => ({ status: 200, body: JSON.stringify(body), ...more });

describe('a door', () => {
  it('opens a link, keeps the session, says it, and forgets it', async () => {
    answers.push({ status: 204, headers: { 'set-cookie': kCookie } });
    await door.open('https://my.example/phone/#link=token-1', 'My phone');
    const [{ url, method, body, credentials, headers }] = asked;
    assert.deepEqual([url, method], ['https://door.example/v1/session', 'POST']);
    assert.deepEqual(JSON.parse(body), { link: 'token-1', device: 'My phone' });
    assert.deepEqual(headers, { origin: 'https://my.example', 'content-type': 'application/json' });
    assert.equal(credentials, 'include');
    assert.equal(door.session, '__Host-welcome=abc');

    answers.push(json({ offers: [], surveys: [] }));
    await door.ask('GET /v1/offers');
    // Said once: a platform that keeps cookies too would send it a second time, and the door refuses two.
    assert.equal(asked[1].credentials, 'omit');
    assert.deepEqual(asked[1].headers, { cookie: '__Host-welcome=abc' });

    answers.push({ status: 204, headers: { 'set-cookie': '__Host-welcome=; Max-Age=0; Path=/' } });
    await door.ask('DELETE /v1/session');
    assert.equal(door.session, '');
  });

  it('keeps the session where an answer says nothing of it', async () => {
    door.session = '__Host-welcome=kept';
    answers.push({ status: 204 });
    assert.equal(await door.ask('DELETE /v1/push'), null);
    assert.equal(door.session, '__Host-welcome=kept');
  });

  it('puts words into the path so that none leads elsewhere', async () => {
    answers.push({ status: 204 }, { status: 204 });
    await door.ask('DELETE /v1/devices/{device}', { device: '../me?x=#' });
    assert.equal(asked[0].url, 'https://door.example/v1/devices/..%2Fme%3Fx%3D%23');
    const body = { id: 'i-1' };
    await door.ask('POST /v1/offers/{decision}/{outcome}', { decision: 'o/1', outcome: 'opened', body });
    assert.equal(asked[1].url, 'https://door.example/v1/offers/o%2F1/opened');
    assert.deepEqual(JSON.parse(asked[1].body), body);
  });

  it('says why it was refused, also by a proxy before the door', async () => {
    const problem = { type: 'urn:welcomed:problem:link-used', title: 'The link was used', status: 410 };
    answers.push(json(problem, { status: 410 }), { status: 502, body: '<html>' }, json([], { status: 503 }));
    const refused = (status, name) => ({ name: 'Refused', status, problem: name });
    const link = 'https://my.example/phone/#link=token-1';
    await assert.rejects(door.open(link), refused(410, 'link-used'));
    await assert.rejects(door.open(link), refused(502, 'unreadable'));
    await assert.rejects(door.open(link), refused(503, 'unreadable'));
  });

  it('asks nothing for what is no link of a door, and lets a broken line be one', async () => {
    for (const text of [
      'https://my.example/phone/',
      'https://my.example/#status=x',
      'https://my.example/#link=',
    ])
      await assert.rejects(door.open(text), RangeError);
    assert.equal(asked.length, 0);
    answers.push(new TypeError('no line'));
    await assert.rejects(door.ask('GET /v1/me'), { name: 'TypeError', message: 'no line' });
  });

  it('hears names in whatever pieces they come', async () => {
    const pieces = [': hi\n\nevent: off', 'ers\ndata: {}\n\nevent: consents\ndata:\n', '\nevent: ended\n\n'];
    const stream = new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
        controller.close();
      },
    });
    answers.push({ status: 200, body: stream });
    const heard = [];
    for await (const name of door.changes(new AbortController().signal)) heard.push(name);
    assert.deepEqual(heard, ['offers', 'consents', 'ended']);
    // Who stops listening lets go of the line.
    let closed = false;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('event: offers\n\n')),
      cancel: () => void (closed = true),
    });
    answers.push({ status: 200, body: endless });
    for await (const name of door.changes(new AbortController().signal)) if (name === 'offers') break;
    assert.ok(closed);
    answers.push(json({}, { status: 401 }), { status: 200 });
    await assert.rejects(door.changes(new AbortController().signal).next(), { status: 401 });
    await assert.rejects(door.changes(new AbortController().signal).next(), TypeError);
  });
});
