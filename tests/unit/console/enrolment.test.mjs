// SPDX-License-Identifier: Apache-2.0
// Opt-in at the desk as the tablet plays it, without a browser, a broker or a box.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertFits, example } from '../../e2e/contract.mjs';
import { clock, FakeLink, load } from './browser.mjs';

const { kFloorEnrolCause, kFloorEnrolHint } = await load('contract.ts');
const { kWords } = await load('tablet/words.ts');
const { Enrolment } = await load('tablet/enrolment.ts');

let link, enrolment;
const kinds = () => link.sent.map(({ message }) => message.kind);
const box = (kind, changes = {}) => enrolment.onMessage({ ...example(`floor.enrol.${kind}`), ...changes });
// The number is looked up, and staff have asked whether it is them.
const choose = async (customer, what) => {
  await enrolment.chooseMember(customer, what);
  box('member');
  enrolment.itIsThem();
  assert.deepEqual(kinds(), ['lookup']);
  link.sent.length = 0;
};
const agree = async (...purposes) => {
  await choose(' c-paul ');
  for (const purpose of purposes) enrolment.choose(purpose, true);
  enrolment.choose('visit_analytics', true);
  enrolment.choose('visit_analytics', false);
  enrolment.agree();
  assert.deepEqual([enrolment.step, kinds()], ['how', []]);
  await enrolment.confirm({ by: 'phone' });
  box('confirmation');
};

beforeEach(() => {
  link = new FakeLink();
  link.topics = new Set();
  link.online = true;
  enrolment = new Enrolment(link, 'tablet-1', { signIn: 's-1', staff: 'eva', name: 'Eva', locked: false });
});

describe('the member number', () => {
  it('is looked up, and nobody agrees before somebody has said that it is them', async () => {
    await enrolment.chooseMember(' c-paul ');
    assertFits('floor.enrol', link.sent[0].message);
    assert.deepEqual([enrolment.step, link.sent[0].message.customer], ['looking', 'c-paul']);
    box('member', { name: 'Paul Moreau' });
    assert.deepEqual([enrolment.step, enrolment.known, enrolment.name], ['check', 'yes', 'Paul Moreau']);
    enrolment.itIsThem();
    assert.equal(enrolment.step, 'choices');
  });

  it('of nobody is asked for again', async () => {
    await enrolment.chooseMember('c-typo');
    box('member', { known: 'no', name: undefined });
    assert.deepEqual([enrolment.step, enrolment.known, enrolment.customer], ['member', 'no', 'c-typo']);
  });

  it('of somebody else leaves no name on the tablet', async () => {
    await enrolment.chooseMember('c-paul');
    box('member');
    enrolment.anotherNumber();
    assert.deepEqual([enrolment.step, enrolment.name], ['member', '']);
  });

  it('that cannot be checked holds nobody up', async () => {
    for (const known of ['unchecked', 'too_often']) {
      await enrolment.chooseMember('c-new', 'ending');
      box('member', { known, name: undefined });
      assert.deepEqual([enrolment.step, enrolment.known], ['check', known]);
      enrolment.itIsThem();
      assert.equal(enrolment.step, 'ending');
    }
  });

  it('that the box does not answer can be asked for again', async () => {
    await enrolment.chooseMember('c-paul');
    await clock.pass(15e3);
    assert.deepEqual([enrolment.step, enrolment.canTryAgain], ['failed', true]);
    await enrolment.again();
    assert.equal(enrolment.step, 'looking');
    assert.deepEqual(kinds(), ['lookup', 'lookup']);
  });
});

