// SPDX-License-Identifier: Apache-2.0
// What the tablet makes of what the box says, without a browser and without a broker.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertFits, example } from '../../e2e/contract.mjs';
import { clock, FakeLink, load, signedIn } from './browser.mjs';

const { kFloorPromptBy, kFloorPromptLevel, kFloorPromptState, kFloorPromptZone } = await load('contract.ts');
const { Tablet, readPrompt, readStatus, worst } = await load('tablet/model.ts');

const at = () => new Date(clock.now).toISOString();
const prompt = (visit, changes = {}) => ({ ...example('floor.prompt'), visit, since: at(), ...changes });
const status = (changes = {}) => ({ ...example('floor.status'), told_all: true, at: at(), ...changes });

let link, tablet;
const shown = () => tablet.prompts.map(({ visit }) => visit);
const stale = () => tablet.prompts.filter((one) => tablet.isStale(one)).map(({ visit }) => visit);
const tell = (visit, changes, expiryS = 900) =>
  link.say(`welcome/v1/floor/prompt/${visit}`, prompt(visit, changes), expiryS);
const clear = (visit) => link.say(`welcome/v1/floor/prompt/${visit}`, null);
const say = (changes = {}) => {
  const message = status(changes);
  assertFits('floor.status', message);
  link.say(`welcome/v1/floor/status/${message.box}`, message);
};

beforeEach(() => {
  link = new FakeLink();
  tablet = new Tablet(link.connect);
  tablet.signIn({ account: 'tablet-1', password: 'x' });
});

describe('a prompt as it is read', () => {
  it('is the example of the contract, word for word', () => {
    const json = example('floor.prompt');
    const read = readPrompt(json.visit, json);
    assert.deepEqual(
      [read.name, read.greeting, read.pronunciation, read.tier, read.points, read.nextReward],
      ['Paul Moreau', 'Mr Moreau', 'mo-ROH', 'gold', 1240, 1500],
    );
    assert.deepEqual(read.by, json.by);
    assert.equal(read.zone, json.zone);
    assert.equal(read.since, Date.parse(json.since));
  });

  it('keeps every word that the contract knows', () => {
    const read = (changes) => readPrompt('v', prompt('v', changes));
    for (const by of kFloorPromptBy) assert.deepEqual(read({ by: [by] }).by, [by]);
    for (const level of kFloorPromptLevel) assert.equal(read({ level }).level, level);
    for (const zone of kFloorPromptZone) assert.equal(read({ zone }).zone, zone);
    for (const state of kFloorPromptState) assert.equal(read({ state }).state, state);
  });

  it('leaves out what is not as the contract says, and is nothing without a name or level', () => {
    const read = readPrompt(
      'v',
      prompt('v', { by: ['phone', 'smell', 7], points: '12', avoid: 'nuts', since: 'yesterday' }),
    );
    assert.deepEqual([read.by, read.points, read.avoid, read.since], [['phone'], null, [], null]);
    assert.equal(readPrompt('v', prompt('v', { level: 'certain' })), null);
    assert.equal(readPrompt('v', prompt('v', { greet: 'Paul' })), null);
    assert.equal(readPrompt('another', prompt('v')), null);
  });
});

describe('the status of a store', () => {
  it('is the worst of its boxes', () => {
    const all = [
      readStatus(status({ in_store: 3 })),
      readStatus(status({ box: 'b', link: 'down', in_store: 4, trouble: ['store'], paused: ['face'] })),
    ];
    const { link: line, inStore, trouble, paused } = worst(all);
    assert.deepEqual([line, inStore, trouble, paused], ['down', 4, ['store'], ['face']]);
    assert.equal(worst([]), null);
  });
});

