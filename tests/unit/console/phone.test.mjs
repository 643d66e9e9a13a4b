// SPDX-License-Identifier: Apache-2.0
// What the phone shows, keeps, sends and forgets, without a browser and without a CRM.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { example } from '../../e2e/contract.mjs';
import { clock, FakeDoor, load } from './browser.mjs';

const { kDoorRequestSurveyKind, kItemConsentsPurpose: kPurposes } = await load('contract.ts');
const { Phone } = await load('phone/model.ts');
const { isGiven, kScores, readReceipt } = await load('phone/shown.ts');

const kLink = 'l'.repeat(43);
const kStatus = 's'.repeat(43);
const record = example('item.consents');
const device = (id, changes = {}) => ({ device: id, name: 'Phone', since: record.history[0].at, ...changes });
const me = (on = [], changes = {}) => ({
  name: 'Paul',
  purposes: Object.fromEntries(kPurposes.map((purpose) => [purpose, on.includes(purpose)])),
  consents: [],
  notice: { id: 'pledge', version: '3', language: 'en' },
  devices: [device('d-1', { this: true })],
  ...changes,
});
const offer = { decision: 'o/1', title: 'An espresso', text: 'On us', expires_at: '2027-01-01T00:00:00Z' };
const signedOut = { status: 401, problem: 'signed-out' };

// In place of the browser's passkeys: what it was asked, and what it says or why it does not.
class FakeKeys {
  there = true;
  asked = [];
  problem = '';
  async create(asked, who) {
    return this.#say({ ...asked, who }, { client_data: 'Y2Q', attestation: 'YQ' });
  }
  async use(asked) {
    return this.#say(asked, { passkey: 'cA', client_data: 'Y2Q', authenticator_data: 'YQ', signature: 'cw' });
  }
  #say(asked, said) {
    this.asked.push(asked);
    if (this.problem) throw new Error(this.problem);
    return said;
  }
}

let door, phone, keys;
const open = async (fragment = '') => {
  door.stream = null;
  phone = new Phone(door, keys);
  await phone.start(fragment);
};

// The page is opened again; the one before is gone, whatever it had still to do.
const reload = async () => {
  const { answers, online } = door;
  door.online = false;
  door = Object.assign(new FakeDoor(), { answers, online });
  await open();
};

beforeEach(async () => {
  for (const key of ['welcome.phone', 'welcome.phone.erasure']) localStorage.removeItem(key);
  door = new FakeDoor();
  keys = new FakeKeys();
  door.answers = { '/v1/me': me(['face_recognition']), '/v1/offers': { offers: [offer], surveys: [] } };
  await open();
  await door.stream.say('open');
});

// The door thinks about this path. Awaited, it has been asked; what comes back has it answer.
const slowly = async (path, answer) => {
  const say = await new Promise((asked) => (door.answers[path] = () => new Promise(asked)));
  return () => (say(answer), clock.pass(0));
};

describe('a link', () => {
  it('is sent once, and opens the page', async () => {
    await open(`#link=${kLink}`);
    assert.deepEqual(
      door.sent('/v1/session').map(({ link }) => link),
      [kLink],
    );
    assert.equal(phone.stage, 'in');
  });

  it('that does not open says why, and leaves who is signed in', async () => {
    door.answers['/v1/session'] = { status: 410, problem: 'link-used' };
    await open(`#link=${kLink}`);
    assert.deepEqual([phone.stage, phone.linkProblem], ['in', 'link-used']);
    door.answers['/v1/me'] = signedOut;
    await open(`#link=${kLink}`);
    assert.deepEqual([phone.stage, phone.linkProblem], ['out', 'link-used']);
  });

  it('of somebody else is asked about, and nothing of the one before is left', async () => {
    door.answers['/v1/session'] = (body) =>
      body.replace ? undefined : { status: 409, problem: 'another-customer' };
    door.online = true;
    phone.choose('face_recognition', false);
    await phone.start(`#link=${kLink}`);
    assert.equal(phone.stage, 'other');
    door.answers['/v1/me'] = me([], { name: 'Mia', devices: [device('d-2', { this: true })] });
    await phone.replace();
    assert.deepEqual([phone.stage, phone.customer.name, phone.customer.outbox.length], ['in', 'Mia', 0]);
  });

  it('of somebody else lets nobody out for what the one before is refused', async () => {
    const said = slowly('/v1/consents', signedOut);
    phone.choose('face_recognition', false);
    const refuse = await said;
    door.answers['/v1/me'] = me([], { name: 'Mia', devices: [device('d-2', { this: true })] });
    await phone.openLink(kLink, true);
    await refuse();
    assert.deepEqual([phone.stage, phone.customer.name], ['in', 'Mia']);
  });

  it('that met no line is tried again', async () => {
    door.online = false;
    localStorage.removeItem('welcome.phone');
    await open(`#link=${kLink}`);
    assert.deepEqual([phone.stage, phone.line], ['starting', 'lost']);
    door.online = true;
    await clock.pass(6000);
    assert.equal(phone.stage, 'in');
    assert.equal(door.sent('/v1/session').length, 1);
  });
});

