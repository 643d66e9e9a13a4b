// SPDX-License-Identifier: Apache-2.0
// Attacks with a tablet's account: speaking as another tablet, as somebody who is not signed in, as somebody who
// left; and guessing a PIN. On the real broker with the rules as they are shipped, the real CRM and box.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { kPin } from '../../demo/story.mjs';
import { StaffTablet } from '../../harness/tablet.mjs';
import { openShop } from './shop.mjs';

const example = (name) =>
  JSON.parse(readFileSync(new URL(`../../docs/examples/${name}.json`, import.meta.url), 'utf8'));
const { notice } = example('floor.enrol.consent');
const grant = { kind: 'consent', customer: 'c-mia', purposes: { preference_prompts: true }, notice };

// The box is there and has heard who works in the shop.
async function openWithBox(t) {
  const story = await openShop(t);
  await story.startDaemon();
  const { stack } = story;
  await stack.message(
    'floor',
    `welcome/v1/floor/staff/${stack.box}`,
    ({ staff }) => staff.length === 2,
    30000,
  );
  await story.until(async () => (await story.ctl('status')).crm.feed.consents?.items >= 11, 'all is there');
  return story;
}

const trail = async (story) =>
  (await story.ctl('audit', 'show')).map(({ kind, actor, detail }) => `${kind} ${actor} ${detail}`);
const entered = async (story) => (await trail(story)).filter((line) => /^consent staff:/.test(line));

test('a tablet does not speak as another tablet, and does not hear what another is told', async (t) => {
  const story = await openWithBox(t);
  const own = await StaffTablet.connect(story.stack, 'tablet-1');
  await own.signedIn('eva', kPin);
  const thief = await story.stack.connect('floor', 'tablet-2');
  const heard = [];
  thief.on('message', (topic) => heard.push(topic));
  await thief.subscribeAsync(['#', 'welcome/v1/floor/to/tablet-1/#', 'welcome/v1/floor/tablet/#'], {
    qos: 1,
  });
  const said = JSON.stringify({
    ...example('floor.enrol.consent'),
    session: 's-1',
    ...grant,
    sign_in: own.signIn,
  });
  for (const topic of [
    'tablet/tablet-1/enrol/s-1',
    'tablet/tablet-1/session',
    'to/tablet-1/session',
    'enrol/s-1',
  ])
    await assert.rejects(thief.publishAsync(`welcome/v1/floor/${topic}`, said, { qos: 1 }), /uthori/, topic);
  // Under its own name, with the session of the other.
  const other = new StaffTablet();
  Object.assign(other, { account: 'tablet-2', client: thief });
  await other.say('enrol/s-1', { session: 's-1', from: 'tablet', sign_in: own.signIn, ...grant });
  // What tablet-1 says after it is taken: the box has seen both.
  await own.enrol('s-2', { ...grant, purposes: { visit_analytics: true } });
  await story.until(async () => (await entered(story)).length > 0, 'the box has seen it');
  assert.deepEqual(await entered(story), ['consent staff:eva visit_analytics given']);
  assert.ok(!heard.some((topic) => /tablet-1/.test(topic)), heard.join());
});

test('nobody acts who is not signed in, whatever name a message bears', async (t) => {
  const story = await openWithBox(t);
  const tablet = await StaffTablet.connect(story.stack, 'tablet-1');
  tablet.signIn = 'made-up';
  const id = await tablet.enrol('s-1', { ...grant, staff: 'eva' });
  const answer = await tablet.word(({ re }) => re === id);
  assert.equal(answer.cause, 'not_signed_in');
  assert.deepEqual(await entered(story), []);
  const { stdout } = await story.crm('--json', 'customer', 'export', 'c-mia');
  assert.ok(!JSON.parse(stdout).consents.some(({ history }) => history.some(({ how }) => how === 'desk')));
});

