// SPDX-License-Identifier: Apache-2.0
// Two boxes of one store, the real programs on a real broker with the published access rules: they
// agree where a customer is, notice when one of them goes, and tell the broker nothing about her.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { assertFits } from '../e2e/contract.mjs';
import { Store, kMia, until } from './small_store.mjs';

const open = async (box) => (await box.ctl('visits')).find((row) => !row.ended);
const zone = async (box) => (await open(box))?.zone;

test('two boxes agree on one zone, and notice when one of them dies', async (t) => {
  const store = new Store();
  t.after(() => store.stop());
  await store.prepare();

  const words = [];
  const boxEar = await store.connect(store.floor, 'box-1');
  boxEar.on('message', (topic, payload) => words.push(JSON.parse(payload)));
  await boxEar.subscribeAsync('welcome/v1/floor/ranging/+');
  let leaked = 0;
  const tablet = await store.connect(store.floor, 'tablet-1');
  tablet.on('message', (topic) => (leaked += topic.includes('ranging') ? 1 : 0));
  await tablet.subscribeAsync('#').catch(() => {});

  // By the door for 15 s, then at the desk.
  const epoch = Date.now() + 6000;
  const door = await store.box('box-1', epoch, (s) => (s < 15 ? -62 : -78), { zones: 'box = door' });
  const desk = await store.box('box-2', epoch, (s) => (s < 15 ? -78 : -60), { zones: 'box = desk' });

  await until(
    async () => (await zone(door)) === 'door' && (await zone(desk)) === 'door',
    'both say that she is by the door',
  );
  const { visit } = await open(door);
  assert.equal((await open(desk)).visit, visit, 'one visit in both');
  const { neighbours } = await door.ctl('status');
  assert.equal(neighbours.zone, 'door');
  assert.deepEqual(
    neighbours.boxes.map(({ box, zone: z, state }) => [box, z, state]),
    [['box-2', 'desk', 'here']],
  );

  await until(
    async () => (await zone(door)) === 'desk' && (await zone(desk)) === 'desk',
    'both say that she is at the desk',
  );

  desk.program.kill('SIGKILL');
  await desk.program.ended;
  await until(
    async () => (await door.ctl('status')).neighbours.boxes[0].state === 'away',
    'its last will is heard',
    5000,
  );
  await until(async () => (await zone(door)) === 'door', 'what is left hears her by the door', 30000);
  assert.equal((await open(door)).visit, visit, 'and it is the same visit');

  assert.ok(words.length > 20);
  for (const word of words) assertFits('floor.ranging', word);
  assert.ok(
    words.some((word) => word.box === 'box-2' && word.gone),
    'the broker spoke the last will',
  );
  assert.ok(words.some((word) => word.heard.length === 1));
  const text = JSON.stringify(words);
  assert.ok(words.some((word) => word.heard.some((heard) => heard.visit)));
  assert.ok(!text.includes(visit.replaceAll('-', '')), 'the visit is told in the clear');
  assert.ok(!text.includes('c-mia') && !text.includes('i-mia') && !text.includes(kMia.slice(0, 12)));
  const ids = new Set(words.flatMap((word) => word.heard.map((heard) => heard.who)));
  assert.equal(ids.size, new Set(words.map((word) => word.day)).size, 'one id a day, the same in both boxes');
  assert.equal(leaked, 0, 'a tablet reads nothing of it');
});

// The campaign goes to each customer once a day, and both boxes hear her from the same moment on.
test('two boxes that share the floor make one offer where a cap allows one', async (t) => {
  const store = new Store();
  t.after(() => store.stop());
  await store.prepare();
  const epoch = Date.now() + 6000;
  const boxes = [];
  for (const name of ['box-1', 'box-2']) {
    boxes.push(await store.box(name, epoch, () => -84, { floor: 'shared = yes' }));
  }
  const decisions = async (box) => (await box.ctl('decisions')).filter((d) => d.kind === 'offer');
  await until(
    async () => (await Promise.all(boxes.map(decisions))).every((of) => of.length > 0),
    'both have decided',
    60000,
  );
  const offers = () => store.events.filter((event) => event.type.includes('decision.offer'));
  await until(() => offers().length > 0, 'the CRM gets an offer');

  // What the other had decided it took back, and says which cap stood against it.
  const reasons = async () => (await Promise.all(boxes.map(decisions))).flat().map((d) => d.reason);
  await until(async () => (await reasons()).includes('cap_campaign'), 'the other box makes none');
  for (const box of boxes) {
    await until(async () => (await box.ctl('status')).outbox.uplink === 0, `${box.name} has sent all`);
  }
  assert.equal(offers().length, 1, JSON.stringify(offers().map(({ source, time }) => [source, time])));
  assert.equal(offers()[0].subject, 'c-mia');
});

