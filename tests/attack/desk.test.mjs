// SPDX-License-Identifier: Apache-2.0
// Attack G: a tablet enrols whoever stands there under any number. On the real broker, CRM and box.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { kPin } from '../../demo/story.mjs';
import { StaffTablet } from '../../harness/tablet.mjs';
import { openShop } from './shop.mjs';

const kConsent = new URL('../../docs/examples/floor.enrol.consent.json', import.meta.url);

async function openDesk(t) {
  const story = await openShop(t);
  await story.startDaemon();
  await story.until(async () => (await story.ctl('status')).crm.feed.consents?.items >= 11, 'all is there');
  const tablet = await StaffTablet.connect(story.stack, 'tablet-1');
  await tablet.signedIn('eva', kPin);
  const { notice } = JSON.parse(readFileSync(kConsent, 'utf8'));
  const pledge = async (customer) => {
    const purposes = { preference_prompts: true, visit_analytics: true };
    await tablet.enrol('s-1', { kind: 'consent', customer, purposes, notice });
  };
  const entries = async (customer) => {
    const { stdout } = await story.crm('--json', 'ledger', '--type', 'consent.changed');
    const all = stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    return all.filter((entry) => entry.customer === customer && entry.handled);
  };
  const given = async (customer) =>
    JSON.parse((await story.crm('--json', 'customer', 'show', customer)).stdout).purposes;
  const atTheBox = (customer) => story.ctl('customer', 'export', customer);
  return { story, pledge, entries, given, atTheBox };
}

const asked = async (phone) => (await phone.ask('GET', '/v1/me')).body.desk_consents;

test('G: who stands at a tablet gives nothing in the name of somebody else', async (t) => {
  const { story, pledge, entries, given, atTheBox } = await openDesk(t);
  const before = await given('c-mia');
  const phone = await story.device('c-mia', 'Phone');
  const heard = await phone.listen();
  await pledge('c-mia');
  await story.until(async () => (await entries('c-mia')).length === 2, 'the CRM has heard of it');
  assert.deepEqual(await given('c-mia'), before, 'it is signed');

  // She is asked, and nobody else is.
  await story.until(() => heard.events.includes('consents'), 'her page hears of it');
  heard.end();
  const [question, ...more] = await asked(phone);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [question.store, question.purposes],
    ['aroma-1', ['preference_prompts', 'visit_analytics']],
  );
  const other = await story.device('c-bruno', 'Phone');
  assert.deepEqual(await asked(other), []);
  const answer = (who, confirmed) => who.ask('POST', `/v1/desk-consents/${question.id}`, { confirmed });
  assert.equal((await answer(other, true)).status, 404);

  // It was not her: the box takes back what its desk wrote down.
  assert.equal((await answer(phone, false)).status, 204);
  await story.until(
    async () => (await atTheBox('c-mia')).desk_consents.length === 0,
    'the box takes it back',
  );
  assert.deepEqual(await given('c-mia'), before);
  assert.equal((await answer(phone, true)).status, 404, 'no is no');
});

test('what she confirms on her phone is signed, fed, and counts at the box', async (t) => {
  const { story, pledge, given, atTheBox } = await openDesk(t);
  const phone = await story.device('c-mia', 'Phone');
  await pledge('c-mia');
  await story.until(async () => (await asked(phone)).length === 1, 'she is asked');
  const [question] = await asked(phone);
  assert.equal(
    (await phone.ask('POST', `/v1/desk-consents/${question.id}`, { confirmed: true })).status,
    204,
  );
  assert.equal((await given('c-mia')).preference_prompts, true);
  await story.until(async () => {
    const { desk_consents: desk, consents } = await atTheBox('c-mia');
    const record = consents.find((one) => one.purpose === 'preference_prompts');
    return desk.length === 0 && record?.sig && record.history.at(-1).how === 'desk';
  }, 'the box has the record in place of its own');
});