describe('opt-in', () => {
  it('says what was agreed to and nothing else, and starts the camera for the face alone', async () => {
    await agree('proximity_offers');
    assert.deepEqual(kinds(), ['consent']);
    assert.deepEqual(link.sent[0].message.purposes, { proximity_offers: true });
    assert.equal(link.sent[0].message.customer, 'c-paul');
    assert.deepEqual(link.sent[0].message.confirm, { by: 'phone' });
    box('done');
    assert.equal(enrolment.step, 'done');
  });

  it('follows each hint of the contract to the end', async () => {
    await agree('face_recognition');
    assert.deepEqual(kinds(), ['consent', 'start']);
    for (const hint of kFloorEnrolHint) {
      box('guide', { hint });
      assert.deepEqual([enrolment.hint, enrolment.views, enrolment.viewsNeeded], [hint, 1, 3]);
    }
    box('done');
    assert.equal(enrolment.step, 'done');
    for (const { message } of link.sent) assertFits('floor.enrol', message);
  });

  it('fails with the reason of the box, or with none of its words in time', async () => {
    await agree('face_recognition');
    box('failed');
    assert.deepEqual([enrolment.step, enrolment.reason], ['failed', 'no usable view in time']);
    for (const cause of kFloorEnrolCause) {
      await enrolment.startCamera();
      box('failed', { cause });
      assert.deepEqual([enrolment.step, enrolment.reason], ['failed', kWords.en.enrol.causes[cause]]);
    }
    await enrolment.startCamera();
    await clock.pass(14e3);
    assert.equal(enrolment.step, 'camera');
    await clock.pass(1e3);
    assert.equal(enrolment.step, 'failed');
  });

  it('says whether it was confirmed, and that it does not count when it was not', async () => {
    await agree('proximity_offers');
    box('done');
    assert.deepEqual([enrolment.step, enrolment.confirmed], ['done', 'waiting']);
    box('confirmation', { confirmed: 'yes' });
    assert.deepEqual([enrolment.step, enrolment.confirmed], ['done', 'yes']);
    for (const confirmed of ['refused', 'expired', 'code', 'witness', 'unknown']) {
      box('confirmation', { confirmed });
      assert.deepEqual([enrolment.step, enrolment.reason], ['failed', kWords.en.enrol.takenBack[confirmed]]);
    }
  });

  it('waits for the witness, and starts no camera before', async () => {
    await choose('c-paul');
    enrolment.choose('face_recognition', true);
    enrolment.agree();
    await enrolment.confirm({ by: 'witness', staff: 'tom', pin: '1111' });
    assertFits('floor.enrol', link.sent[0].message);
    enrolment.onRefused('wait', 'of another message');
    assert.equal(enrolment.refused, null);
    enrolment.onRefused('wrong_pin', link.sent[0].message.id);
    assert.deepEqual([enrolment.step, enrolment.refused, kinds()], ['how', 'wrong_pin', ['consent']]);
    await enrolment.confirm({ by: 'witness', staff: 'tom', pin: '4711' });
    assert.equal(enrolment.refused, null);
    box('confirmation');
    assert.equal(enrolment.step, 'camera');
    await clock.pass(0);
    assert.deepEqual(kinds(), ['consent', 'consent', 'start']);
  });

  it('withdraws what was ticked and nothing else, and shows the receipt once the box has it', async () => {
    await choose(' c-paul ', 'ending');
    assert.equal(enrolment.step, 'ending');
    enrolment.choose('face_recognition', true);
    await enrolment.withdraw();
    assert.equal(enrolment.step, 'ending', 'nothing is promised before the box has it');
    assert.deepEqual(kinds(), ['consent'], 'and no camera starts');
    assert.deepEqual(link.sent[0].message.purposes, { face_recognition: false });
    assertFits('floor.enrol', link.sent[0].message);
    box('done');
    assert.equal(enrolment.step, 'ended');
    assert.deepEqual(enrolment.chosen, ['face_recognition']);
    assert.ok(enrolment.endedAt > 0);
  });

  it('withdraws all of it, and may try again when the box says nothing', async () => {
    await choose('c-paul', 'ending');
    enrolment.chooseAll();
    await enrolment.withdraw();
    await clock.pass(15e3);
    assert.equal(enrolment.step, 'failed');
    assert.ok(enrolment.canTryAgain);
    await enrolment.again();
    assert.equal(enrolment.step, 'ending');
    await enrolment.withdraw();
    assert.deepEqual(kinds(), ['consent', 'consent']);
    assert.ok(Object.values(link.sent[1].message.purposes).every((given) => given === false));
  });

  it('does not listen to itself', async () => {
    await agree('face_recognition');
    box('done', { from: 'tablet' });
    assert.equal(enrolment.step, 'camera');
  });

  it('stops the camera when the guest leaves', async () => {
    await agree('face_recognition');
    enrolment.close();
    assert.deepEqual(kinds(), ['consent', 'start', 'stop']);
    assert.ok(!link.topics.has(enrolment.topic));
  });
});
