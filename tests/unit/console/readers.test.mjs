// SPDX-License-Identifier: Apache-2.0
// Whatever a broker or the door sends to a page: the page reads it or leaves it, and what it then holds has the
// types that its screens count on. The published examples are changed at random, from a seed.
//
// WELCOME_FUZZ_S=60 goes on for so long, and says how many were tried.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { it } from 'node:test';
import { example } from '../../e2e/contract.mjs';
import { FakeDoor, FakeLink, load, signedIn } from './browser.mjs';

const { Phone } = await load('phone/model.ts');
const { Tablet } = await load('tablet/model.ts');
const { parse, text } = await load('shared/read.ts');

const kSeconds = Number(process.env.WELCOME_FUZZ_S ?? 0);
const kTries = 3000;
const kSeed = 20261129;

// mulberry32: the same on every machine, and a seed explains any failure.
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const kStrange = [
  null, true, -1, 0, 1e308, 2 ** 53, '', ' ', '__proto__', 'constructor', '<img src=x onerror=alert(1)>',
  'x'.repeat(100_000), '\u202egnp.exe', '\ud800', [], {}, [[]], [null], { toString: 1 }, { length: 1e9 },
  '2026-05-04T08:15:30.250Z', '+275760-09-13T00:00:00.001Z', 'given', 'offer',
]; // prettier-ignore

const kNames = ['__proto__', 'constructor', 'length', '', 'x'.repeat(1000)];

function changed(value, random) {
  const pick = (of) => of[Math.floor(random() * of.length)];
  if (random() < 0.12) return structuredClone(pick(kStrange));
  if (Array.isArray(value)) {
    const out = value.map((item) => changed(item, random));
    return random() < 0.05 ? Array.from({ length: 500 }, () => structuredClone(out[0])) : out;
  }
  if (typeof value !== 'object' || value === null) return value;
  const out = {};
  for (const [name, member] of Object.entries(value)) {
    if (random() < 0.05) continue;
    out[random() < 0.03 ? pick(kNames) : name] = changed(member, random);
  }
  return out;
}

const examples = (prefix) =>
  readdirSync(new URL('../../../docs/examples', import.meta.url))
    .filter((file) => file.startsWith(prefix) && file.endsWith('.json'))
    .map((file) => example(file.slice(0, -'.json'.length)));

// What a page holds is text that fits a screen and says what it shows, numbers, and not too many.
const kHidden = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
function assertShowable(value, where) {
  if (typeof value === 'string') {
    assert.ok(value.length <= 1000, `${where}: ${value.length} characters`);
    assert.ok(!kHidden.test(value), `${where}: hidden characters`);
  } else if (typeof value === 'number') {
    assert.ok(Number.isFinite(value), where);
  } else if (Array.isArray(value)) {
    assert.ok(value.length <= 1000, `${where}: ${value.length} of them`);
    value.forEach((item, i) => assertShowable(item, `${where}[${i}]`));
  } else if (value && typeof value === 'object') {
    for (const [name, member] of Object.entries(value)) assertShowable(member, `${where}.${name}`);
  }
}

// As the page's connection does it: bytes, which are JSON or nothing.
const arrived = (message) => parse(new TextEncoder().encode(JSON.stringify(message)));

function tryMany(t, each) {
  const random = randomFrom(kSeed);
  const end = performance.now() + kSeconds * 1000;
  let tries = 0;
  for (; tries < kTries || performance.now() < end; ++tries) each(random);
  t.diagnostic(`${tries} messages`);
}