describe('an offer', () => {
  it('is reported as opened and as used, once each', async () => {
    const [shown] = phone.customer.offers;
    phone.open(shown), phone.open(shown), phone.redeem(shown), phone.redeem(shown);
    await clock.pass(0);
    assert.equal(door.sent('/v1/offers/o%2F1/opened').length, 1);
    assert.equal(door.sent('/v1/offers/o%2F1/redeemed').length, 1);
  });

  it('that was tapped stays tapped while that is on its way', async () => {
    const [shown] = phone.customer.offers;
    door.online = false;
    phone.open(shown);
    await clock.pass(0);
    phone.take('/v1/offers', { offers: [offer], surveys: [] });
    assert.equal(phone.customer.offers[0].opened, true);
  });
});

describe('an offer that does not interest', () => {
  it('is gone at once, and does not come back while that is on its way', async () => {
    door.online = false;
    phone.dismiss(phone.customer.offers[0]);
    phone.take('/v1/offers', { offers: [offer], surveys: [] });
    assert.deepEqual(phone.customer.offers, []);
    door.online = true;
    await clock.pass(6000);
    assert.equal(door.sent('/v1/offers/o%2F1/dismissed').length, 1);
  });
});

describe('a choice', () => {
  it('made without a line is kept over a restart and sent at its end, once and as of then', async () => {
    door.online = false;
    phone.choose('face_recognition', false);
    await clock.pass(0);
    assert.equal(phone.customer.wanted('face_recognition'), false);
    const [{ body: said }] = phone.customer.outbox;
    await reload();
    assert.deepEqual([phone.stage, phone.line], ['in', 'lost']);
    assert.equal(phone.customer.wanted('face_recognition'), false, 'it was forgotten');
    door.online = true;
    door.answers['/v1/consents'] = { consent: record, purposes: me().purposes };
    await clock.pass(6000);
    await door.stream.say('open');
    await clock.pass(0);
    assert.deepEqual(door.sent('/v1/consents'), [said]);
    assert.deepEqual(phone.customer.outbox, []);
  });

  it('is not sent on a device that is somebody else’s by then', async () => {
    door.online = false;
    phone.choose('face_recognition', false);
    await reload();
    door.online = true;
    door.answers['/v1/me'] = me([], { devices: [device('d-2', { this: true })] });
    await clock.pass(6000);
    await door.stream.say('open');
    assert.deepEqual(door.sent('/v1/consents'), []);
  });

  it('is not taken back by an answer that was on its way', async () => {
    door.online = false;
    phone.choose('face_recognition', false);
    phone.take('/v1/me', me(['face_recognition']));
    assert.equal(phone.customer.wanted('face_recognition'), false);
  });

  it('that the door does not take now is said again, and one that it never takes is not', async () => {
    door.answers['/v1/consents'] = { status: 503, problem: 'unavailable' };
    phone.choose('face_recognition', false);
    await clock.pass(0);
    assert.equal(phone.customer.outbox.length, 1);
    door.answers['/v1/consents'] = { status: 400, problem: 'malformed' };
    await clock.pass(6000);
    assert.equal(phone.customer.outbox.length, 0);
    assert.equal(door.sent('/v1/consents').length, 2);
  });

  it('withdrawn and given in the same instant is withdrawn', () => {
    const at = '2026-05-04T08:00:00Z';
    const history = ['withdrawn', 'given'].map((state) => ({ state, at, how: 'app' }));
    assert.equal(isGiven(readReceipt({ ...record, history })), false);
    assert.equal(isGiven(readReceipt(record)), true);
  });
});

