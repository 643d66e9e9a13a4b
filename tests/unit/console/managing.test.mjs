// SPDX-License-Identifier: Apache-2.0
// What a lead sees and asks for: only with the role, only of this session, and all boxes as one.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertFits, example } from '../../e2e/contract.mjs';
import { clock, FakeLink, load, signedIn } from './browser.mjs';

const { kFloorRefusedCause } = await load('contract.ts');
const { Tablet } = await load('tablet/model.ts');

const kManage = 'welcome/v1/floor/tablet/tablet-1/manage';
let link, tablet;
const asked = () => link.sent.filter(({ topic }) => topic === kManage).map(({ message }) => message);
const answer = (re, box = 'box-1', today = {}, kind = 'today') => {
  const message = { ...example('floor.managed'), re, box, kind };
  message.today = { ...message.today, ...today };
  assertFits('floor.managed', message);
  link.say('welcome/v1/floor/to/tablet-1/managed', message);
};
const refuse = (re, cause) => {
  const message = { ...example('floor.refused.not_allowed'), re, cause };
  link.say('welcome/v1/floor/to/tablet-1/refused', message);
};

beforeEach(() => {
  link = new FakeLink();
  tablet = new Tablet(link.connect);
  tablet.signIn({ account: 'tablet-1', password: 'x' });
  link.up();
});

describe('whoever leads the shop', () => {
  let session;
  beforeEach(() => {
    session = signedIn(link, 'tablet-1', 'eva', { roles: ['staff', 'lead'] });
    tablet.manage('lead');
  });

  it('asks each box under the session, and again while the page is open', async () => {
    assertFits('floor.manage', asked()[0]);
    assert.deepEqual([asked()[0].kind, asked()[0].sign_in], ['today', session.sign_in]);
    await clock.pass(40e3);
    assert.equal(asked().length, 3);
    assert.equal(new Set(asked().map(({ id }) => id)).size, 3);
    tablet.endManaging();
    await clock.pass(60e3);
    assert.equal(asked().length, 3, 'nobody looks any more');
  });

  it('sees what the boxes counted, added up, and which they are', () => {
    const [{ id }] = asked();
    answer(id, 'box-1', { arrivals: 4, why_not: { cap: 2 }, paused: [] });
    answer(id, 'box-2', { arrivals: 3, why_not: { cap: 1, schedule: 9 }, rehearsal: true });
    const { today, boxes } = tablet.managing;
    assert.deepEqual(boxes, ['box-1', 'box-2']);
    assert.equal(today.counts.arrivals, 7);
    assert.deepEqual(
      [...today.whyNot],
      [
        ['schedule', 9],
        ['cap', 3],
      ],
    );
    assert.equal(today.experiments.length, 1, 'of both boxes, and the same');
    assert.equal(today.signedIn.length, 1);
    assert.equal(today.paused.length, 2, 'what holds at one holds');
    assert.ok(today.rehearsal);
  });

  it('shows nothing that nobody asked for', () => {
    answer('somebody-else');
    assert.equal(tablet.managing.today, null);
    link.say('welcome/v1/floor/to/tablet-1/managed', { re: asked()[0].id, box: 'box-1', today: 'no' });
    assert.equal(tablet.managing.today, null);
    link.say('welcome/v1/floor/to/tablet-1/managed', { re: asked()[0].id, box: 'box-1', today: {} });
    assert.equal(tablet.managing.today.counts.arrivals, 0);
  });

  it('pauses with a reason, goes on, and hears why not', async () => {
    const { managing } = tablet;
    managing.pause('offers', 'bothers');
    const pause = asked().at(-1);
    assertFits('floor.manage', pause);
    assert.deepEqual([pause.kind, pause.function, pause.reason], ['pause', 'offers', 'bothers']);
    assert.equal(managing.asked, 'pause');
    answer(pause.id, 'box-1', {}, 'pause');
    assert.equal(managing.asked, null);
    for (const cause of kFloorRefusedCause) {
      managing.resume('offers');
      assertFits('floor.manage', asked().at(-1));
      refuse('another', cause);
      assert.equal(managing.asked, 'resume', 'the answer to another question');
      refuse(asked().at(-1).id, cause);
      if (!tablet.managing) break; // the sign-in was over
      assert.equal(managing.refusal, cause);
    }
  });

  it('does not wait for ever', async () => {
    tablet.managing.resume('offers');
    await clock.pass(9e3);
    assert.equal(tablet.managing.refusal, 'no_answer');
    link.online = false;
    tablet.managing.resume('offers');
    await clock.pass(1);
    assert.equal(tablet.managing.refusal, 'not_sent');
  });

  it('lets one box invent guests, and ends it at all', () => {
    answer(asked()[0].id, 'box-2');
    answer(asked()[0].id, 'box-1');
    tablet.managing.rehearse(true);
    assertFits('floor.manage', asked().at(-1));
    assert.deepEqual([asked().at(-1).kind, asked().at(-1).box], ['rehearsal_start', 'box-1']);
    answer(asked().at(-1).id, 'box-1', { rehearsal: true }, 'rehearsal_start');
    tablet.managing.rehearse(false);
    assert.deepEqual([asked().at(-1).kind, asked().at(-1).box], ['rehearsal_stop', undefined]);
  });

  it('is gone with the session, and behind the lock', async () => {
    tablet.staffing.lock();
    tablet.manage('lead');
    assert.equal(tablet.managing, null);
    await clock.pass(60e3);
    assert.equal(asked().length, 1);
    signedIn(link, 'tablet-1', 'tom', { sign_in: 'toms', roles: ['staff', 'lead'] });
    tablet.manage('lead');
    signedIn(link, 'tablet-1', 'eva', { sign_in: 'another', roles: ['staff'] });
    assert.equal(tablet.managing, null);
  });
});