describe('cards', () => {
  beforeEach(() => {
    link.up();
    signedIn(link, 'tablet-1');
    link.sent = [];
  });

  it('stand in the order of arrival and go when the visit ends or expires', async () => {
    tell('late', { since: '2026-05-04T09:00:00Z' });
    tell('early', { since: '2026-05-04T07:00:00Z' }, 60);
    assert.deepEqual(shown(), ['early', 'late']);
    await clock.pass(60e3);
    assert.deepEqual(shown(), ['late']);
    clear('late');
    assert.deepEqual(shown(), []);
  });

  it('say who was faster', () => {
    link.say('welcome/v1/floor/staff/box-1', example('floor.staff'));
    tell('v');
    tablet.claim(tablet.prompts[0]);
    assert.ok(tablet.claiming.has('v'));
    tell('v', { state: 'claimed', claimed_by: 'tom' });
    assert.ok(!tablet.claiming.has('v'));
    assert.match(tablet.toasts.at(-1).text, /Tom was a moment faster/);
  });

  it('hold a harmful action back until it can no longer be undone', async () => {
    tell('v');
    tablet.actUnlessUndone(tablet.prompts[0], 'declined');
    tablet.toasts.at(-1).undo();
    await clock.pass(10e3);
    assert.deepEqual(link.sent, []);
    tablet.actUnlessUndone(tablet.prompts[0], 'declined');
    await clock.pass(10e3);
    assert.equal(link.sent[0].message.kind, 'declined');
    assertFits('floor.action', link.sent[0].message);
  });

  it('send a note once, with the same id when it is tried again', async () => {
    tell('v');
    tablet.setDraft('v', 'Flies to Lyon.');
    link.online = false;
    assert.equal(await tablet.sendNote('v'), false);
    const { id } = tablet.drafts.get('v');
    link.online = true;
    assert.equal(await tablet.sendNote('v'), true);
    assert.equal(link.sent[0].message.id, id);
    assertFits('floor.action', link.sent[0].message);
    assert.equal(tablet.draft('v'), '');
  });
});

describe('after the line was away', () => {
  beforeEach(async () => {
    link.up();
    say();
    tell('stays');
    tell('gone');
    await clock.pass(5e3);
    link.down();
    await clock.pass(5e3);
  });

  it('a card stays, marked, until its box has told all', async () => {
    link.up(); // to a broker that knows nothing
    await clock.pass(30e3);
    assert.deepEqual(shown(), ['gone', 'stays']);
    assert.deepEqual(stale(), ['gone', 'stays']);
    say({ told_all: false });
    tell('stays');
    assert.deepEqual(stale(), ['gone']);
    say();
    assert.deepEqual(shown(), ['stays']);
    assert.deepEqual(stale(), []);
  });

  it('the retained word of a box that is still there is enough', async () => {
    link.up(); // to the broker that has kept everything
    link.say('welcome/v1/floor/status/box-1', status({ at: new Date(clock.now - 10e3).toISOString() }));
    tell('stays');
    await clock.pass(1e3);
    assert.deepEqual(shown(), ['gone', 'stays'], 'what the broker keeps may still be on its way');
    await clock.pass(1e3);
    assert.deepEqual(shown(), ['stays']);
  });

  it('a word from before the line went does not count', async () => {
    link.up();
    link.say('welcome/v1/floor/status/box-1', status({ at: '2026-05-04T07:00:00Z' }));
    await clock.pass(10e3);
    assert.deepEqual(shown(), ['gone', 'stays']);
  });

  it('every box of the store has to say it', async () => {
    link.up();
    say({ box: 'box-2' });
    await clock.pass(5e3);
    link.down();
    link.up();
    say({ box: 'box-2' });
    await clock.pass(5e3);
    assert.deepEqual(shown(), ['gone', 'stays']);
    say({ told_all: undefined }); // an older box
    assert.deepEqual(shown(), []);
  });

  it('a box that is taken away is not waited for', async () => {
    link.up();
    await clock.pass(5e3);
    link.say('welcome/v1/floor/status/box-1', null);
    assert.deepEqual(shown(), []);
  });

  it('a line that goes again at once drops nothing', async () => {
    link.up();
    say();
    link.down();
    await clock.pass(10e3);
    assert.deepEqual(shown(), ['gone', 'stays']);
  });
});