describe('how they wish to be met', () => {
  it('is quietly while nobody has said otherwise', () => {
    assert.deepEqual(phone.customer.met, { met: 'quietly', notTodayUntil: null });
  });

  it('is shown as they said it until the CRM has it, also after a restart without a line', async () => {
    door.online = false;
    phone.meet('by_name');
    phone.meet('not_today');
    assert.deepEqual(phone.customer.met, { met: 'by_name', notTodayUntil: Infinity });
    phone.take('/v1/me', me());
    assert.deepEqual(phone.customer.met, { met: 'by_name', notTodayUntil: Infinity });
    door.online = true;
    await clock.pass(6000);
    assert.deepEqual(
      door.sent('/v1/met').map(({ met }) => met),
      ['by_name', 'not_today'],
    );
    const until = '2027-01-01T23:00:00Z';
    phone.take('/v1/me', me([], { met: 'by_name', not_today_until: until }));
    assert.deepEqual(phone.customer.met, { met: 'by_name', notTodayUntil: Date.parse(until) });
    phone.meet('by_name');
    assert.equal(phone.customer.met.notTodayUntil, null);
  });
});

describe('what is known of them', () => {
  const known = { greeting: 'Ms Berg', language: 'en', preferences: [{ key: 'drink', value: 'tea' }] };

  it('is changed where it differs, and no more is said', async () => {
    phone.take('/v1/me', me([], known));
    const likes = [{ key: 'seat', value: 'by the door' }];
    phone.change({ greeting: '', pronunciation: '', language: 'en', likes });
    await clock.pass(0);
    const [{ details }] = door.sent('/v1/details');
    const preferences = [{ key: 'drink', value: '' }, ...likes];
    assert.deepEqual(details, { greeting: '', preferences });
    phone.change(phone.customer.details);
    await clock.pass(0);
    assert.equal(door.sent('/v1/details').length, 1);
  });

  it('is not taken back by an answer that was on its way', () => {
    phone.take('/v1/me', me([], known));
    door.online = false;
    phone.change({ ...phone.customer.details, greeting: 'Anna' });
    phone.take('/v1/me', me([], known));
    assert.equal(phone.customer.details.greeting, 'Anna');
  });
});

describe('what a desk wrote down', () => {
  const asked = (changes = {}) => ({
    id: 'q/1',
    store: 'aroma-1',
    purposes: ['face_recognition', 'proximity_offers'],
    at: '2026-05-04T08:00:00Z',
    expires_at: '2026-05-04T08:15:00Z',
    ...changes,
  });

  it('is asked as soon as it is there, and confirmed once', async () => {
    door.answers['/v1/me'] = me([], { desk_consents: [asked()] });
    await door.stream.say('consents');
    await clock.pass(0);
    assert.deepEqual(phone.customer.deskConsents[0].purposes, ['face_recognition', 'proximity_offers']);
    assert.equal(phone.customer.deskConsents[0].store, 'aroma-1');
    door.answers['/v1/me'] = me(['face_recognition', 'proximity_offers'], { desk_consents: [] });
    await phone.answerDesk(phone.customer.deskConsents[0], true);
    assert.deepEqual(door.sent('/v1/desk-consents/q%2F1'), [{ confirmed: true }]);
    assert.deepEqual(
      [phone.customer.deskConsents.length, phone.customer.wanted('face_recognition')],
      [0, true],
    );
  });

  it('is refused, and one that is over says so', async () => {
    phone.take('/v1/me', me([], { desk_consents: [asked(), asked({ id: 'q-2' })] }));
    await phone.answerDesk(phone.customer.deskConsents[0], false);
    assert.deepEqual(door.sent('/v1/desk-consents/q%2F1'), [{ confirmed: false }]);
    phone.take('/v1/me', me([], { desk_consents: [asked({ id: 'q-2' })] }));
    door.answers['/v1/desk-consents/q-2'] = { status: 404, problem: 'no-such-desk-consent' };
    await phone.answerDesk(phone.customer.deskConsents[0], true);
    assert.equal(phone.customer.deskConsents.length, 0);
    assert.match(phone.toasts.at(-1).text, /over/);
  });

  it('stays asked without a line, and is not said later by itself', async () => {
    phone.take('/v1/me', me([], { desk_consents: [asked()] }));
    door.online = false;
    await phone.answerDesk(phone.customer.deskConsents[0], true);
    assert.deepEqual([phone.customer.deskConsents.length, phone.customer.outbox.length], [1, 0]);
  });

  it('that is none is not shown', () => {
    const bad = [asked({ id: '' }), asked({ purposes: ['everything'] }), asked({ at: 'soon' }), 7];
    phone.take('/v1/me', me([], { desk_consents: bad }));
    assert.deepEqual(phone.customer.deskConsents, []);
  });

  it('may be confirmed by a code, which goes when it is over', async () => {
    const until = new Date(clock.now + 600_000).toISOString();
    door.answers['/v1/desk-code'] = { code: '048291', expires_at: until };
    await phone.askDeskCode();
    assert.equal(phone.customer.deskCode.code, '048291');
    await clock.pass(600_001);
    assert.equal(phone.customer.deskCode, null);
    door.answers['/v1/desk-code'] = { code: 'none', expires_at: until };
    await phone.askDeskCode();
    assert.equal(phone.customer.deskCode, null);
  });
});

