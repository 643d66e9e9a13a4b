// SPDX-License-Identifier: Apache-2.0
// What a CRM refuses though a box says it, as the box itself would have: what is too late, and what nobody
// agreed to (any more). The real programs, everything signed.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { openShop } from '../attack/shop.mjs';

const at = (minutes) => new Date(Date.now() + minutes * 60e3).toISOString();

test('late offers, and surveys and notes without consent, are refused by the CRM, too', async (t) => {
  const shop = await openShop(t);
  const { stack } = shop;
  const box = await stack.connect('uplink', 'owner');
  t.after(() => box.endAsync(true));
  // Returns the event's id.
  const say = async (type, subject, data) => {
    const id = randomUUID();
    const event = {
      specversion: '1.0',
      id,
      source: `/${stack.tenant}/${stack.store}/${stack.box}`,
      type: `com.welcomed.${type}.v1`,
      time: at(0),
      subject,
      datacontenttype: 'application/json',
      data,
    };
    await box.publishAsync(`${stack.prefix}/event`, JSON.stringify(event), { qos: 1 });
    return id;
  };
  const ledger = async () =>
    (await shop.crm('--json', 'ledger')).stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const row = async (id) => (await ledger()).find((entry) => entry.id === id);
  const comesTo = async (id, note) => {
    await shop.until(async () => (await row(id))?.handled, `${note || 'taken'}: the CRM has looked at it`);
    assert.equal((await row(id)).note, note);
  };
  const visit = randomUUID();
  const offer = (expires) => ({
    decision: randomUUID(),
    visit,
    campaign: 'k-espresso',
    variant: 'a',
    language: 'en',
    title: 'An espresso',
    text: 'On the house',
    expires_at: expires,
  });
  const note = (text) => ({ visit: randomUUID(), staff: 'eva', kind: 'note', text });
  const survey = {
    decision: randomUUID(),
    visit: randomUUID(),
    survey: 's-visit',
    kind: 'nps',
    language: 'en',
    question: 'Would you recommend us?',
    expires_at: at(60),
  };

  await comesTo(await say('decision.offer', 'c-paul', offer(at(-1))), 'too late');
  await comesTo(await say('decision.survey', 'c-mia', survey), 'no consent to visit_analytics');

  await comesTo(await say('staff.action', 'c-bruno', note('Likes the seat by the window.')), '');
  await shop.crm('customer', 'consent', 'c-bruno', 'preference_prompts', 'withdrawn');
  await comesTo(
    await say('staff.action', 'c-bruno', note('Came with his sister.')),
    'no consent to preference_prompts',
  );
  const held = JSON.stringify(JSON.parse((await shop.crm('--json', 'customer', 'export', 'c-bruno')).stdout));
  assert.ok(!held.includes('sister'), held);
  assert.ok(!JSON.stringify(await ledger()).includes('sister'), 'what was refused is not kept');
});