it('the tablet', (t) => {
  const prompts = examples('floor.prompt');
  const statuses = examples('floor.status');
  const enrolments = examples('floor.enrol');
  const sessions = examples('floor.session');
  const refusals = examples('floor.refused');
  const staff = examples('floor.staff');
  const managed = examples('floor.managed');
  let tablet, link;
  let told = Infinity;
  tryMany(t, (random) => {
    if (++told > 200) {
      link = new FakeLink();
      tablet = new Tablet(link.connect);
      tablet.signIn({ account: 'tablet-1', password: 'x' });
      link.up();
      signedIn(link, 'tablet-1');
      tablet.enrol();
      tablet.manage('lead');
      tablet.managing.walk(true);
      told = 0;
    }
    const pick = (of) => of[Math.floor(random() * of.length)];
    const [topic, message] = pick([
      ['welcome/v1/floor/prompt/', pick(prompts)],
      ['welcome/v1/floor/status/', pick(statuses)],
      [tablet.enrolment?.topic ?? 'welcome/v1/floor/enrol/', pick(enrolments)],
      ['welcome/v1/floor/staff/', pick(staff)],
      ['welcome/v1/floor/to/tablet-1/session', pick(sessions)],
      ['welcome/v1/floor/to/tablet-1/refused', pick(refusals)],
      ['welcome/v1/floor/to/tablet-1/managed', { ...pick(managed), re: link.asked() }],
    ]);
    const said = arrived(changed(message, random));
    link.say(topic.endsWith('/') ? topic + (message.visit ?? message.box ?? 'x') : topic, said);
    assertShowable(tablet.guests.all, 'prompts');
    assertShowable(tablet.guests.status, 'status');
    assertShowable(tablet.staffing.people, 'people');
    assertShowable(tablet.staffing.session, 'session');
    assertShowable(tablet.managing?.today, 'today');
    assertShowable([...(tablet.managing?.lights.values() ?? [])], 'lights');
    assertShowable([...(tablet.managing?.signals.values() ?? [])], 'signals');
    assertShowable([...(tablet.managing?.today?.whyNot ?? [])], 'why not');
  });
});

it('a text has whole characters, also where it is cut', () => {
  assert.equal(text('a\ud800b\udc00'), 'ab');
  assert.equal(text('☕️😀', 10), '☕️😀');
  assert.equal(text('ab😀cd', 4), 'ab…');
  assert.doesNotThrow(() => encodeURIComponent(text('\ud800')));
});

it('the phone', async (t) => {
  const record = example('item.consents');
  const { decision, title, text, code, expires_at } = example('event.decision.offer').data;
  const { survey, kind: survey_kind, question } = example('event.decision.survey').data;
  const at = '2026-05-04T08:15:30Z';
  const device = { device: 'd-1', name: 'Phone', since: at, seen_at: at, this: true };
  const receipt = { store: 'aroma-1', box: 'box-1', done_at: at };
  const said = {
    '/v1/me': {
      name: 'Paul',
      purposes: { face_recognition: true },
      consents: [record],
      notice: record.notice,
      devices: [device],
      passkeys: [{ passkey: 'p-1', name: 'Phone', since: at, used_at: at }],
    },
    '/v1/offers': {
      offers: [{ decision, title, text, code, expires_at, at, opened_at: at }],
      surveys: [{ survey, survey_kind, question, expires_at, at }],
    },
    '/v1/link': { url: 'x', expires_at: at, qr: Array(21).fill('1'.repeat(21)) },
    '/v1/erasures/x': { asked_at: at, done_at: at, boxes: 1, done: 1, revoked: 0, receipts: [receipt] },
  };
  const door = new FakeDoor();
  door.answers = { '/v1/me': said['/v1/me'] };
  const phone = new Phone(door);
  await phone.start('');
  tryMany(t, (random) => {
    const path = Object.keys(said)[Math.floor(random() * 4)];
    const json = arrived(changed(said[path], random));
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return;
    phone.take(path, json);
    const { customer } = phone;
    const lists = ['offers', 'surveys', 'receipts', 'devices', 'passkeys'];
    for (const part of ['name', ...lists, 'choices', 'notice']) assertShowable(customer[part], part);
    assertShowable(phone.erasure, 'erasure');
    assert.ok(customer.link === null || customer.link.rows.every((row) => /^[01]{21,177}$/.test(row)));
    for (const list of lists) assert.ok(customer[list].length <= 50, `${customer[list].length} ${list}`);
  });
});