it('a survey of each kind has its scale, and is answered or not', async () => {
  for (const survey_kind of kDoorRequestSurveyKind) {
    const [low, high] = kScores[survey_kind];
    const survey = { survey: `s-${survey_kind}`, survey_kind, question: 'How was it?' };
    phone.take('/v1/offers', { offers: [], surveys: [survey] });
    phone.answer(phone.customer.surveys[0], high, '');
    assert.equal(phone.customer.surveys.length, 0);
    await clock.pass(0);
    const [answer] = door.sent(`/v1/surveys/s-${survey_kind}/answer`);
    assert.ok(low < answer.score);
  }
  phone.take('/v1/offers', {
    offers: [],
    surveys: [{ survey: 's-x', survey_kind: 'nps', question: 'And now?' }],
  });
  phone.skip(phone.customer.surveys[0]);
  await clock.pass(0);
  assert.equal(door.sent('/v1/surveys/s-x/dismiss').length, 1);
});

it('what the door says has changed is asked for', async () => {
  const count = (path) => door.asked.filter((one) => one.path === path).length;
  const before = [count('/v1/me'), count('/v1/offers')];
  await door.stream.say('consents');
  await door.stream.say('devices');
  await door.stream.say('offers');
  await clock.pass(0);
  assert.deepEqual([count('/v1/me'), count('/v1/offers')], [before[0] + 2, before[1] + 2]);
});

it('shows a code for another device until one has opened it', async () => {
  const rows = Array.from({ length: 21 }, () => '10'.repeat(10) + '1');
  door.answers['/v1/link'] = { url: 'x', qr: rows, expires_at: new Date(clock.now + 900e3).toISOString() };
  await phone.another();
  assert.deepEqual(phone.customer.link, { rows, until: clock.now + 900e3 });
  await door.stream.say('devices');
  assert.equal(phone.customer.link, null);
  for (const qr of [undefined, [], ['1'], rows.slice(1), [...rows.slice(1), '2'.repeat(21)]]) {
    door.answers['/v1/link'] = { ...door.answers['/v1/link'], qr };
    await phone.another();
    assert.equal(phone.customer.link, null);
  }
  door.answers['/v1/link'] = { status: 403, problem: 'step-up-needed' };
  await phone.another();
  assert.equal(phone.stepUp, true);
  await phone.start(`#link=${kLink}`);
});

it('a device that is signed out elsewhere keeps nothing', async () => {
  door.answers['/v1/me'] = signedOut;
  await door.stream.say('ended');
  assert.equal(phone.stage, 'out');
  assert.deepEqual([phone.customer.name, phone.customer.offers, phone.customer.choices], ['', [], null]);
  assert.equal(localStorage.getItem('welcome.phone'), null);
});

