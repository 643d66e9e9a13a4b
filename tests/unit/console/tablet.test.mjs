// SPDX-License-Identifier: Apache-2.0
// What the tablet makes of what the box says, without a browser and without a broker.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assertFits, example } from '../../e2e/contract.mjs';
import { clock, FakeLink, load, signedIn } from './browser.mjs';

const { kFloorPromptBy, kFloorPromptLevel, kFloorPromptState, kFloorPromptZone } = await load('contract.ts');
const { Tablet } = await load('tablet/model.ts');
const { readPrompt, readStatus, worst } = await load('tablet/prompt.ts');
const { Places, all, arrange } = await load('tablet/places.ts');
const { kWords } = await load('tablet/words.ts');

const at = () => new Date(clock.now).toISOString();
const prompt = (visit, changes = {}) => ({ ...example('floor.prompt'), visit, since: at(), ...changes });
const status = (changes = {}) => ({ ...example('floor.status'), told_all: true, at: at(), ...changes });

let link, tablet;
const shown = () => tablet.guests.all.map(({ visit }) => visit);
const stale = () => tablet.guests.all.filter((one) => tablet.guests.isStale(one)).map(({ visit }) => visit);
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
    tablet.tap(tablet.guests.all[0], 'claim');
    assert.ok(tablet.claiming.has('v'));
    tell('v', { state: 'claimed', claimed_by: 'tom' });
    assert.ok(!tablet.claiming.has('v'));
    assert.match(tablet.toasts.at(-1).text, /Tom was a moment faster/);
  });

  it('hold a harmful action back until it can no longer be undone', async () => {
    tell('v');
    tablet.notThisPerson(tablet.guests.all[0]);
    tablet.toasts.at(-1).undo();
    await clock.pass(10e3);
    assert.deepEqual(link.sent, []);
    tablet.notThisPerson(tablet.guests.all[0]);
    await clock.pass(10e3);
    assert.equal(link.sent[0].message.kind, 'not_this_person');
    assertFits('floor.action', link.sent[0].message);
  });

  it('take back with the next tap what was tapped by mistake', async () => {
    tell('v', { state: 'claimed', claimed_by: 'eva' });
    for (const [kind, undo] of [
      ['greeted', 'reopen'],
      ['served', 'reopen'],
      ['declined', 'reopen'],
      ['release', 'claim'],
    ]) {
      link.sent = [];
      tablet.tap(tablet.guests.all[0], kind);
      tablet.toasts.at(-1).undo();
      await clock.pass(0);
      assert.deepEqual(
        link.sent.map(({ message }) => message.kind),
        [kind, undo],
      );
      for (const { message } of link.sent) assertFits('floor.action', message);
    }
  });

  it('keep what is done without a line, in order, and send it once', async () => {
    tell('v');
    link.down();
    tablet.tap(tablet.guests.all[0], 'greeted');
    tablet.setDraft('v', 'Flies to Lyon.');
    const { id } = tablet.drafts.get('v');
    assert.equal(await tablet.sendNote('v'), true);
    assert.equal(tablet.waiting.of('v').length, 2);
    assert.equal(tablet.draft('v'), '');
    link.up();
    await clock.pass(0);
    assert.deepEqual(
      link.sent.filter(({ message }) => message.visit === 'v').map(({ message }) => message.kind),
      ['greeted', 'note'],
    );
    assert.equal(link.sent.at(-1).message.id, id);
    assertFits('floor.action', link.sent.at(-1).message);
    assert.equal(tablet.waiting.actions.length, 0);
  });

  it('do not send what waited too long, or in the name of somebody else', async () => {
    tell('v', {}, 3600);
    link.down();
    tablet.tap(tablet.guests.all[0], 'greeted');
    await clock.pass(11 * 60e3);
    link.sent = [];
    link.up();
    await clock.pass(0);
    const actions = () => link.sent.filter(({ message }) => message.visit);
    assert.deepEqual(actions(), []);
    assert.match(tablet.toasts.at(-1).text, /too late/);
    link.down();
    tablet.tap(tablet.guests.all[0], 'greeted');
    signedIn(link, 'tablet-1', 'tom', { sign_in: 's-tom' });
    link.up();
    await clock.pass(0);
    assert.deepEqual(actions(), []);
  });

  it('keep the draft of a guest who left, and say so when a card with one is taken away', () => {
    tell('v');
    tablet.setDraft('v', 'Flies to');
    tell('v', { left_at: at() });
    assert.equal(tablet.draft('v'), 'Flies to');
    assert.deepEqual(tablet.places.layout.gone, ['v']);
    clear('v');
    assert.equal(tablet.draft('v'), '');
    assert.match(tablet.toasts.at(-1).text, /not kept/);
  });

  it('are new until looked at, claimed by somebody, or for two minutes', async () => {
    await clock.pass(5e3); // what the broker keeps has come
    const arrived = [];
    tablet.onArrival = ({ visit }) => arrived.push(visit);
    tell('a');
    tell('b');
    tell('c');
    tell('here', { state: 'claimed', claimed_by: 'tom' });
    const fresh = () => tablet.guests.fresh.map(({ visit }) => visit).sort();
    assert.deepEqual(fresh(), ['a', 'b', 'c']);
    tablet.show('a');
    tell('b', { state: 'claimed', claimed_by: 'tom' });
    assert.deepEqual(fresh(), ['c']);
    await clock.pass(121e3);
    assert.deepEqual(fresh(), []);
    assert.deepEqual(arrived, ['a', 'b', 'c']);
  });

  it('leave nothing behind, over five thousand arrivals', async () => {
    const size = () =>
      JSON.stringify(tablet, (_, value) => (value instanceof Map ? [...value] : value)).length;
    tell('v');
    clear('v');
    const before = size();
    for (let i = 0; i < 5000; ++i) {
      tell(`v-${i}`);
      if (i % 2) tablet.show(`v-${i}`);
      clear(`v-${i}`);
    }
    assert.ok(size() <= before + 200, `${size()} from ${before}`);
    assert.equal(clock.waiting < 50, true, `${clock.waiting} timers are left`);
  });
});