test('a plain member of staff runs no shop, whatever they say, and a lead does', async (t) => {
  const story = await openWithBox(t);
  await story.crm('staff', 'add', 'tom', '--role', 'lead');
  const { stack } = story;
  const plain = await StaffTablet.connect(stack, 'tablet-1');
  await plain.signedIn('eva', kPin);
  const pause = { kind: 'pause', function: 'all', reason: 'busy', staff: 'tom', roles: ['lead'] };
  const asks = (tablet, message) => tablet.say('manage', { sign_in: tablet.signIn, ...message });
  const cause = async (tablet, id) => (await tablet.word(({ re }) => re === id)).cause;
  for (const kind of ['today', 'rehearsal_start', 'rehearsal_stop', 'lights', 'signal', 'restart'])
    assert.equal(await cause(plain, await asks(plain, { kind, box: stack.box })), 'not_allowed', kind);
  assert.equal(await cause(plain, await asks(plain, pause)), 'not_allowed');
  // Neither under a lead's session of another tablet, nor by saying what boxes say.
  const lead = await StaffTablet.connect(stack, 'tablet-2');
  await lead.signedIn('tom', kPin);
  assert.equal(await cause(plain, await asks(plain, { ...pause, sign_in: lead.signIn })), 'not_signed_in');
  for (const topic of ['tablet/tablet-2/manage', 'to/tablet-1/managed', 'to/tablet-1/session'])
    await assert.rejects(
      plain.client.publishAsync(`welcome/v1/floor/${topic}`, JSON.stringify(example('floor.managed')), {
        qos: 1,
      }),
      /uthori/,
      topic,
    );
  assert.deepEqual((await story.ctl('status')).paused, []);
  assert.ok(!(await trail(story)).some((line) => /^(pause|rehearsal) /.test(line)));
  // The box may hear of the new role a moment later.
  await story.until(async () => {
    const id = await asks(lead, { ...pause, function: 'offers' });
    return (await lead.word(({ re }) => re === id)).topic === 'managed';
  }, 'the lead is heard');
  assert.deepEqual((await story.ctl('status')).paused_here, ['offers: busy']);
  assert.ok((await trail(story)).includes('pause staff:tom offers paused in the shop: busy'));
});

test('a technician sees the lights, and restarts the box as systemd starts it again', async (t) => {
  const story = await openWithBox(t);
  const { stack } = story;
  await story.crm('staff', 'add', 'tom', '--role', 'technician');
  const tablet = await StaffTablet.connect(stack, 'tablet-1');
  await tablet.signedIn('tom', kPin);
  const ask = async (message) => {
    const id = await tablet.say('manage', { sign_in: tablet.signIn, ...message });
    return tablet.word(({ re }) => re === id);
  };
  // The box may hear of the new role a moment later.
  await story.until(async () => (await ask({ kind: 'lights' })).topic === 'managed', 'they are heard');
  const { lights } = await ask({ kind: 'lights' });
  assert.deepEqual(
    lights.map(({ light }) => light).sort(),
    Object.keys((await story.ctl('status')).lights).sort(),
  );
  assert.deepEqual((await ask({ kind: 'signal' })).signal, []);
  const daemon = stack.program('welcomed');
  assert.equal((await ask({ kind: 'restart', box: stack.box })).kind, 'restart');
  assert.deepEqual(await daemon.exited, { code: 1, signal: null });
  await story.startDaemon();
  await story.until(async () => (await story.ctl('status')).links.floor.state === 'up', 'the box is back');
  assert.ok((await trail(story)).includes('restart staff:tom on a tablet'));
});

test('guessing a PIN ends after a few tries, on every tablet, and goes on after no restart', async (t) => {
  const story = await openWithBox(t);
  const one = await StaffTablet.connect(story.stack, 'tablet-1');
  const two = await StaffTablet.connect(story.stack, 'tablet-2');
  // As fast as it goes: all are sent before the first is answered.
  const guesses = Array.from({ length: 100 }, (_, i) => String(1000 + i));
  const ids = [];
  for (const [i, pin] of guesses.entries())
    ids.push(await (i % 2 ? one : two).say('session', { kind: 'sign_in', staff: 'eva', pin }));
  const looked = () => [one, two].flatMap(({ told }) => told.filter(({ cause }) => cause === 'wrong_pin'));
  await story.until(() => looked().length >= 5, 'some were looked at');
  for (const tablet of [one, two]) {
    const answer = await tablet.tryPin('eva', kPin);
    assert.equal(answer.cause, 'wait', 'the right one, after so many wrong ones');
    assert.ok(answer.retry_after_s > 60);
  }
  assert.equal(looked().length, 5);
  const wrong = (await trail(story)).filter((line) => line.startsWith('wrong_pin '));
  assert.equal(wrong.length, 5);
  assert.ok(!wrong.some((line) => /100\d/.test(line)), 'a PIN in the audit log');
  await story.stack.program('welcomed').kill();
  await story.startDaemon();
  await story.until(async () => (await story.ctl('status')).links.floor.state === 'up', 'the box is back');
  assert.equal((await two.tryPin('eva', kPin)).cause, 'wait', 'a pulled plug gives tries');
});

