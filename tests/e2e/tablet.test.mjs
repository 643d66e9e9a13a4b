// SPDX-License-Identifier: Apache-2.0
// The staff tablet in Chromium, with a fake box on the real floor broker.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertAccessible, assertOnlyText, kHostile } from './checks.mjs';
import { example } from './contract.mjs';
import { kPin } from '../../demo/story.mjs';
import { examplePrompt } from './fakes.mjs';
import { named, Stage } from './stage.mjs';

describe('staff tablet', () => {
  let stage, pages, box, tablet;
  const card = (visit, page = tablet) => page.locator(`.card[data-visit="${visit}"]`);
  const sheet = (visit, page = tablet) => page.locator(`[data-sheet="${visit}"]`);
  const press = (visit, name, page = tablet) => card(visit, page).getByRole('button', named(name)).click();
  const open = async (visit, page = tablet) => {
    if ((await sheet(visit, page).count()) === 0) await card(visit, page).locator('.card-open').click();
    await sheet(visit, page).waitFor();
  };
  // In the details.
  const pick = async (visit, name, page = tablet) => {
    await open(visit, page);
    await sheet(visit, page).getByRole('button', named(name)).click();
  };

  before(async () => {
    stage = await Stage.start();
    ({ pages, box } = stage);
    tablet = await pages.tablet('tablet-1', 'Eva');
  });
  after(() => stage?.stop());
  afterEach(async () => {
    await stage.everybodyGoes(tablet);
    await stage.nobodyIsHere(tablet);
    assert.deepEqual(pages.problems.splice(0), []);
  });

  it('shows who is here, how to greet and where the last conversation ended', async () => {
    await box.status({ in_store: 2 });
    await box.prompt('v-paul');
    await card('v-paul').getByRole('heading', { name: 'Mr Moreau' }).waitFor();
    await card('v-paul').getByText('phone + face').waitFor();
    await open('v-paul');
    const words = await sheet('v-paul').innerText();
    for (const expected of [
      'Confirmed by face',
      'Paul Moreau',
      'say “mo-ROH”',
      'gold',
      '1,240 points',
      'phone + face',
      'sparkling water, no ice',
      'from staff, confirmed 2 times, last May',
      'starts university in autumn',
      'Offer: the window seat',
      'the delayed flight in March',
      'at the desk',
    ])
      assert.ok(words.toLowerCase().includes(expected.toLowerCase()), `${expected} is missing in ${words}`);
    await tablet.getByText('2 members here').waitFor();
    await pages.screenshot(tablet, 'tablet');
    await assertAccessible(tablet);
  });

  it('names each sign that a guest was noticed by', async () => {
    for (const [by, words] of Object.entries({ phone: 'phone', beacon: 'fob', face: 'face', app: 'app' })) {
      await box.prompt(`v-${by}`, { level: 'present', by: [by] });
      await card(`v-${by}`).locator('[data-level]').getByText(words, { exact: true }).waitFor();
    }
    await assertAccessible(tablet);
  });

  it('keeps the account of the tablet, and nothing of it in the address bar', async () => {
    assert.ok(!tablet.url().includes('#'));
    const kept = await tablet.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.ok(
      kept.includes('tablet-1') && !kept.includes(kPin),
      'a tablet is registered once, a PIN is not kept',
    );
  });

  it('updates a card in place and takes it away when the visit ends', async () => {
    const prompt = await box.prompt('v-mia', { level: 'present', by: ['phone'], zone: 'inside' });
    await open('v-mia');
    await sheet('v-mia').getByText('inside').waitFor();
    await tablet.mouse.move(1, 1);
    await tablet.locator('[data-group=inside] .card').waitFor();
    await card('v-mia').evaluate((element) => (element.dataset.same = 'yes'));
    await box.publishPrompt({ ...prompt, level: 'confirmed', by: ['phone', 'face'] });
    await card('v-mia').getByText('phone + face').waitFor();
    await sheet('v-mia').getByText('Confirmed by face').waitFor();
    assert.equal(await card('v-mia').getAttribute('data-same'), 'yes', 'the card was drawn again');
    await tablet.mouse.move(1, 1);
    await box.endVisit('v-mia');
    await card('v-mia').waitFor({ state: 'detached' });
  });

  it('forgets a prompt when it expires, although nobody clears it', async () => {
    await box.publishPrompt(examplePrompt('v-late'), 2);
    await card('v-late').waitFor();
    await card('v-late').waitFor({ state: 'detached' });
  });

  it('lets one of two colleagues go who claim at the same moment', async () => {
    const other = await pages.tablet('tablet-2', 'Tom');
    await box.prompt('v-race');
    await Promise.all([card('v-race').waitFor(), card('v-race', other).waitFor()]);
    box.hold = 2;
    await press('v-race', 'I’ll go', other);
    await press('v-race', 'I’ll go');
    await card('v-race', other).getByText('You are with this guest').waitFor();
    box.hold = 0;
    const [name, loser] = ['Tom', tablet];
    await card('v-race', loser).getByText(`${name} is with this guest`).waitFor();
    await loser.getByText(`${name} was a moment faster`).waitFor();
    assert.equal(await card('v-race', loser).locator('.next').count(), 0);
    assert.equal(
      box.actions.all.filter(({ visit, kind }) => visit === 'v-race' && kind === 'claim').length,
      2,
    );
    await pages.screenshot(loser, 'tablet-claimed');
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('heading', { name: 'Who are you?' }).waitFor();
    await other.context().close();
  });

  it('tells the box who claimed, greeted and served', async () => {
    await box.prompt('v-serve');
    for (const [button, kind, then] of [
      ['I’ll go', 'claim', 'You are with this guest'],
      ['Greeted', 'greeted', 'You are with this guest'],
      ['Served', 'served', 'Served by Eva'],
    ]) {
      await press('v-serve', button);
      const action = await box.actions.next((one) => one.visit === 'v-serve' && one.kind === kind);
      assert.equal(action.staff, 'eva');
      assert.equal(action.sign_in, box.sessions.get('tablet-1').sign_in);
      await card('v-serve').getByText(then).waitFor();
    }
  });

  it('hands a guest back', async () => {
    await box.prompt('v-back');
    await press('v-back', 'I’ll go');
    await pick('v-back', 'Hand back');
    await box.actions.next(({ visit, kind }) => visit === 'v-back' && kind === 'release');
    await card('v-back').getByRole('button', named('I’ll go')).waitFor();
  });

  it('sends a note and keeps what is typed while the card changes', async () => {
    const prompt = await box.prompt('v-note');
    await open('v-note');
    const area = sheet('v-note').getByRole('textbox', { name: 'Add a note' });
    await area.fill('Flies to Lyon on Friday.');
    await box.publishPrompt({ ...prompt, points: 1250 });
    await sheet('v-note').getByText('1,250 points').waitFor();
    assert.equal(await area.inputValue(), 'Flies to Lyon on Friday.');
    await pick('v-note', 'Save');
    const note = await box.actions.next(({ visit, kind }) => visit === 'v-note' && kind === 'note');
    assert.equal(note.text, 'Flies to Lyon on Friday.');
    await tablet.getByText('Note saved').waitFor();
  });

  it('confirms and changes a preference', async () => {
    await box.prompt('v-like');
    await pick('v-like', '“sparkling water, no ice” is still right');
    const confirmed = await box.actions.next(({ preference }) => preference?.verdict === 'confirm');
    assert.deepEqual(confirmed.preference, {
      key: 'drink',
      value: 'sparkling water, no ice',
      verdict: 'confirm',
    });
    await pick('v-like', 'Change “sparkling water, no ice”');
    await sheet('v-like').getByLabel('What is right?').fill('still water');
    await sheet('v-like').getByLabel('What is right?').press('Enter');
    const changed = await box.actions.next(({ preference }) => preference?.verdict === 'change');
    assert.deepEqual(changed.preference, { key: 'drink', value: 'still water', verdict: 'change' });
  });

  it('waits with "not this person" until it can no longer be undone', async () => {
    await box.prompt('v-wrong');
    await pick('v-wrong', 'Not this person');
    await card('v-wrong').waitFor({ state: 'detached' });
    await tablet.getByRole('button', { name: 'Undo' }).click();
    await card('v-wrong').waitFor();
    assert.equal(box.actions.all.filter(({ kind }) => kind === 'not_this_person').length, 0);
    await pick('v-wrong', 'Not this person');
    await box.actions.next(({ visit, kind }) => visit === 'v-wrong' && kind === 'not_this_person');
    await card('v-wrong').waitFor({ state: 'detached' });
  });

  it('shows hostile words as words', async () => {
    const [a, b, c, d, e] = kHostile;
    await box.prompt('v-hostile', {
      greet: { name: a, greeting: b, pronunciation: c },
      tier: 'gold',
      headline: d,
      preferences: [{ key: 'drink', text: e, detail: a }],
      last_conversation: { text: b, at: new Date().toISOString() },
      suggestion: c,
      avoid: [a],
      claimed_by: a,
      state: 'claimed',
    });
    await open('v-hostile');
    // The headline of an older page is English, and not shown.
    await assertOnlyText(tablet, [a, b, c, e]);
    await box.prompt('v-turned', {
      greet: { name: 'Ann\u202eluaP\u0007', greeting: `${'long '.repeat(39)}name` },
    });
    const turned = await card('v-turned').innerText();
    assert.ok(!/[\u202e\u0007]/.test(turned), 'a direction-changing character reached the page');
    await assertAccessible(tablet);
  });

  it('ignores what is not a prompt and goes on', async () => {
    const topic = 'welcome/v1/floor/prompt/v-bad';
    const { v: _, ...rest } = examplePrompt('v-other');
    for (const payload of [
      'not json',
      '[]',
      '42',
      '{"v":1}',
      '\xff\xfe',
      JSON.stringify(rest),
      `{"a":${'['.repeat(9999)}`,
    ])
      await box.client.publishAsync(topic, payload, { qos: 1 });
    await box.client.publishAsync(
      topic,
      JSON.stringify({ ...examplePrompt('v-bad'), preferences: 'x', by: [7] }),
      { qos: 1 },
    );
    await open('v-bad');
    await sheet('v-bad').getByText('Nothing known yet').waitFor();
    box.prompts.set('v-bad', {});
  });

  it('says what is paused or in trouble, that the line is down and that it is a rehearsal', async () => {
    await box.status({
      link: 'down',
      paused: ['face'],
      trouble: ['crm_silent', 'radio', 'camera'],
      rehearsal: true,
    });
    for (const name of [
      'link-down',
      'paused-face',
      'trouble-crm_silent',
      'trouble-radio',
      'trouble-camera',
      'rehearsal',
    ])
      await tablet.locator(`[data-banner=${name}]`).waitFor();
    await box.prompt('v-banner');
    await card('v-banner').waitFor();
    await pages.screenshot(tablet, 'tablet-banners');
    await assertAccessible(tablet);
    await box.status();
    await tablet.locator('[data-banner]').first().waitFor({ state: 'detached' });
  });

  it('shows what is wrong with any box of the store', async () => {
    await box.status({ box: 'box-9', trouble: ['store'] });
    await tablet.locator('[data-banner=trouble-store]').waitFor();
    await box.status({ in_store: 1 });
    await tablet.locator('.pill', { hasText: '1' }).first().waitFor();
    assert.equal(await tablet.locator('[data-banner=trouble-store]').count(), 1, 'one box hid the other');
    await box.status({ box: 'box-9' });
    await tablet.locator('[data-banner]').first().waitFor({ state: 'detached' });
    await box.status();
    await box.leave('box-9');
  });

  it('goes on without the central broker', async () => {
    await pages.stack.program('mosquitto-central').stop();
    await box.prompt('v-alone');
    await press('v-alone', 'I’ll go');
    await card('v-alone').getByText('You are with this guest').waitFor();
    await pages.stack.startBroker('uplink');
  });

  it('says when the box is out of reach, and keeps the cards until the box has told all', async () => {
    await box.prompt('v-gone');
    await box.prompt('v-stays');
    await card('v-gone').waitFor();
    await card('v-stays').waitFor();
    await pages.stack.program('mosquitto-floor').stop();
    await tablet.locator('[data-banner=lost]').waitFor();
    assert.equal(await card('v-gone').count(), 1, 'what was known stays readable');
    box.prompts.delete('v-gone');
    await pages.stack.startBroker('floor'); // which has forgotten everything
    await tablet.locator('[data-link=online]').waitFor();
    await card('v-stays').getByText('May have left').waitFor();
    await tablet.waitForTimeout(3000); // nothing must happen: no event to wait for
    assert.equal(await tablet.locator('.card').count(), 2, 'guests were dropped before the box spoke');
    await assertAccessible(tablet);
    await box.status({ told_all: false });
    await box.publishPrompt(box.prompts.get('v-stays'));
    await card('v-stays').getByText('May have left').waitFor({ state: 'detached' });
    assert.equal(await card('v-gone').getByText('May have left').count(), 1);
    await box.status();
    await card('v-gone').waitFor({ state: 'detached' });
    assert.equal(await card('v-stays').count(), 1);
    await press('v-stays', 'I’ll go');
    await card('v-stays').getByText('You are with this guest').waitFor();
  });

  it('enrols a guest who switches each purpose on by hand, and guides to a few good views', async () => {
    await box.prompt('v-private');
    await card('v-private').waitFor();
    await pages.enrol(tablet, 'c-paul');
    await tablet.getByText('What we promise').waitFor();
    assert.equal(await card('v-private').count(), 0, 'the guest sees the card of another');
    assert.equal(
      await tablet.getByRole('switch', { checked: true }).count(),
      0,
      'a purpose is on by default',
    );
    const agree = tablet.getByRole('button', { name: 'I agree to what I switched on' });
    assert.ok(await agree.isDisabled());
    assert.deepEqual(
      box.enrolments.all.map(({ kind }) => kind),
      ['lookup'],
      'more was asked of the box before the guest agreed',
    );
    await tablet.getByRole('switch', { name: 'Recognise my face' }).click();
    await pages.screenshot(tablet, 'tablet-enrol');
    await assertAccessible(tablet);
    await pages.agree(tablet);
    const consent = await box.enrolments.next(({ kind }) => kind === 'consent');
    assert.deepEqual(consent.purposes, { face_recognition: true });
    assert.equal(consent.customer, 'c-paul');
    const { session } = await box.enrolments.next(({ kind }) => kind === 'start');
    await box.enrolment(session, { kind: 'guide', hint: 'turn_left', views: 1, views_needed: 3 });
    await tablet.getByRole('heading', { name: 'Turn your head slightly to the left' }).waitFor();
    await tablet.getByText('1 of 3 views').waitFor();
    await pages.screenshot(tablet, 'tablet-camera');
    await assertAccessible(tablet);
    await box.enrolment(session, { kind: 'done', views: 3 });
    await tablet.getByRole('heading', { name: 'All done. Welcome!' }).waitFor();
    await tablet.getByRole('button', { name: 'Hand the tablet back' }).click();
    await card('v-private').waitFor();
  });

  it('takes no picture without the face purpose, and stops the camera when the guest stops', async () => {
    const begin = async (purpose) => {
      box.enrolments.all = [];
      await pages.enrol(tablet, 'c-mia');
      await tablet.getByRole('switch', { name: purpose }).click();
      await pages.agree(tablet);
      return (await box.enrolments.next(({ kind }) => kind === 'consent')).session;
    };
    const quiet = await begin('Offers when I am near');
    await box.enrolment(quiet, { kind: 'done', views: 0 });
    await tablet.getByRole('button', { name: 'Hand the tablet back' }).click();
    assert.deepEqual(
      box.enrolments.all.map(({ kind }) => kind),
      ['lookup', 'consent'],
    );

    const stopped = await begin('Recognise my face');
    await tablet.getByRole('button', { name: 'Stop' }).click();
    await box.enrolments.next(({ kind, session }) => kind === 'stop' && session === stopped);

    const failing = await begin('Recognise my face');
    await box.enrolment(failing, { kind: 'failed', reason: 'The camera is covered.' });
    await tablet.getByText('The camera is covered.').waitFor();
    await tablet.getByRole('button', { name: 'Try again' }).click();
    await tablet.getByRole('heading', { name: 'Waiting for the box…' }).waitFor();
    await box.enrolment(failing, { kind: 'done', views: 3 });
    await tablet.getByRole('button', { name: 'Hand the tablet back' }).click();
  });

  it('stays signed in over a reload, and is registered by hand', async () => {
    await tablet.reload();
    await tablet.locator('[data-link=online]').waitFor();
    const fresh = await pages.open(`${pages.stack.web}/tablet/`, { viewport: { width: 1280, height: 800 } });
    await fresh.getByLabel('Account').fill('tablet-2');
    await fresh.getByLabel('Password').fill('wrong');
    await fresh.getByRole('button', { name: 'Sign in' }).click();
    await fresh.getByRole('alert').waitFor();
    await pages.screenshot(fresh, 'tablet-sign-in');
    await assertAccessible(fresh);
    assert.equal(await fresh.getByLabel('Account').inputValue(), 'tablet-2');
    await fresh.getByLabel('Password').fill(pages.stack.accounts['tablet-2']);
    await fresh.getByRole('button', { name: 'Sign in' }).click();
    await fresh.getByRole('heading', { name: 'Who are you?' }).waitFor();
    await pages.signIn(fresh, 'Tom');
    await fresh.getByRole('button', { name: 'Sign out' }).click();
    await fresh.getByRole('heading', { name: 'Who are you?' }).waitFor();
    await fresh.context().close();
  });

  it('rests when its account is used on another screen, and comes back when told to', async () => {
    const second = await pages.open(pages.stack.tabletLink('tablet-1'), {
      viewport: { width: 1280, height: 800 },
    });
    await second.locator('.bar').waitFor(); // Eva is signed in on this tablet, on whatever screen
    // They take the session from each other, until one of them sees what is going on.
    const rested = await Promise.any(
      [tablet, second].map(async (page) => {
        await page.locator('[data-banner=elsewhere]').waitFor();
        return page;
      }),
    );
    await pages.screenshot(rested, 'tablet-elsewhere');
    await rested.getByRole('button', { name: 'Use it here' }).click();
    await rested.locator('[data-link=online]').waitFor();
    await second.context().close();
    await tablet.reload();
    await tablet.locator('[data-link=online]').waitFor();
  });

  it('speaks German and reads well in the dark and without motion', async () => {
    const german = await pages.open(pages.stack.tabletLink('tablet-2'), {
      locale: 'de-DE',
      colorScheme: 'dark',
      reducedMotion: 'reduce',
      viewport: { width: 1024, height: 768 },
    });
    await german.getByRole('button', { name: 'Jörg' }).click();
    await german.getByLabel('PIN').fill(kPin);
    await german.getByRole('button', { name: 'Anmelden' }).click();
    await box.prompt('v-deutsch');
    await card('v-deutsch', german).getByRole('button', named('Ich gehe hin')).waitFor();
    await assertAccessible(german);
    const moving = await german.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    await pages.screenshot(german, 'tablet-dark');
    await german.context().close();
  });

  it('is served under a strict policy', async () => {
    const answer = await fetch(`${pages.stack.web}/tablet/`);
    const policy = answer.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    assert.ok(!policy.includes('unsafe'));
    const html = await answer.text();
    assert.ok(!/<script(?![^>]*src=)/.test(html) && !/style=|<style/.test(html), 'inline script or style');
    const asset = /src="(\/assets\/[^"]+)"/.exec(html)[1];
    assert.match((await fetch(pages.stack.web + asset)).headers.get('cache-control'), /immutable/);
  });

  it('has an account that reads prompts, writes actions, and nothing else', async () => {
    const spy = await pages.stack.connect('floor', 'tablet-2');
    const heard = [];
    spy.on('message', (topic) => heard.push(topic));
    await spy.subscribeAsync('#', { qos: 1 });
    await assert.rejects(
      spy.publishAsync('welcome/v1/floor/prompt/v-fake', JSON.stringify(examplePrompt('v-fake')), {
        qos: 1,
        retain: true,
      }),
    );
    await box.prompt('v-seen');
    await press('v-seen', 'I’ll go');
    await card('v-seen').getByText('You are with this guest').waitFor();
    assert.ok(
      heard.every((topic) => /floor\/(prompt\/|status|staff|to\/tablet-2\/)/.test(topic)),
      heard.join(),
    );
    assert.equal(await card('v-fake').count(), 0);
    const said = { ...example('floor.action.claim'), visit: 'v-seen' };
    for (const topic of ['tablet/tablet-1/action/v-seen', 'to/tablet-2/session', 'action/v-seen'])
      await assert.rejects(
        spy.publishAsync(`welcome/v1/floor/${topic}`, JSON.stringify(said), { qos: 1 }),
        `tablet-2 speaks on ${topic}`,
      );
    spy.end(true);
    await assert.rejects(
      pages.stack.connect('uplink', 'tablet-2'),
      'a tablet account works at the central broker',
    );
  });

  it('has a page that gives one address so many connections to the broker and no more', async () => {
    const sockets = [];
    const open = () =>
      new Promise((resolve) => {
        const headers = {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': randomBytes(16).toString('base64'),
          'sec-websocket-protocol': 'mqtt',
        };
        const asked = http.get(`${pages.stack.web}/floor/mqtt`, { headers, agent: false });
        asked.on('upgrade', (_, socket) => resolve((sockets.push(socket), 101)));
        asked.on('response', (answer) => resolve((answer.resume(), answer.statusCode)));
        asked.on('error', () => resolve(0));
      });
    const answers = await Promise.all(Array.from({ length: 200 }, open));
    for (const socket of sockets) socket.destroy();
    assert.ok(sockets.length > 10 && sockets.length <= 50, `${sockets.length} of 200`);
    assert.ok(answers.filter((status) => status === 503).length > 100);
    await tablet.locator('[data-link=online]').waitFor();
  });
});