describe('places', () => {
  const guest = (visit, changes = {}) => readPrompt(visit, prompt(visit, { zone: 'inside', ...changes }));
  const since = (minute) => `2026-05-04T08:${String(minute).padStart(2, '0')}:00Z`;

  it('are by zone, the newest first, with who was looked after and who left apart', () => {
    const layout = arrange(
      [
        guest('old', { since: since(1) }),
        guest('young', { since: since(9) }),
        guest('desk', { zone: 'desk' }),
        guest('away', { zone: 'away' }),
        guest('new', { since: since(10) }),
        guest('served', { state: 'served' }),
        guest('gone', { left_at: since(10) }),
      ],
      ({ visit }) => visit === 'new',
    );
    assert.deepEqual(
      [...layout.groups],
      [
        ['fresh', ['new']],
        ['desk', ['desk']],
        ['inside', ['young', 'old']],
        ['outside', ['away']],
      ],
    );
    assert.deepEqual([layout.served, layout.gone], [['served'], ['gone']]);
  });

  it('stay while a finger is near, whoever comes, goes or is served', () => {
    const places = new Places();
    const update = (...prompts) => places.update(prompts, () => false);
    update(guest('a'), guest('b'));
    const before = all(places.layout);
    places.hold(true);
    update(guest('b', { state: 'served' }), guest('c'));
    assert.deepEqual(all(places.layout), before);
    assert.deepEqual(places.waiting, ['c']);
    places.hold(false);
    update(guest('b', { state: 'served' }), guest('c'));
    assert.deepEqual(all(places.layout), ['c', 'b']);
    assert.deepEqual(places.waiting, []);
  });
});

describe('the words', () => {
  it('are there in every language, and none is empty or left in English', () => {
    const leaves = (value, path = '') =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, one]) => leaves(one, `${path}.${name}`))
        : [[path, typeof value === 'function' ? value.toString() : value]];
    const english = new Map(leaves(kWords.en));
    // The same in both, or a name of our own.
    const same = /PIN|accountHint|signed_out|app$|code$|points|forGuest|Allergie|\.note$/;
    for (const language of ['de', 'fr', 'ar']) {
      const read = new Map(leaves(kWords[language]));
      assert.deepEqual([...read.keys()].sort(), [...english.keys()].sort(), language);
      for (const [path, said] of read)
        assert.ok(
          said !== english.get(path) || same.test(path) || same.test(said),
          `${language}${path}: ${said}`,
        );
    }
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
