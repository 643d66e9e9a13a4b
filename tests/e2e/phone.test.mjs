// SPDX-License-Identifier: Apache-2.0
// The customer's phone page in Chromium, with a fake CRM on the real central broker.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertAccessible, assertOnlyText, kHostile } from './checks.mjs';
import { example } from './contract.mjs';
import { FakeCrm } from './fakes.mjs';
import { Pages } from './pages.mjs';

const inMinutes = (minutes) => new Date(Date.now() + minutes * 60e3).toISOString();

function offer(decision, changes = {}) {
  return { kind: 'offer', decision, expires_at: inMinutes(10), ...changes };
}

const kNotice = example('app.inbox.consents').notice;
const kCode = example('app.inbox.offer').code;
const kAll = {
  proximity_offers: true,
  face_recognition: true,
  preference_prompts: true,
  personalised_offers: true,
  visit_analytics: false,
};

function receipt(purpose, ...states) {
  const message = example('app.inbox.receipt');
  const history = states.map((state, i) => ({ state, at: inMinutes(i - 60), how: i ? 'app' : 'desk' }));
  Object.assign(message.record, { record_id: `r-${purpose}`, purpose, history });
  return { kind: 'receipt', record: message.record };
}

describe('customer phone', () => {
  let pages, crm, phone;
  const tab = (name) => phone.getByRole('tab', { name }).click();
  const choice = (purpose) => phone.locator(`input[name=${purpose}]`);
  const requests = (kind) => crm.requests.all.filter((one) => one.kind === kind);

  before(async () => {
    pages = await Pages.start();
    crm = await FakeCrm.start(pages.stack, 'paul');
    await pages.stack.pairPhone('paul');
  });
  after(async () => {
    crm?.stop();
    await pages?.stop();
  });
  afterEach(() => assert.deepEqual(pages.problems.splice(0), []));

  it('shows an offer that came before the page was open, once, with its code', async () => {
    const message = { id: 'm-1', ...offer('d-1') };
    await crm.send(message);
    await crm.send(message);
    await crm.send({ ...message, id: 'm-2' });
    phone = await pages.phone('paul');
    const card = phone.locator('[data-decision=d-1]');
    await card.getByText('Your espresso is waiting').waitFor();
    assert.equal(await card.count(), 1);
    assert.equal(await phone.getByText(kCode).count(), 0);
    await pages.screenshot(phone, 'phone');
    await assertAccessible(phone);
    await card.getByRole('button', { name: 'Show the code' }).click();
    await phone.getByText(kCode).waitFor();
    await crm.requests.next(({ kind, decision }) => kind === 'offer.opened' && decision === 'd-1');
    await pages.screenshot(phone, 'phone-code');
  });

  it('reports an offer as used and keeps it among the earlier ones', async () => {
    await phone.getByRole('button', { name: 'I have used it' }).click();
    await crm.requests.next(({ kind, decision }) => kind === 'offer.redeemed' && decision === 'd-1');
    await phone.getByText('Used', { exact: true }).waitFor();
    await phone.reload();
    await phone.getByText('Used', { exact: true }).waitFor();
    assert.equal(requests('offer.opened').length, 1);
    assert.equal(requests('offer.redeemed').length, 1);
    await phone.getByRole('button', { name: 'Clear the list' }).click();
    await phone.getByText('No offers at the moment').waitFor();
  });

  it('offers nothing that has expired', async () => {
    await crm.send(offer('d-old', { expires_at: inMinutes(-5) }));
    await phone.getByText(/^ended /).waitFor();
    assert.equal(await phone.getByRole('button', { name: 'Show the code' }).count(), 0);
    await phone.getByRole('button', { name: 'Clear the list' }).click();
  });

  it('keeps the account out of the address bar and out of storage that stays', async () => {
    assert.ok(!phone.url().includes('#'));
    const kept = await phone.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.ok(!kept.includes(pages.stack.accounts['app-paul']));
  });

  it('asks for the choices and shows each purpose with its own switch, off until the CRM says on', async () => {
    await tab('My choices');
    await crm.requests.next(({ kind }) => kind === 'consents.get');
    for (const purpose of Object.keys(kAll)) {
      assert.equal(await choice(purpose).isChecked(), false);
      assert.ok(await choice(purpose).isDisabled());
    }
    await crm.send({ kind: 'consents', purposes: kAll, notice: kNotice });
    await phone.getByText('You decide what we may do').waitFor();
    for (const [purpose, given] of Object.entries(kAll))
      assert.equal(await choice(purpose).isChecked(), given);
    await phone.getByText('What we promise').waitFor();
    await pages.screenshot(phone, 'phone-choices', { fullPage: true });
    await assertAccessible(phone);
  });

  it('withdraws one purpose with one tap and shows its receipt', async () => {
    await choice('face_recognition').click();
    const request = await crm.requests.next(({ kind }) => kind === 'consent.set');
    assert.equal(request.purpose, 'face_recognition');
    assert.equal(request.given, false);
    assert.deepEqual(request.notice, kNotice);
    await phone.getByText('Being saved…').waitFor();
    await crm.send({ kind: 'consents', purposes: kAll, notice: kNotice }); // was on its way before
    await crm.send(receipt('face_recognition', 'given', 'withdrawn'));
    await phone.getByText('Being saved…').waitFor({ state: 'detached' });
    assert.equal(await choice('face_recognition').isChecked(), false);
    assert.equal(await choice('preference_prompts').isChecked(), true);
    const details = phone.locator('.receipt[data-purpose=face_recognition]');
    await details.locator('summary').click();
    for (const words of ['Switched off', 'Aroma Ltd', '365 days', 'face template', 'in this app'])
      assert.ok((await details.innerText()).includes(words), words);
    await assertAccessible(phone);
    await crm.send({ kind: 'consents', purposes: { ...kAll, face_recognition: false }, notice: kNotice });
  });

  it('counts a withdrawal and a grant of the same instant as withdrawn', async () => {
    const tie = receipt('visit_analytics', 'given');
    const { at } = tie.record.history[0];
    tie.record.history = [
      { state: 'withdrawn', at, how: 'app' },
      { state: 'given', at, how: 'desk' },
    ];
    await crm.send(tie);
    await phone.locator('.receipt[data-purpose=visit_analytics]').getByText('Switched off').first().waitFor();
    assert.equal(await choice('visit_analytics').isChecked(), false);
  });

  it('keeps a withdrawal made without a line, over a reload, and sends it when the line is back', async () => {
    await pages.stack.program('mosquitto-central').stop();
    await phone.locator('[data-banner=lost]').waitFor();
    await choice('proximity_offers').click();
    await phone.getByText('Saved on this phone').waitFor();
    await phone.reload();
    await tab('My choices');
    await phone.getByText('Saved on this phone').waitFor();
    assert.equal(await choice('proximity_offers').isChecked(), false);
    await pages.stack.startBroker('uplink');
    const request = await crm.requests.next(({ purpose }) => purpose === 'proximity_offers');
    assert.equal(request.given, false);
    const none = { ...kAll, face_recognition: false, proximity_offers: false };
    await crm.send({ kind: 'consents', purposes: none, notice: kNotice });
    await phone.getByText('Being saved…').waitFor({ state: 'detached' });
    await phone.locator('[data-banner=lost]').waitFor({ state: 'detached' });
    assert.equal(crm.requests.all.filter(({ purpose }) => purpose === 'proximity_offers').length, 1);
  });

  it('switches everything off at once', async () => {
    await phone.getByRole('button', { name: 'Switch everything off' }).click();
    for (const purpose of ['preference_prompts', 'personalised_offers'])
      await crm.requests.next((one) => one.purpose === purpose && one.given === false);
    assert.equal(requests('consent.set').length, 4);
    await crm.send({
      kind: 'consents',
      purposes: Object.fromEntries(Object.keys(kAll).map((p) => [p, false])),
      notice: kNotice,
    });
  });

  it('asks one short question and sends the answer', async () => {
    await tab('Offers');
    await crm.send({
      kind: 'survey',
      survey: 's-1',
      survey_kind: 'nps',
      question: 'How likely are you to recommend us?',
    });
    await phone.getByText('How likely are you').waitFor();
    await assertAccessible(phone);
    await phone.getByRole('radio', { name: '9', exact: true }).check({ force: true });
    await phone.getByRole('textbox').fill('The espresso!');
    await pages.screenshot(phone, 'phone-survey');
    await phone.getByRole('button', { name: 'Send' }).click();
    const answer = await crm.requests.next(({ kind }) => kind === 'survey.answer');
    assert.deepEqual(
      [answer.survey, answer.survey_kind, answer.score, answer.text],
      ['s-1', 'nps', 9, 'The espresso!'],
    );
    await phone.getByText('How likely are you').waitFor({ state: 'detached' });
  });

  it('shows hostile words as words', async () => {
    const [a, b, c, d] = kHostile;
    await crm.send(offer('d-hostile', { title: a, text: b, code: c }));
    await phone.getByRole('button', { name: 'Show the code' }).click();
    await crm.send({ kind: 'survey', survey: 's-hostile', survey_kind: 'ces', question: d });
    await phone.getByText(d).waitFor();
    await assertOnlyText(phone, [a, b, c, d]);
    for (const payload of ['no json', '[1]', '{"v":1,"id":"x","kind":"offer"}', '{"v":1,"id":7}'])
      await crm.client.publishAsync(`${crm.topic}/inbox`, payload, { qos: 1 });
    await phone.getByRole('button', { name: 'Not now' }).click();
    await phone.getByText(d).waitFor({ state: 'detached' });
  });

  it('hands out all data as a file', async () => {
    await tab('My data');
    await phone.getByRole('button', { name: 'Download my data' }).click();
    await crm.requests.next(({ kind }) => kind === 'export');
    const downloading = phone.waitForEvent('download');
    await crm.send({ kind: 'export', data: { customer: 'c-paul', profile: { name: 'Paul Moreau' } } });
    const file = await (await downloading).path();
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      customer: 'c-paul',
      profile: { name: 'Paul Moreau' },
    });
    await assertAccessible(phone);
  });

  it('is connected in one window at a time and says so in the other', async () => {
    const second = await phone.context().newPage();
    await second.goto(pages.stack.phoneLink('paul'));
    await second.locator('[data-link=online]').waitFor();
    await phone.locator('[data-banner=elsewhere]').waitFor();
    await phone.getByRole('button', { name: 'Use it here' }).click();
    await phone.locator('[data-link=online]').waitFor();
    await second.locator('[data-banner=elsewhere]').waitFor();
    await second.close();
  });

  it('has an account that reads its own inbox and nobody else’s', async () => {
    const spy = await pages.stack.connect('uplink', 'app-mia');
    const heard = [];
    spy.on('message', (topic) => heard.push(topic));
    await spy.subscribeAsync('#', { qos: 1 });
    await assert.rejects(spy.publishAsync(`${crm.topic}/request`, '{}', { qos: 1 }));
    await crm.send(offer('d-private', { title: 'For Paul alone' }));
    await tab('Offers');
    await phone.getByText('For Paul alone').waitFor();
    spy.end(true);
    assert.deepEqual(heard, []);
  });

  it('refuses a wrong password and reads well in German and in the dark', async () => {
    const fresh = await pages.open(`${pages.stack.web}/phone/`, {
      locale: 'de-DE',
      colorScheme: 'dark',
      viewport: { width: 390, height: 844 },
    });
    await fresh.getByLabel('Konto').fill('demo/app-paul');
    await fresh.getByLabel('Passwort').fill('wrong');
    await fresh.getByRole('button', { name: 'Anmelden' }).click();
    await fresh.getByRole('alert').waitFor();
    await assertAccessible(fresh);
    await pages.screenshot(fresh, 'phone-sign-in');
    await fresh.context().close();
  });

  it('forgets the customer after a second question, here too', async () => {
    await tab('My data');
    await phone.getByRole('button', { name: 'Forget me' }).click();
    await phone.getByRole('button', { name: 'Keep my account' }).click();
    assert.equal(requests('forget').length, 0);
    await phone.getByRole('button', { name: 'Forget me' }).click();
    await phone.getByRole('button', { name: 'Yes, forget me' }).click();
    await crm.requests.next(({ kind }) => kind === 'forget');
    await crm.send({ kind: 'forgotten', at: new Date().toISOString() });
    await phone.getByRole('heading', { name: 'You are forgotten' }).waitFor();
    await pages.screenshot(phone, 'phone-forgotten');
    const kept = await phone.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.ok(!/paul|espresso|moreau/i.test(kept), kept);
    await assertAccessible(phone);
  });
});