describe('a technician', () => {
  const say = (name, box = 'box-1', changes = {}) => {
    const re = asked().findLast(({ kind }) => kind === name)?.id ?? asked()[0].id;
    const message = { ...example(`floor.managed.${name}`), re, box, ...changes };
    assertFits('floor.managed', message);
    link.say('welcome/v1/floor/to/tablet-1/managed', message);
  };
  beforeEach(() => {
    signedIn(link, 'tablet-1', 'ida', { roles: ['technician'] });
    tablet.manage('technician');
  });

  it('sees the lights of each box, and what to do', async () => {
    assertFits('floor.manage', asked()[0]);
    assert.equal(asked()[0].kind, 'lights');
    say('lights', 'box-2');
    say('lights');
    assert.deepEqual(tablet.managing.boxes, ['box-1', 'box-2']);
    assert.equal(tablet.managing.lights.get('box-1')[1].toDo, 'is it plugged in?');
    await clock.pass(6e3);
    assert.equal(asked().length, 2);
  });

  it('sees bars each second while they walk, and nothing of it afterwards', async () => {
    tablet.managing.walk(true);
    await clock.pass(3500);
    assert.equal(asked().filter(({ kind }) => kind === 'signal').length, 4);
    assertFits('floor.manage', asked().at(-1));
    say('signal');
    assert.deepEqual(tablet.managing.signals.get('box-1')[0], { by: 'phone', bars: 4, zone: 'inside' });
    tablet.managing.walk(false);
    say('signal');
    assert.equal(tablet.managing.signals.size, 0);
    const before = asked().filter(({ kind }) => kind === 'signal').length;
    await clock.pass(5e3);
    assert.equal(asked().filter(({ kind }) => kind === 'signal').length, before);
  });

  it('restarts one box', () => {
    tablet.managing.restart('box-2');
    assertFits('floor.manage', asked().at(-1));
    assert.deepEqual([asked().at(-1).kind, asked().at(-1).box], ['restart', 'box-2']);
  });
});

it('who does not lead opens nothing and asks nothing', () => {
  for (const roles of [['staff'], ['staff', 'technician'], []]) {
    signedIn(link, 'tablet-1', 'tom', { sign_in: `s-${roles.length}`, roles });
    tablet.manage('lead');
    assert.equal(tablet.managing, null);
  }
  assert.deepEqual(asked(), []);
});

it('a pause of the shop is told apart from head office’s', () => {
  link.say('welcome/v1/floor/status/box-1', {
    ...example('floor.status'),
    paused: ['offers', 'face'],
    paused_here: ['offers'],
  });
  assert.deepEqual(tablet.guests.status.paused, ['offers', 'face']);
  assert.deepEqual(tablet.guests.status.pausedHere, ['offers']);
});
