// SPDX-License-Identifier: Apache-2.0
// Who uses the tablet: signing in, lock, leaving, and whose name a tap goes under.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertFits, example } from '../../e2e/contract.mjs';
import { clock, FakeLink, load, signedIn } from './browser.mjs';

const { kFloorRefusedCause } = await load('contract.ts');
const { Tablet } = await load('tablet/model.ts');

const kSession = 'welcome/v1/floor/tablet/tablet-1/session';
const kTold = 'welcome/v1/floor/to/tablet-1/session';
let link, tablet;
const staffing = () => tablet.staffing;
const said = (kind) => link.sent.filter(({ topic, message }) => topic === kSession && message.kind === kind);
const refuse = (changes) => {
  const message = { ...example('floor.refused'), ...changes };
  assertFits('floor.refused', message);
  link.say('welcome/v1/floor/to/tablet-1/refused', message);
};
const guest = (visit) =>
  link.say(`welcome/v1/floor/prompt/${visit}`, { ...example('floor.prompt'), visit }, 900);
const actions = () =>
  link.sent.filter(({ topic }) => topic.includes('/action/')).map(({ message }) => message);

beforeEach(() => {
  link = new FakeLink();
  tablet = new Tablet(link.connect);
  tablet.signIn({ account: 'tablet-1', password: 'x' });
  link.up();
});

describe('signing in', () => {
  beforeEach(() => link.say('welcome/v1/floor/staff/box-1', example('floor.staff')));

  it('shows who works here, and who has no PIN yet', () => {
    assert.deepEqual(
      staffing().people.map(({ name, pin }) => [name, pin]),
      [
        ['Eva', true],
        ['Tom', false],
      ],
    );
    assert.ok(!staffing().open);
  });

  it('asks the box under its own account, and is open when the box says so', async () => {
    staffing().choose(staffing().people[0]);
    await staffing().signIn('273910');
    const [{ message }] = said('sign_in');
    assertFits('floor.sign_in', message);
    assert.deepEqual([message.staff, message.pin], ['eva', '273910']);
    assert.ok(staffing().asking && !staffing().open);
    signedIn(link, 'tablet-1', 'eva', { sign_in: message.id });
    assert.ok(staffing().open && !staffing().asking);
    assert.equal(staffing().session.name, 'Eva');
  });

  it('says how many tries are left, and how long to wait', async () => {
    staffing().choose(staffing().people[0]);
    await staffing().signIn('1');
    refuse({ re: 'another', cause: 'wrong_pin' });
    assert.ok(staffing().asking, 'the answer to another question');
    refuse({ re: said('sign_in')[0].message.id, cause: 'wrong_pin', tries_left: 3 });
    assert.deepEqual(staffing().refusal, { cause: 'wrong_pin', triesLeft: 3, retryAt: null });
    for (const cause of kFloorRefusedCause) {
      await staffing().signIn('2');
      refuse({ re: said('sign_in').at(-1).message.id, cause, retry_after_s: 120, tries_left: undefined });
      assert.deepEqual(staffing().refusal, { cause, triesLeft: null, retryAt: clock.now + 120e3 });
    }
  });

  it('does not wait for ever', async () => {
    staffing().choose(staffing().people[0]);
    await staffing().signIn('1');
    await clock.pass(20e3);
    assert.equal(staffing().refusal.cause, 'no_answer');
    link.online = false;
    await staffing().signIn('1');
    assert.equal(staffing().refusal.cause, 'not_sent');
  });
});

