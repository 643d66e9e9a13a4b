// SPDX-License-Identifier: Apache-2.0
// What the phone keeps, sends and forgets, without a browser and without a broker.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertFits, example } from '../../e2e/contract.mjs';
import { clock, FakeLink, load } from './browser.mjs';

const { kAppInboxSurveyKind } = await load('contract.ts');
const { isGiven, kScores, Phone, readReceipt, splitAccount } = await load('phone/model.ts');

const kAccount = { account: 'demo/app-paul', password: 'x' };
const kTopic = 'welcome/v1/demo/app/app-paul';

let link,
  phone,
  last = 0;
const say = (kind, changes = {}) => {
  const message = { ...example(`app.inbox.${kind}`), id: `m-${++last}`, ...changes };
  assertFits('app.inbox', message);
  link.say(`${kTopic}/inbox`, message);
  return message;
};
const sent = (kind) => link.sent.map(({ message }) => message).filter((message) => message.kind === kind);
const open = () => {
  link = new FakeLink();
  phone = new Phone(link.connect);
  assert.ok(phone.signIn(kAccount));
};

beforeEach(async () => {
  localStorage.removeItem(`welcome.phone.${kAccount.account}`);
  open();
  link.up();
  await clock.pass(0);
});

it('an account names its tenant and app', () => {
  assert.deepEqual(splitAccount('demo/app-paul'), { tenant: 'demo', user: 'app-paul', app: 'paul' });
  for (const bad of ['app-paul', 'demo/paul', 'demo/app-a/b', 'de+mo/app-a'])
    assert.equal(splitAccount(bad), null);
});

describe('an offer', () => {
  it('is kept once, whatever repeats it', () => {
    const message = say('offer');
    link.say(`${kTopic}/inbox`, message);
    say('offer');
    assert.deepEqual(
      phone.kept.offers.map(({ title }) => title),
      ['Your espresso is waiting'],
    );
  });

  it('is reported as opened and as used, once each', async () => {
    say('offer');
    const [offer] = phone.kept.offers;
    phone.open(offer), phone.open(offer), phone.redeem(offer), phone.redeem(offer);
    await clock.pass(0);
    assert.equal(sent('offer.opened').length, 1);
    assert.equal(sent('offer.redeemed').length, 1);
    for (const { message } of link.sent) assertFits('app.request', message);
  });
});

describe('a choice', () => {
  it('made without a line is kept over a restart and sent at its end', async () => {
    say('consents', { purposes: { face_recognition: true } });
    link.down();
    link.online = false;
    phone.choose('face_recognition', false);
    assert.equal(phone.wanted('face_recognition'), false);
    open();
    assert.equal(phone.wanted('face_recognition'), false, 'it was forgotten');
    link.up();
    await clock.pass(0);
    const [request] = sent('consent.set');
    assert.deepEqual([request.purpose, request.given], ['face_recognition', false]);
    assertFits('app.request', request);
  });

  it('is not taken back by an answer that was on its way', () => {
    phone.choose('face_recognition', false);
    say('consents', { purposes: { face_recognition: true } });
    assert.equal(phone.wanted('face_recognition'), false);
    say('consents', { purposes: { face_recognition: false } });
    assert.equal(phone.pending('face_recognition'), undefined);
  });

  it('withdrawn and given in the same instant is withdrawn', () => {
    const { record } = example('app.inbox.receipt');
    const at = '2026-05-04T08:00:00Z';
    const history = ['withdrawn', 'given'].map((state) => ({ state, at, how: 'app' }));
    assert.equal(isGiven(readReceipt({ ...record, history })), false);
    assert.equal(isGiven(readReceipt(record)), true);
  });
});

it('a survey of each kind has its scale, and is asked once', async () => {
  for (const survey_kind of kAppInboxSurveyKind) {
    const [low, high] = kScores[survey_kind];
    const { survey } = say('survey', { survey: `s-${survey_kind}`, survey_kind });
    say('survey', { survey, survey_kind });
    assert.equal(phone.kept.surveys.length, 1);
    phone.answer(phone.kept.surveys[0], high, '');
    await clock.pass(0);
    const answer = sent('survey.answer').at(-1);
    assert.ok(low < answer.score);
    assertFits('app.request', answer);
  }
});

it('what the contract does not know is left alone', () => {
  link.say(`${kTopic}/inbox`, { v: 1, id: 'm-new', kind: 'invitation' });
  link.say(`${kTopic}/inbox`, { v: 1, kind: 'offer' });
  assert.deepEqual(phone.kept.offers, []);
});

it('a phone that is forgotten keeps nothing', () => {
  say('offer');
  say('forgotten', { at: '2026-05-04T08:00:00.000Z' });
  assert.equal(phone.forgottenAt, Date.parse('2026-05-04T08:00:00Z'));
  assert.deepEqual(phone.kept.offers, []);
  assert.equal(localStorage.getItem(`welcome.phone.${kAccount.account}`), null);
});