test('a sign-in counts with both boxes of a store, goes on when one is away, and ends everywhere', async (t) => {
  const store = new Store();
  t.after(() => store.stop());
  const eva = await store.member('eva', 'Eva', '273910');
  await store.prepare({ staff: eva });
  const tablet = await store.connect(store.floor, 'tablet-1');
  const said = { session: {}, prompts: [] };
  tablet.on('message', (topic, payload) => {
    if (!payload.length) return;
    const word = JSON.parse(payload);
    if (topic.endsWith('/session')) said.session[word.box] = word;
    if (topic.includes('/prompt/')) said.prompts.push(word);
  });
  await tablet.subscribeAsync(['welcome/v1/floor/to/tablet-1/#', 'welcome/v1/floor/prompt/+'], { qos: 1 });
  const say = (what, word) =>
    tablet.publishAsync(
      `welcome/v1/floor/tablet/tablet-1/${what}`,
      JSON.stringify({ v: 1, id: randomUUID(), at: new Date().toISOString(), ...word }),
      { qos: 1 },
    );
  const state = (box) => said.session[box]?.state;

  const epoch = Date.now() + 6000;
  const start = (name) => store.box(name, epoch, () => -60, { zones: 'box = desk' });
  const [one, two] = [await start('box-1'), await start('box-2')];
  for (const box of [one, two])
    await until(async () => (await box.ctl('status')).crm.feed.staff?.items === 1, `${box.name} knows Eva`);
  const signIn = randomUUID();
  await say('session', { id: signIn, kind: 'sign_in', staff: 'eva', pin: '273910' });
  await until(() => state('box-1') === 'on' && state('box-2') === 'on', 'both have looked at the PIN');
  for (const { sign_in, staff } of Object.values(said.session))
    assert.deepEqual([sign_in, staff], [signIn, 'eva']);

  // One tap is one event, of her.
  const prompt = await until(() => said.prompts.at(-1), 'she is shown');
  await say(`action/${prompt.visit}`, { visit: prompt.visit, sign_in: signIn, kind: 'claim' });
  const taps = () => store.events.filter((event) => event.type.includes('staff.action'));
  await until(() => said.prompts.at(-1).claimed_by === 'eva', 'the card is claimed');
  await until(() => taps().length > 0, 'the CRM hears of it');
  for (const box of [one, two])
    await until(async () => (await box.ctl('status')).outbox.uplink === 0, `${box.name} has sent all`);
  assert.deepEqual(
    taps().map(({ data }) => [data.staff, data.kind]),
    [['eva', 'claim']],
  );

  // A box that starts again asks nobody for a PIN.
  two.program.kill('SIGKILL');
  await two.program.ended;
  await say(`action/${prompt.visit}`, { visit: prompt.visit, sign_in: signIn, kind: 'release' });
  await until(() => said.prompts.at(-1).claimed_by === null, 'the one that is left takes her taps');
  delete said.session['box-2'];
  await start('box-2');
  await until(() => state('box-2') === 'on', 'it knows her session');

  // Head office lets her go.
  const gone = { op: 'delete', key: 'eva', seq: 2 };
  for (const box of ['box-1', 'box-2'])
    await store.crm.publishAsync(
      `welcome/v1/demo/aroma-1/${box}/feed/staff`,
      JSON.stringify({
        ...eva,
        kind: 'delta',
        part: undefined,
        parts: undefined,
        from_seq: 1,
        to_seq: 2,
        digest: '0'.repeat(32),
        items: [gone],
      }),
      { qos: 1 },
    );
  await until(() => state('box-1') === 'over' && state('box-2') === 'over', 'both have ended it');
});