describe('a session', () => {
  let session;
  beforeEach(() => {
    session = signedIn(link, 'tablet-1');
    link.sent = [];
  });

  it('is what a tap goes under', async () => {
    guest('v');
    tablet.tap(tablet.guests.all[0], 'claim');
    assert.equal(actions()[0].sign_in, session.sign_in);
    assertFits('floor.action', actions()[0]);
    assert.ok(link.sent[0].topic.startsWith('welcome/v1/floor/tablet/tablet-1/action/'));
  });

  it('locks when nobody touches the tablet, and the PIN of the same person opens it', async () => {
    await clock.pass((session.lock_after_s - 1) * 1000);
    staffing().touched();
    assert.equal(said('active').length, 1);
    await clock.pass((session.lock_after_s - 1) * 1000);
    assert.ok(staffing().open);
    await clock.pass(2000);
    assert.ok(!staffing().open);
    assert.equal(said('lock')[0].message.sign_in, session.sign_in);
    link.say(kTold, session); // a word from before
    assert.ok(!staffing().open, 'a retained word opens nothing');
    await staffing().signIn('273910');
    link.say(kTold, session);
    assert.ok(staffing().open);
  });

  it('locks without a line, too', async () => {
    link.down();
    link.online = false;
    await clock.pass(session.lock_after_s * 1000);
    assert.ok(!staffing().open);
  });

  it('is over at once when the box says so, and says why', () => {
    link.say(kTold, { ...session, sign_in: 'another', state: 'over', why: 'left' });
    assert.ok(staffing().open, 'that was another session');
    link.say(kTold, { ...session, state: 'over', why: 'left' });
    assert.ok(!staffing().open);
    assert.deepEqual([staffing().session, staffing().ended], [null, 'left']);
  });

  it('is asked about when the line comes back, and over when no box knows it', () => {
    link.down();
    link.up();
    assert.equal(said('active').length, 1);
    refuse({ re: said('active')[0].message.id, cause: 'not_signed_in' });
    assert.equal(staffing().session, null);
  });

  it('sends what waits for second thoughts in the name of who tapped it, before it ends', async () => {
    guest('v');
    tablet.notThisPerson(tablet.guests.all[0]);
    await staffing().signOut();
    assert.equal(actions()[0].sign_in, session.sign_in);
    assert.ok(
      link.sent.findIndex(({ topic }) => topic.includes('/action/')) <
        link.sent.findIndex(({ topic }) => topic === kSession),
    );
    signedIn(link, 'tablet-1', 'tom', { sign_in: 's-tom' });
    await clock.pass(10e3);
    assert.equal(actions().length, 1, 'nothing goes in Tom’s name');
  });

  it('drops it when the box cuts her off', async () => {
    guest('v');
    tablet.notThisPerson(tablet.guests.all[0]);
    link.say(kTold, { ...session, state: 'over', why: 'left' });
    signedIn(link, 'tablet-1', 'tom', { sign_in: 's-tom' });
    await clock.pass(10e3);
    assert.deepEqual(actions(), []);
    assert.equal(tablet.held.size, 0);
  });

  it('keeps the drafts of each for themselves', async () => {
    guest('v');
    tablet.setDraft('v', 'Flies to Lyon.');
    signedIn(link, 'tablet-1', 'tom', { sign_in: 's-tom' });
    assert.equal(tablet.draft('v'), '');
    tablet.setDraft('v', 'Likes tea.');
    signedIn(link, 'tablet-1', 'eva', { sign_in: 's-eva-2' });
    assert.equal(tablet.draft('v'), 'Flies to Lyon.');
  });

  it('that ended does not end the next one by a late refusal', async () => {
    guest('v');
    await tablet.act('v', { kind: 'greeted' });
    const late = actions()[0].id;
    signedIn(link, 'tablet-1', 'tom', { sign_in: 's-tom' });
    refuse({ re: late, cause: 'not_signed_in' });
    assert.equal(staffing().session.staff, 'tom');
    assert.match(tablet.toasts.at(-1).text, /was not taken/);
  });

  it('ends an enrolment with it', () => {
    tablet.enrol();
    assert.ok(tablet.enrolment);
    link.say(kTold, { ...session, state: 'over', why: 'left' });
    assert.equal(tablet.enrolment, null);
  });
});
