// SPDX-License-Identifier: Apache-2.0
// Keys by region. A box of the north has nothing of who is at home in the south; who has the broker hands it the
// south's own, signed batches, and who has its account says something about people there. On the real
// broker, CRM and box.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { openShop } from './shop.mjs';

const kExamples = new URL('../../docs/examples/', import.meta.url);
const example = (name) => JSON.parse(readFileSync(new URL(name, kExamples), 'utf8'));

test('a box of the north has nothing of the south, whoever hands it over', async (t) => {
  const shop = await openShop(t);
  const { stack } = shop;
  const json = async (...args) => JSON.parse((await shop.crm('--json', ...args)).stdout);
  const status = async () => (await shop.ctl('status')).crm;
  const items = async () => {
    const { feed } = await status();
    return ['consents', 'identities'].map((name) => feed[name]?.items ?? -1);
  };
  const held = async (customer) => JSON.stringify(await shop.ctl('customer', 'export', customer));
  const consents = async (customer) => (await json('customer', 'show', customer)).consents.length;

  await assert.rejects(shop.crm('scope', 'region'), /no region yet has the store aroma-1/);
  await shop.crm('region', 'store', 'aroma-1', 'north');
  const account = 'demo/aroma-2/box-9';
  const files = ['--broker-files', stack.brokerFiles('uplink')];
  stack.accounts[account] = (
    await json('boxes', 'admit', 'aroma-2/box-9', '--region', 'south', ...files)
  ).password;
  await stack.reloadBroker('uplink', account);
  const everybody = (await json('customer', 'list')).map((one) => one.customer);
  assert.ok(everybody.includes('c-mia') && everybody.includes('c-paul'));
  for (const customer of everybody) await shop.crm('customer', 'region', customer, 'north');
  await shop.crm('customer', 'region', 'c-mia', 'south');
  await shop.crm('scope', 'region');

  const north = (await Promise.all(everybody.filter((c) => c !== 'c-mia').map(consents))).reduce(
    (a, b) => a + b,
  );
  const mias = await consents('c-mia');
  assert.ok(mias > 0);
  shop.daemon = await shop.startDaemon();
  await shop.until(async () => (await items())[0] === north, 'the box has the consents of the north');
  const [, devices] = await items();
  assert.ok(!(await held('c-mia')).includes('Mia'));
  const { name } = (await json('customer', 'show', 'c-mia')).profile;
  assert.ok(!(await held('c-mia')).includes(name));

  // The south's feed, signed by the CRM, as who has the broker can read it.
  const thief = await stack.connect('uplink', 'owner');
  t.after(() => thief.endAsync(true).catch(() => {}));
  const south = [];
  thief.on('message', (topic, payload) => south.push({ topic, text: String(payload) }));
  await thief.subscribeAsync('welcome/v1/demo/aroma-2/box-9/feed/+', { qos: 1 });
  const there = await stack.connect('uplink', account);
  t.after(() => there.endAsync(true).catch(() => {}));
  await there.publishAsync(
    'welcome/v1/demo/aroma-2/box-9/hello',
    JSON.stringify({ ...example('hello.json'), box: 'box-9', have: {} }),
    { qos: 1 },
  );
  const of = (collection) =>
    south.filter(({ topic }) => topic.endsWith(`/${collection}`)).map(({ text }) => text);
  await shop.until(() => of('consents').length > 1 && of('identities').length > 1, 'the south is told');
  assert.ok(of('consents').some((text) => text.includes('c-mia')));
  assert.ok(!of('consents').some((text) => text.includes('c-paul')), 'and nothing of the north');
  const before = await status();
  const stolen = [...of('consents'), ...of('identities')];
  for (const text of stolen) {
    await thief.publishAsync(`${stack.prefix}/feed/${JSON.parse(text).collection}`, text, { qos: 1 });
  }
  await shop.until(
    async () => (await status()).refused.refused >= (before.refused.refused ?? 0) + stolen.length,
    'all of it is refused',
  );
  assert.deepEqual(await items(), [north, devices]);

  // The box's account, about somebody of whom the box was never told.
  const ledger = async (id) => {
    const { stdout } = await shop.crm('--json', 'ledger');
    const lines = stdout.trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line)).find((entry) => entry.id === id && entry.handled);
  };
  const said = { ...example('event.decision.offer.json'), id: 'thief-1', subject: 'c-mia' };
  said.time = new Date().toISOString();
  said.source = '/demo/aroma-1/box-1';
  await thief.publishAsync(`${stack.prefix}/event`, JSON.stringify(said), { qos: 1 });
  await shop.until(() => ledger('thief-1'), 'it is in the ledger');
  assert.equal((await ledger('thief-1')).note, 'not believed: somebody of another region');

  // She moves to the north, and back.
  await shop.crm('customer', 'region', 'c-mia', 'north');
  await shop.until(async () => (await items())[0] === north + mias, 'she is known in the north');
  assert.ok((await held('c-mia')).includes(name));
  await shop.crm('customer', 'region', 'c-mia', 'south');
  await shop.until(async () => (await items())[0] === north, 'and no longer');
  assert.ok(!(await held('c-mia')).includes(name));
  const trail = JSON.stringify(await shop.ctl('audit', 'show'));
  assert.ok(trail.includes('no longer known here') && !trail.includes('withdrawn'), trail);

  // The store moves: all of it is another's now, and nobody was set back.
  await shop.crm('region', 'store', 'aroma-1', 'south');
  await shop.until(async () => (await items())[0] === mias, 'the box has the south');
  await shop.until(async () => {
    const [box] = await json('boxes');
    return box.region === 'south' && box.up_to_date;
  }, 'and says so');
  assert.equal((await json('status'))[0].counters.set_back, 0);
});