test('who left is out on every tablet within seconds, and a tap of theirs that comes late is nobody’s', async (t) => {
  const story = await openWithBox(t);
  const one = await StaffTablet.connect(story.stack, 'tablet-1');
  await one.signedIn('tom', kPin);
  let two = await StaffTablet.connect(story.stack, 'tablet-2');
  await two.signedIn('tom', kPin);
  const { signIn } = two;
  two.end(); // off line
  await story.crm('staff', 'remove', 'tom');
  const over = await one.word(({ state }) => state === 'over', 0, 10000);
  assert.equal(over.why, 'left');
  await one.enrol('s-1', grant);
  two = await StaffTablet.connect(story.stack, 'tablet-2');
  two.signIn = signIn;
  const id = await two.enrol('s-2', grant);
  assert.equal((await two.word(({ re }) => re === id)).cause, 'not_signed_in');
  assert.deepEqual(await entered(story), []);
  assert.equal((await two.tryPin('tom', kPin)).cause, 'unknown');
});

test('3,000 messages in a row make a handful of rows, and another tablet is heard soon after', async (t) => {
  const story = await openWithBox(t);
  const flood = await StaffTablet.connect(story.stack, 'tablet-1');
  await flood.signedIn('eva', kPin);
  const calm = await StaffTablet.connect(story.stack, 'tablet-2');
  await calm.signedIn('tom', kPin);
  const purposes = { preference_prompts: true, visit_analytics: true, personalised_offers: true };
  await Promise.all(Array.from({ length: 3000 }, () => flood.enrol('s', { ...grant, purposes })));
  await flood.word(({ cause }) => cause === 'too_many');
  // While the flood stands in the broker's queue it drops what others say, too: they tap again.
  const purpose = { preference_prompts: false };
  const done = ({ topic, kind }) => topic === 'enrol/s-calm' && kind === 'done';
  await story.until(async () => {
    await calm.enrol('s-calm', { ...grant, customer: 'c-bruno', purposes: purpose });
    return calm.word(done, 0, 2000).then(
      () => true,
      () => false,
    );
  }, 'the other tablet is heard');
  const rows = await entered(story);
  assert.ok(rows.length <= 3 * 60, `${rows.length} rows`);
  assert.ok(rows.includes('consent staff:tom preference_prompts withdrawn'));
  const { crm } = await story.ctl('status');
  // How many the broker itself dropped depends on how busy the machine is.
  assert.ok(crm.refused.full > 500, JSON.stringify(crm.refused));
});

test('a registered tablet comes in, and is cut off when it is revoked', async (t) => {
  const story = await openWithBox(t);
  const { stack } = story;
  const files = ['--broker-files', stack.brokerFiles('floor')];
  const page = ['--page', 'https://shop.example/tablet/'];
  const { link } = await story.ctl('tablet', 'add', 'bar-1', ...files, ...page);
  const [, account, password] = /^https:\/\/shop\.example\/tablet\/#([^:]+):(.+)$/.exec(link);
  stack.accounts[account] = password;
  await stack.reloadBroker('floor', account);
  const bar = await StaffTablet.connect(stack, account);
  await bar.signedIn('eva', kPin);
  const list = () => story.ctl('tablet', 'list', ...files);
  const [row] = await list();
  assert.deepEqual([row.tablet, row['signed in']], ['bar-1', 'Eva']);
  const gone = new Promise((resolve) => bar.client.once('close', resolve));
  const over = bar.word(({ state }) => state === 'over');
  await story.ctl('tablet', 'revoke', 'bar-1', ...files);
  assert.equal((await over).why, 'signed_out');
  stack.program('mosquitto-floor').signal('SIGHUP');
  await gone;
  await assert.rejects(stack.connect('floor', account));
  assert.deepEqual(await list(), []);
  await assert.rejects(story.ctl('tablet', 'add', stack.box, ...files, ...page), /another account/);
  await assert.rejects(
    story.ctl('tablet', 'add', 'bar-2', '--broker-files', '/nowhere', ...page),
    /broker-files/,
  );
});
