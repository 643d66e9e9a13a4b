// SPDX-License-Identifier: Apache-2.0
// The customer's page in Chromium, with the real CRM behind nginx and a real box: what a person with two
// phones does.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, afterEach, before, describe, it } from 'node:test';
import { encode } from 'uqr';
import { Story } from '../../demo/story.mjs';
import { anHourLater } from '../../harness/door.mjs';
import { assertAxe, assertOnlyText, kHostile } from './checks.mjs';
import { FakeEvents } from './fakes.mjs';
import { bin, kCompany, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

const kPurposes = [
  'proximity_offers',
  'face_recognition',
  'preference_prompts',
  'personalised_offers',
  'visit_analytics',
];
const [kTitle, kText, kCode, kQuestion] = kHostile;
const kCampaigns = {
  campaigns: [
    {
      campaign: 'k-test',
      name: 'Test',
      trigger: { on: 'pass_by' },
      code: 'AROMA-7F3K',
      variants: [
        {
          id: 'a',
          title: { en: 'Your espresso is waiting' },
          text: { en: 'The first one is on us.' },
        },
      ],
    },
    {
      campaign: 'k-hostile',
      name: 'Hostile',
      trigger: { on: 'pass_by' },
      code: kCode,
      variants: [{ id: 'a', title: { en: kTitle }, text: { en: kText } }],
    },
  ],
};
// What fades in is judged as it is in the end.
const kStill = { reducedMotion: 'reduce' };
const survey = (id, kind, question) => ({
  id,
  kind,
  percent: 50,
  min_visit_min: 3,
  gap_days: 90,
  expires_s: 86400,
  question: { en: question },
});

// Each dark module is drawn where the code has it.
const assertDrawn = async (code, rows) => {
  const drawn = await code.locator('path').getAttribute('d');
  const dark = [...drawn.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(([, x, y]) => rows[y - 4][x - 4]);
  assert.ok(dark.every((module) => module === '1'));
  assert.equal(dark.length, rows.join('').replaceAll('0', '').length);
};

describe('customer phone', { skip: lacks(kCompany) }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-phone-'));
  let story, pages, events, phone, tablet;
  const tab = (name, page = phone) => page.getByRole('tab', { name }).click();
  const choice = (purpose, page = phone) => page.locator(`input[name=${purpose}]`);
  const given = async () =>
    JSON.parse((await story.crm('--json', 'customer', 'show', 'c-paul')).stdout).purposes;
  const until = (what, why) => story.until(what, why);

  before(async () => {
    story = new Story({ dir, bin });
    await story.prepare({ enrol: false });
    const policy = JSON.parse(readFileSync(path.join(dir, 'crm/policy.json'), 'utf8'));
    policy.policy.surveys = [
      survey('s-1', 'nps', 'How likely are you to recommend us?'),
      survey('s-hostile', 'ces', kQuestion),
    ];
    for (const [name, file] of Object.entries({ campaigns: kCampaigns, policy })) {
      writeFileSync(path.join(dir, `${name}.json`), JSON.stringify(file));
      await story.crm('import', path.join(dir, `${name}.json`));
    }
    pages = await Pages.start(story.stack);
    events = await FakeEvents.start(story.stack);
    await events.arrive('c-paul', 'v-1');
  });
  after(async () => {
    events?.stop();
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(() => assert.deepEqual(pages.problems.splice(0), []));

  it('shows an offer that came before the page was open, on both of their devices', async () => {
    const decision = await events.offer('c-paul', 'v-1', 'k-test', 'a');
    const url = await story.link('c-paul');
    phone = await pages.phone(url, kStill);
    const card = phone.locator(`[data-decision="${decision}"]`);
    await card.getByText('Your espresso is waiting').waitFor();
    assert.equal(await phone.getByText('AROMA-7F3K').count(), 0);
    await pages.screenshot(phone, 'phone');
    await assertAxe(phone);
    tablet = await pages.phone(await story.link('c-paul'));
    // What draws the code is there before somebody stands at a till without a line.
    await phone.context().setOffline(true);
    await card.getByRole('button', { name: 'Show the code' }).click();
    await phone.getByText('AROMA-7F3K').waitFor();
    const rows = encode('AROMA-7F3K', { border: 0 }).data.map((row) => row.map(Number).join(''));
    await assertDrawn(phone.getByRole('img', { name: 'QR code of this offer' }), rows);
    await phone.context().setOffline(false);
    await tablet.getByText('AROMA-7F3K').waitFor(); // opened there too
    await pages.screenshot(phone, 'phone-code');
    // The same link opens nothing any more.
    const again = await pages.open(url);
    await again.getByText('This link was opened already').waitFor();
    await assertAxe(again);
    await again.context().close();
  });

  it('reports an offer as used, and every device has it among the earlier ones', async () => {
    await phone.getByRole('button', { name: 'I have used it' }).click();
    await tablet.getByText('Used', { exact: true }).waitFor();
    await phone.reload();
    await phone.getByText('Used', { exact: true }).waitFor();
    await phone.getByText('No offers at the moment').waitFor();
  });

  it('moves an offer whose time is over to the earlier ones', async () => {
    await events.offer('c-paul', 'v-1', 'k-test', 'a', 4000);
    await phone.getByText(/^ended /).waitFor();
    assert.equal(await phone.getByRole('button', { name: 'Show the code' }).count(), 0);
  });

  // What is there by now, in every language, light and dark, on a small phone, and with letters twice as large.
  it('reads and reflows in every language', async () => {
    const page = await pages.phone(await story.link('c-paul'), {
      viewport: { width: 320, height: 568 },
      ...kStill,
    });
    for (const name of ['en', 'de', 'fr', 'ar']) {
      await page.locator('.language-menu').selectOption(name);
      assert.equal(await page.evaluate(() => document.documentElement.dir), name === 'ar' ? 'rtl' : 'ltr');
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        for (const place of ['offers', 'choices', 'data']) {
          await page.locator(`#tab-${place}`).click();
          await page.setViewportSize({ width: 320, height: 568 });
          await assertAxe(page);
          await pages.screenshot(page, `phone-${place}-${name}-${colorScheme}-320`, { fullPage: true });
          await page.setViewportSize({ width: 390, height: 844 });
          await page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
          assert.ok(
            await page.evaluate(() => document.documentElement.scrollWidth <= 390),
            `${place} in ${name} at 200 % scrolls sideways`,
          );
          await pages.screenshot(page, `phone-${place}-${name}-${colorScheme}-200`, { fullPage: true });
          await page.evaluate(() => (document.documentElement.style.fontSize = ''));
        }
      }
      await page.setViewportSize({ width: 820, height: 1180 });
      await page.locator('#tab-offers').click();
      await pages.screenshot(page, `phone-offers-${name}-820`);
    }
    await page.locator('#tab-data').click();
    await page.locator('#panel-data > .button.quiet').click();
    await page.locator('[data-stage=out]').waitFor();
    await page.context().close();
  });

  it('takes an offer away that does not interest them, on every device', async () => {
    const decision = await events.offer('c-paul', 'v-1', 'k-test', 'a');
    const card = (page) => page.locator(`[data-decision="${decision}"]`);
    await card(tablet).waitFor();
    await card(phone).getByText('at aroma-1').waitFor();
    await card(phone).getByText('9 min left').waitFor();
    await card(phone).getByRole('button', { name: 'Not interested' }).click();
    await phone.getByText('It will not be shown again').waitFor();
    await card(phone).waitFor({ state: 'detached' });
    await card(tablet).waitFor({ state: 'detached' });
  });

  it('shows where they stand, and lets them say how they wish to be met', async () => {
    await phone.getByText('260 points to the next reward').waitFor();
    const way = (value, page = phone) => page.locator(`input[name=met][value=${value}]`);
    assert.ok(await way('by_name').isChecked(), 'as the CRM has it');
    await way('quietly').check();
    await until(async () => await way('quietly', tablet).isChecked(), 'the other device has it');
    await phone.getByRole('switch', { name: 'Not today' }).click();
    await phone.locator('[data-not-today]').waitFor();
    await tablet.locator('[data-not-today]').waitFor();
    await pages.screenshot(phone, 'phone-home', { fullPage: true });
    await assertAxe(phone);
    const profile = async () =>
      JSON.parse((await story.crm('--json', 'customer', 'show', 'c-paul')).stdout).profile;
    assert.equal((await profile()).met, 'quietly');
    assert.ok((await profile()).not_today_at);
    await tablet.getByRole('switch', { name: 'Not today' }).click();
    await phone.locator('[data-not-today]').waitFor({ state: 'detached' });
    await until(async () => !(await profile()).not_today_at, 'it is over');
  });

  it('takes a complaint to head office, in their words', async () => {
    await phone.getByText('Was something not right?').click();
    await phone.locator('textarea[name=complaint]').fill('I was called by name across the shop.');
    await pages.screenshot(phone, 'phone-complaint', { fullPage: true });
    await assertAxe(phone);
    await phone.getByRole('button', { name: 'Send to head office' }).click();
    await phone.getByText('Head office has it').waitFor();
    const list = async () => JSON.parse((await story.crm('--json', 'complaint', 'list')).stdout);
    await until(async () => (await list()).length === 1, 'head office has it');
    const [{ number, customer, text }] = await list();
    assert.deepEqual([customer, text], ['c-paul', 'I was called by name across the shop.']);
    await story.crm('complaint', 'answered', String(number));
    assert.deepEqual(await list(), []);
  });

  it('changes what is known of them', async () => {
    await tab('My data');
    await phone.getByLabel('How to address you').fill('Paul');
    await phone.locator('input[name=like-key]').fill('paper');
    await phone.locator('input[name=like-value]').fill('the local one');
    await phone.getByRole('button', { name: 'Remove sparkling water, no ice' }).click();
    await pages.screenshot(phone, 'phone-details', { fullPage: true });
    await assertAxe(phone);
    await phone.getByRole('button', { name: 'Save', exact: true }).click();
    const profile = async () =>
      JSON.parse((await story.crm('--json', 'customer', 'show', 'c-paul')).stdout).profile;
    await until(async () => (await profile()).greeting === 'Paul', 'the CRM has it');
    const likes = Object.fromEntries((await profile()).preferences.map(({ key, value }) => [key, value]));
    assert.deepEqual(likes, { seat: 'by the window', paper: 'the local one' });
    await tab('My data', tablet);
    await until(
      async () => (await tablet.getByLabel('How to address you').inputValue()) === 'Paul',
      'and the other device',
    );
  });

  it('shows all that is held on them, for people', async () => {
    await phone.getByRole('button', { name: 'Show my data' }).click();
    const held = phone.locator('[data-held]');
    await held.waitFor();
    for (const part of await held.locator('summary').all()) await part.click();
    for (const words of ['the local one', 'I was called by name across the shop.', 'Aroma Ltd'])
      await held.getByText(words).first().waitFor();
    await pages.screenshot(phone, 'phone-held', { fullPage: true });
    await assertAxe(phone);
    await phone.getByRole('button', { name: 'Hide my data' }).click();
    await held.waitFor({ state: 'detached' });
  });

  it('keeps the link out of the address bar, and the session out of every script', async () => {
    assert.ok(!phone.url().includes('#'));
    const kept = await phone.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
    );
    const cookies = await phone.context().cookies();
    assert.equal(cookies.length, 1);
    const [{ name, value, httpOnly, secure, sameSite }] = cookies;
    assert.deepEqual([name, httpOnly, secure, sameSite], ['__Host-welcome', true, true, 'Strict']);
    assert.ok(!kept.includes(value));
    assert.ok(!/Moreau|espresso/i.test(kept), kept);
  });

  it('has a bundle that speaks to no broker, and is small', async () => {
    const scripts = await phone.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name)
        .filter((name) => name.endsWith('.js')),
    );
    assert.ok(scripts.length > 0);
    let bytes = 0;
    for (const script of scripts) {
      const words = await (await phone.request.get(script)).text();
      bytes += gzipSync(words).length;
      assert.ok(!/mqtt/i.test(words), script);
    }
    assert.ok(bytes <= 45 * 1024, `${bytes} bytes of script`);
  });

  it('shows each purpose with its own switch, as the CRM has it', async () => {
    await tab('My choices');
    await phone.getByText('You decide what we may do').waitFor();
    for (const [purpose, on] of Object.entries(await given()))
      assert.equal(await choice(purpose).isChecked(), on, purpose);
    await phone.getByText('What we promise').waitFor();
    await pages.screenshot(phone, 'phone-choices', { fullPage: true });
    await assertAxe(phone);
  });

  it('withdraws one purpose with one tap, everywhere, and shows its receipt', async () => {
    await tab('My choices', tablet);
    await choice('face_recognition').click();
    await until(async () => !(await given()).face_recognition, 'the CRM has it');
    await until(
      async () => !(await choice('face_recognition', tablet).isChecked()),
      'the other device has it',
    );
    assert.equal(await choice('preference_prompts').isChecked(), true);
    const details = phone.locator('.receipt[data-purpose=face_recognition]');
    await details.locator('summary').click();
    await details.getByText('Switched off').first().waitFor();
    for (const words of ['Aroma Ltd', '365 days', 'face template', 'in this app'])
      assert.ok((await details.innerText()).includes(words), words);
    await assertAxe(phone);
  });

  it('asks whether what a desk wrote down was them, on every device, and does as they say', async () => {
    const { store, tenant } = story.stack;
    const desk = `${tenant}/${store}/desk`; // its receipts would have to have its key
    await story.crm('boxes', 'admit', `${store}/desk`, '--key', events.boxKey);
    await events.deskGrant(desk, 'c-paul', 'face_recognition');
    await phone.getByText('Did you agree to this?').waitFor();
    await phone.getByText(`The desk of ${store} wrote it down`).waitFor();
    const yes = phone.getByRole('button', { name: 'Yes, that was me' });
    await until(async () => {
      const { y, height } = await yes.boundingBox();
      return y > 0 && y + height < phone.viewportSize().height;
    }, 'it is where they look');
    await pages.screenshot(phone, 'phone-desk');
    await assertAxe(phone);
    await tablet.getByText('Did you agree to this?').waitFor();
    await phone.getByRole('button', { name: 'No', exact: true }).click();
    await tablet.getByText('Did you agree to this?').waitFor({ state: 'detached' });
    assert.equal((await given()).face_recognition, false);

    await events.deskGrant(desk, 'c-paul', 'face_recognition');
    await tablet.getByRole('button', { name: 'Yes, that was me' }).click();
    await until(async () => (await given()).face_recognition, 'the CRM has it');
    await phone.getByText('Did you agree to this?').waitFor({ state: 'detached' });
    await until(async () => await choice('face_recognition').isChecked(), 'the switch is on');
    await choice('face_recognition').click();
    await until(async () => !(await given()).face_recognition, 'and off again');

    await phone.getByRole('button', { name: 'Show a code' }).click();
    await phone.locator('[data-desk-code=shown] output').waitFor();
    assert.match(await phone.locator('[data-desk-code] output').innerText(), /^\d{6}$/);
    await assertAxe(phone);
    await story.crm('boxes', 'revoke', `${store}/desk`);
  });

  it('keeps a withdrawal made without a line, over a reload, and sends it once when the line is back', async () => {
    await story.stack.program('crm').stop();
    await phone.locator('[data-banner=lost]').waitFor();
    await choice('proximity_offers').click();
    await phone.getByText('Saved on this phone').waitFor();
    await phone.reload();
    await tab('My choices');
    await phone.getByText('Saved on this phone').waitFor();
    assert.equal(await choice('proximity_offers').isChecked(), false);
    await story.serveCrm();
    await until(async () => !(await given()).proximity_offers, 'the CRM has it');
    await phone.getByText('Saved on this phone').waitFor({ state: 'detached' });
    await phone.locator('[data-banner=lost]').waitFor({ state: 'detached' });
    const { stdout } = await story.crm('--json', 'customer', 'export', 'c-paul');
    const asked = JSON.parse(stdout).app_requests.filter(({ body }) => body.purpose === 'proximity_offers');
    assert.equal(asked.length, 1);
  });

  it('opens without a line, with the choices as they were, and keeps nothing of anybody in its shell', async () => {
    await phone.evaluate(() => navigator.serviceWorker.ready);
    await phone.reload(); // under the worker
    await phone.locator('[data-link=online]').waitFor();
    await phone.context().setOffline(true);
    await phone.reload();
    await phone.locator('[data-banner=lost]').waitFor();
    await tab('My choices');
    assert.equal(await choice('preference_prompts').isChecked(), true);
    await assertAxe(phone);
    const kept = await phone.evaluate(async () => {
      const open = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
      const answers = await Promise.all(
        open.map(async (cache) => Promise.all((await cache.keys()).map((request) => cache.match(request)))),
      );
      return Promise.all(answers.flat().map(async (one) => [new URL(one.url).pathname, await one.text()]));
    });
    assert.ok(kept.length > 2, 'the shell is kept');
    for (const [path, body] of kept) {
      assert.match(path, /^\/(phone|assets)\//);
      assert.ok(!/Moreau/.test(body), path);
    }
    await phone.context().setOffline(false);
    await phone.locator('[data-banner=lost]').waitFor({ state: 'detached' });
  });

  it('switches everything off at once', async () => {
    await phone.getByRole('button', { name: 'Switch everything off' }).click();
    await until(async () => Object.values(await given()).every((on) => !on), 'the CRM has all of it');
    for (const purpose of kPurposes) assert.equal(await choice(purpose).isChecked(), false);
    for (const purpose of ['proximity_offers', 'visit_analytics']) await choice(purpose).click();
    await until(async () => (await given()).visit_analytics, 'two are on again');
  });

  it('asks one short question, and every device knows the answer', async () => {
    await tab('Home');
    await tab('Home', tablet);
    await events.arrive('c-paul', 'v-2');
    await events.survey('c-paul', 'v-2', 's-1');
    await phone.getByText('How likely are you').waitFor();
    await tablet.getByText('How likely are you').waitFor();
    await assertAxe(phone);
    await phone.getByRole('radio', { name: '9', exact: true }).check({ force: true });
    await phone.getByRole('textbox').fill('The espresso!');
    await pages.screenshot(phone, 'phone-survey');
    await phone.getByRole('button', { name: 'Send' }).click();
    await phone.getByText('How likely are you').waitFor({ state: 'detached' });
    await tablet.getByText('How likely are you').waitFor({ state: 'detached' });
    const { stdout } = await story.crm('--json', 'customer', 'export', 'c-paul');
    const [{ kind, score }] = JSON.parse(stdout).survey_answers;
    assert.deepEqual([kind, score], ['nps', 9]);
  });

  it('shows hostile words as words', async () => {
    await events.offer('c-paul', 'v-2', 'k-hostile', 'a');
    await phone.getByRole('button', { name: 'Show the code' }).click();
    await events.survey('c-paul', 'v-2', 's-hostile');
    await phone.getByText(kQuestion).waitFor();
    await assertOnlyText(phone, [kTitle, kText, kCode, kQuestion]);
    await phone.getByRole('button', { name: 'Not now' }).click();
    await phone.getByText(kQuestion).waitFor({ state: 'detached' });
    await tablet.getByText(kQuestion).waitFor({ state: 'detached' });
  });

  it('asks before somebody else’s link takes this device over', async () => {
    await phone.goto(await story.link('c-mia'));
    await phone.getByRole('heading', { name: 'This link is somebody else’s' }).waitFor();
    await assertAxe(phone);
    await phone.getByRole('button', { name: 'Stay signed in' }).click();
    await phone.locator('[data-link=online]').waitFor();
    assert.equal((await phone.context().cookies()).length, 1);
  });

  it('hands out all data as a file, after a fresh link on this device', async () => {
    await tab('My data');
    anHourLater(story.database);
    await phone.getByRole('button', { name: 'Download my data' }).click();
    await phone.locator('[data-banner=step-up]').waitFor();
    await assertAxe(phone);
    await phone.goto(await story.link('c-paul'));
    await phone.locator('[data-banner=step-up]').waitFor({ state: 'detached' });
    const downloading = phone.waitForEvent('download');
    await phone.getByRole('button', { name: 'Download my data' }).click();
    const data = JSON.parse(readFileSync(await (await downloading).path(), 'utf8'));
    assert.equal(data.customer, 'c-paul');
    assert.equal(data.devices.length, 2);
  });

  it('lets another device in by a code that this one shows', async () => {
    const answered = phone.waitForResponse((response) => response.url().endsWith('/v1/link'));
    await phone.getByRole('button', { name: 'Use another device' }).click();
    const { url, qr } = await (await answered).json();
    const code = phone.getByRole('img', { name: 'QR code' });
    await code.waitFor();
    await assertDrawn(code, qr);
    await assertAxe(phone);
    await pages.screenshot(phone, 'phone-link', { fullPage: true });
    const third = await pages.phone(url);
    await third.getByText('No offers at the moment').or(third.getByText('Your espresso')).first().waitFor();
    await code.waitFor({ state: 'detached' });
    await tab('My data', third);
    await third.getByRole('button', { name: 'Sign out', exact: true }).last().click();
    await third.locator('[data-stage=out]').waitFor();
    await third.context().close();
  });

  it('signs another device out, whose page ends at once', async () => {
    const others = phone.locator('.devices li[data-here=false]');
    // The one that came by the code has gone, which this page hears by itself.
    await until(async () => (await others.count()) === 1, 'one other device is listed');
    await pages.screenshot(phone, 'phone-devices', { fullPage: true });
    await others.getByRole('button', { name: 'Sign out' }).click();
    await tablet.locator('[data-stage=out]').waitFor();
    await others.waitFor({ state: 'detached' });
    const kept = await tablet.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.equal(kept, '{}');
  });

  it('reads well in German and in the dark', async () => {
    const fresh = await pages.open(`${story.stack.web}/phone/#link=${'x'.repeat(43)}`, {
      locale: 'de-DE',
      colorScheme: 'dark',
      viewport: { width: 390, height: 844 },
    });
    await fresh.getByText('Dieser Link lässt sich nicht öffnen').waitFor();
    await assertAxe(fresh);
    await pages.screenshot(fresh, 'phone-sign-in');
    await fresh.context().close();
  });

  it('tells the truth about being forgotten, with a box that is off, until it has erased', async () => {
    story.daemon = await story.startDaemon();
    await until(async () => (await story.ctl('status')).links.uplink.state === 'up', 'the box is there');
    await story.daemon.stop();
    await tab('My data');
    await phone.getByRole('button', { name: 'Forget me' }).click();
    await phone.getByRole('button', { name: 'Keep my account' }).click();
    await phone.getByRole('button', { name: 'Forget me' }).click();
    await phone.getByRole('button', { name: 'Yes, forget me' }).click();
    await phone.getByRole('heading', { name: 'You are being forgotten' }).waitFor();
    await phone.getByText('0 of 1 boxes').waitFor();
    await pages.screenshot(phone, 'phone-forgetting');
    await assertAxe(phone);
    assert.equal(await phone.getByText('You are forgotten').count(), 0);
    assert.deepEqual(await phone.context().cookies(), []);
    await phone.reload(); // and it goes on telling
    await phone.getByText('0 of 1 boxes').waitFor();
    story.daemon = await story.startDaemon();
    await phone.getByRole('heading', { name: 'You are forgotten' }).waitFor();
    await phone.getByText(/^erased /).waitFor();
    await pages.screenshot(phone, 'phone-forgotten');
    await assertAxe(phone);
    await phone.getByRole('button', { name: 'Close' }).click();
    await phone.locator('[data-stage=out]').waitFor();
    const kept = await phone.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.equal(kept, '{}');
  });

  it('tells somebody whom head office forgot, from the link that they were given', async () => {
    const { stdout } = await story.crm('--json', 'customer', 'forget', 'c-mia');
    const page = await pages.open(JSON.parse(stdout).status_url);
    await page.getByRole('heading', { name: 'You are forgotten' }).waitFor();
    await page.context().close();
  });
});