it('an answer that comes after they have left is nobody’s, and is not kept', async () => {
  const sayMe = slowly('/v1/me', me(['face_recognition']));
  const sayOffers = slowly('/v1/offers', { offers: [offer], surveys: [] });
  const sayConsent = slowly('/v1/consents', { consent: record, purposes: me().purposes });
  await door.stream.say('offers');
  void door.stream.say('profile');
  phone.choose('face_recognition', false);
  const answers = await Promise.all([sayMe, sayOffers, sayConsent]);
  await phone.signOut();
  for (const say of answers) await say();
  assert.equal(phone.stage, 'out');
  assert.deepEqual(phone.customer, new Phone(door, keys).customer);
  assert.equal(localStorage.getItem('welcome.phone'), null);
});

it('who signs out without a line is still signed in, and is told', async () => {
  door.online = false;
  await phone.signOut();
  assert.equal(phone.stage, 'in');
  assert.equal(phone.toasts.length, 1);
  door.online = true;
  await phone.signOut();
  assert.equal(phone.stage, 'out');
});

it('what asks for a fresh link says so', async () => {
  door.answers['/v1/export'] = { status: 403, problem: 'step-up-needed' };
  await phone.export();
  assert.equal(phone.stepUp, true);
  await phone.start(`#link=${kLink}`);
  assert.equal(phone.stepUp, false);
});

describe('a passkey', () => {
  const kPasskey = { passkey: 'p-1', name: 'iPhone', since: '2026-05-04T08:00:00Z' };
  const kAsked = { challenge: 'Yw', host: 'my.aroma.example', passkeys: ['cA'] };
  const stepUp = { status: 403, problem: 'step-up-needed' };
  const withOne = async () => {
    door.answers['/v1/me'] = me([], { passkeys: [kPasskey] });
    door.answers['/v1/passkeys/challenge'] = kAsked;
    await door.stream.say('passkeys');
    await clock.pass(0);
  };

  it('is made for whom the page is, and listed', async () => {
    door.answers['/v1/passkeys/challenge'] = { ...kAsked, handle: 'aA' };
    door.answers['/v1/me'] = me([], { passkeys: [kPasskey, { name: 'no id' }] });
    await phone.addPasskey();
    assert.deepEqual(door.sent('/v1/passkeys/challenge'), [{ for: 'create' }]);
    assert.deepEqual(keys.asked, [{ ...kAsked, handle: 'aA', who: 'Paul' }]);
    assert.equal(door.sent('/v1/passkeys')[0].attestation, 'YQ');
    assert.deepEqual(
      phone.customer.passkeys.map(({ id, name, usedAt }) => [id, name, usedAt]),
      [['p-1', 'iPhone', null]],
    );
    assert.deepEqual([phone.keyring.asking, phone.keyring.problem, phone.toasts.length], [false, '', 1]);
  });

  it('confirms, and what was asked for is done', async () => {
    await withOne();
    door.answers['/v1/forget'] = stepUp;
    await phone.forget();
    door.answers['/v1/link'] = stepUp;
    await phone.another(); // what was asked for last
    assert.equal(phone.stepUp, true);
    const rows = Array.from({ length: 21 }, () => '1'.repeat(21));
    door.answers['/v1/link'] = { url: 'x', qr: rows, expires_at: '2026-05-04T09:00:00Z' };
    await phone.confirmByPasskey();
    assert.deepEqual(door.sent('/v1/passkeys/challenge'), [{ for: 'confirm' }]);
    assert.equal(door.sent('/v1/passkeys/confirm')[0].signature, 'cw');
    assert.deepEqual([phone.stepUp, phone.customer.link?.rows], [false, rows]);
    await door.stream.say('passkeys');
    assert.ok(phone.customer.link, 'that one was used does not put the code away');
    assert.equal(door.sent('/v1/forget').length, 1);
  });

  it('that does not come about says why, and nothing is done', async () => {
    await withOne();
    door.answers['/v1/export'] = stepUp;
    await phone.export();
    for (const problem of ['cancelled', 'too-slow', 'not-possible']) {
      keys.problem = problem;
      await phone.confirmByPasskey();
      assert.deepEqual([phone.keyring.problem, phone.stepUp, phone.keyring.asking], [problem, true, false]);
    }
    assert.equal(door.sent('/v1/passkeys/confirm').length, 0);
    keys.problem = '';
    for (const problem of ['passkey-refused', 'challenge-over', 'passkey-unknown']) {
      door.answers['/v1/passkeys/confirm'] = { status: 403, problem };
      await phone.confirmByPasskey();
      assert.deepEqual([phone.keyring.problem, phone.stepUp], [problem, true]);
    }
    assert.equal(door.sent('/v1/export').length, 1);
    keys.problem = 'something of which nobody has heard';
    const before = phone.toasts.length;
    await phone.confirmByPasskey();
    assert.deepEqual([phone.keyring.problem, phone.toasts.length], ['', before + 1]);
    await phone.start(`#link=${kLink}`); // the other way
    assert.deepEqual([phone.stepUp, phone.keyring.problem], [false, '']);
  });

  it('is made after it was confirmed that it is them', async () => {
    await withOne();
    keys.problem = 'here-already';
    await phone.addPasskey();
    assert.equal(phone.keyring.problem, 'here-already');
    keys.problem = '';
    door.answers['/v1/passkeys/challenge'] = (asked) => (asked.for === 'create' ? stepUp : kAsked);
    await phone.addPasskey();
    assert.deepEqual([phone.stepUp, phone.keyring.problem], [true, '']);
    door.answers['/v1/passkeys/challenge'] = kAsked;
    await phone.confirmByPasskey();
    assert.equal(door.sent('/v1/passkeys').length, 1);
  });

  it('is removed, also when it was gone already', async () => {
    await withOne();
    door.answers['/v1/passkeys/p-1'] = { status: 404, problem: 'passkey-unknown' };
    door.answers['/v1/me'] = me();
    await phone.removePasskey(phone.customer.passkeys[0]);
    assert.deepEqual([phone.customer.passkeys, phone.keyring.problem], [[], '']);
  });

  it('signs in from the front page', async () => {
    door.answers['/v1/me'] = signedOut;
    await door.stream.say('ended');
    door.answers['/v1/session/challenge'] = { challenge: 'Yw', host: 'my.aroma.example' };
    keys.problem = 'cancelled';
    await phone.enterByPasskey();
    assert.deepEqual([phone.stage, phone.keyring.problem], ['out', 'cancelled']);
    keys.problem = '';
    door.answers['/v1/me'] = me();
    await phone.enterByPasskey();
    assert.deepEqual([phone.stage, phone.keyring.problem, phone.customer.name], ['in', '', 'Paul']);
    assert.equal(door.sent('/v1/session/passkey')[0].passkey, 'cA');
  });
});

describe('being forgotten', () => {
  const state = (done) => ({
    asked_at: '2026-05-04T08:00:00Z',
    done_at: done === 2 ? '2026-05-04T09:00:00Z' : null,
    boxes: 2,
    done,
    revoked: 0,
    receipts: ['box-1', 'box-2'].map((box) => ({ store: 'aroma-1', box, done_at: null })),
  });

  it('is told until the last box, and then nothing is left', async () => {
    door.answers['/v1/forget'] = { token: kStatus, url: 'x', erasure: state(0) };
    door.answers[`/v1/erasures/${kStatus}`] = state(1);
    await phone.forget();
    assert.equal(phone.stage, 'erasure');
    assert.deepEqual([phone.erasure.done, phone.erasure.doneAt], [1, null]);
    assert.deepEqual([phone.customer.name, phone.customer.offers], ['', []]);
    assert.equal(localStorage.getItem('welcome.phone'), null);
    await reload(); // the page goes on
    assert.equal(phone.stage, 'erasure');
    door.answers[`/v1/erasures/${kStatus}`] = state(2);
    await door.stream.say('erasure');
    await clock.pass(0);
    assert.ok(phone.erasure.doneAt);
    assert.equal(door.stream.open, false);
    phone.endErasure();
    assert.equal(phone.stage, 'out');
    assert.equal(localStorage.getItem('welcome.phone.erasure'), null);
  });

  it('is told from a link too', async () => {
    door.answers[`/v1/erasures/${kStatus}`] = state(0);
    await open(`#status=${kStatus}`);
    assert.equal(phone.stage, 'erasure');
    assert.deepEqual([phone.erasure.done, phone.erasure.boxes], [0, 2]);
  });
});
