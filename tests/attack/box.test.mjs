// SPDX-License-Identifier: Apache-2.0
// Attacks B and C: somebody has a box's account, its password or its certificate, and says whatever an
// account can say. On the real broker with the rules as they are shipped, the real CRM, and beside it
// a box of the same store that nobody touched.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { kPin } from '../../demo/story.mjs';
import { StaffTablet } from '../../harness/tablet.mjs';
import { openShop } from './shop.mjs';

const kExamples = new URL('../../docs/examples/', import.meta.url);
const example = (name) => JSON.parse(readFileSync(new URL(name, kExamples), 'utf8'));

// Speaks with the account of box-2; box-1 is the shop's own.
class Thief {
  static async of(story) {
    const thief = new Thief();
    thief.story = story;
    thief.address = await story.admit('box-2');
    thief.heard = [];
    await thief.connect();
    return thief;
  }

  async connect() {
    this.client?.end(true);
    this.client = await this.story.stack.connect('uplink', this.address);
    this.client.on('message', (topic, payload, { properties }) =>
      this.heard.push({ topic, payload: String(payload), expiry: properties?.messageExpiryInterval }),
    );
  }

  hear(...topics) {
    return this.client.subscribeAsync(topics, { qos: 1 });
  }

  say(topic, body) {
    return this.client.publishAsync(`welcome/v1/${topic}`, JSON.stringify(body), { qos: 1 });
  }

  hello(address = this.address) {
    const body = { ...example('hello.json'), box: address.split('/').pop(), have: {} };
    return this.say(`${address}/hello`, body);
  }

  // An event about `subject`, and waits until the CRM has it: the one after it is in the ledger.
  async event(type, subject, data, more = {}) {
    this.count = (this.count ?? 0) + 1;
    const event = {
      ...example('event.health.json'),
      id: `thief-${this.count}`,
      source: `/${this.address}`,
      type: `com.welcomed.${type}.v1`,
      time: new Date().toISOString(),
      ...(subject ? { subject } : {}),
      data,
      ...more,
    };
    await this.say(`${this.address}/event`, event);
    await this.story.until(async () => this.entry(event.id), `${event.id} is in the ledger`);
    return this.entry(event.id);
  }

  async entry(id) {
    const { stdout } = await this.story.crm('--json', 'ledger');
    const lines = stdout.trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line)).find((entry) => entry.id === id && entry.handled);
  }
}

test('a box’s account learns the names of sixty members an hour, and each answer is over soon', async (t) => {
  const story = await openShop(t);
  const thief = await Thief.of(story);
  await thief.hear(`welcome/v1/${thief.address}/found`);
  const ask = (id, customer) =>
    thief.say(`${thief.address}/lookup`, { ...example('lookup.json'), id, customer });
  for (let i = 0; i < 61; ++i) await ask(`q-${i}`, i ? 'c-paul' : 'c-nobody');
  await story.until(() => thief.heard.length === 61, 'all are answered');
  const answers = thief.heard.map(({ payload }) => JSON.parse(payload));
  assert.deepEqual([answers[0].answer, answers[0].name], ['unknown', undefined]);
  assert.deepEqual([answers[1].answer, answers[1].name], ['known', 'Paul Moreau']);
  assert.deepEqual([answers[60].answer, answers[60].name], ['too_often', undefined]);
  assert.ok(thief.heard.every(({ expiry }) => expiry > 0 && expiry <= 15));
});

test('C5: a box’s account says hello as another store and another company and gets nothing', async (t) => {
  const story = await openShop(t);
  const thief = await Thief.of(story);
  const counters = async () => {
    const said = await story.crm('--json', 'status').catch(() => null); // before the first round
    return said && JSON.parse(said.stdout).at(0).counters;
  };
  const others = ['demo/aroma-9/box-2', 'demo/aroma-1/box-1', 'rival/aroma-1/box-2'];
  for (const address of others) {
    await assert.rejects(thief.hello(address), /Not authorized/);
    await thief.connect();
  }
  // And with open ears, while the CRM tells everybody where the feed stands.
  await thief.hear(...others.map((address) => `welcome/v1/${address}/feed/+`));
  // Its own box that nobody admitted: what the broker lets through the CRM turns away.
  await story.crm('boxes', 'revoke', 'aroma-1/box-2');
  await thief.hear(`welcome/v1/${thief.address}/feed/+`);
  await thief.hello();
  const shown = async () => {
    const { stdout } = await story.crm('--json', 'boxes');
    return JSON.parse(stdout);
  };
  await story.until(async () => (await shown()).some((box) => box.box === 'box-2'), 'it is shown');
  const boxes = await shown();
  assert.deepEqual(
    boxes.map((box) => [box.store, box.box, box.admitted, box.tried]),
    [
      ['aroma-1', 'box-1', true, undefined],
      ['aroma-1', 'box-2', false, 'hello'],
    ],
  );
  await story.until(async () => (await counters())?.strangers === 1, 'and counted');
  assert.deepEqual(thief.heard, []);
});

test('C6: a box that no longer exists blocks no erasure, and its account is cut off', async (t) => {
  const story = await openShop(t);
  const thief = await Thief.of(story);
  await thief.hear(`welcome/v1/${thief.address}/feed/+`, `welcome/v1/${thief.address}/command`);
  await thief.hello();
  await story.until(() => thief.heard.some(({ payload }) => payload.includes('c-mia')), 'it is told');
  const { erasure } = JSON.parse((await story.crm('--json', 'customer', 'forget', 'c-paul')).stdout);
  const status = () =>
    story.crm('--json', 'erasure', 'status', erasure).then(
      ({ stdout }) => JSON.parse(stdout),
      ({ stdout }) => JSON.parse(stdout),
    );
  assert.equal((await status()).complete, false);
  const gone = new Promise((resolve) => thief.client.once('close', resolve));
  const files = ['--broker-files', story.stack.brokerFiles('uplink')];
  const { stdout } = await story.crm('--json', 'boxes', 'revoke', 'aroma-1/box-2', ...files);
  const revoked = JSON.parse(stdout);
  assert.equal(revoked.erasures, 1);
  assert.deepEqual(revoked.customers, ['c-bruno', 'c-mia', 'c-paul'], 'whom the notice is for');
  assert.ok(revoked.new_keys_for.length > 0);
  const after = await status();
  assert.equal(after.complete, true);
  assert.ok(after.by_box.find((box) => box.box === 'box-2').revoked_at);

  story.stack.program('mosquitto-central').signal('SIGHUP');
  await gone; // the broker ends the line of an account that is no more
  await assert.rejects(story.stack.connect('uplink', thief.address));
});

// ---- what an account can say ----

const kDesk = { purpose: 'face_recognition', state: 'given', how: 'desk' };
const notice = { id: 'welcome-pledge', version: '3', language: 'en' };

async function consents(story, customer) {
  const { stdout } = await story.crm('--json', 'customer', 'export', customer);
  return JSON.parse(stdout).consents;
}

test('B: a grant dated 2099 is refused, and a withdrawal holds at the box', async (t) => {
  const story = await openShop(t);
  const daemon = await story.startDaemon();
  const thief = await Thief.of(story);
  await story.until(async () => (await story.ctl('status')).crm.feed.consents?.items >= 11, 'all is there');
  const at = '2099-01-01T00:00:00.000Z';
  const entry = await thief.event('consent.changed', 'c-mia', { ...kDesk, at, notice });
  assert.match(entry.note, /^not believed: /);
  assert.deepEqual([entry.customer, entry.data], ['', {}]);
  await thief.event('consent.changed', 'c-bruno', { ...kDesk, at, notice }, { time: at });
  // Bruno's grant is one from before; he takes it back on his phone, with a clock that is right.
  const phone = await story.device('c-bruno', 'Phone');
  assert.equal((await phone.choose('face_recognition', false)).status, 200);
  const film = (customer) => story.ctl('enrol', customer, '--clip', new URL(import.meta.url).pathname);
  const refused = (customer) =>
    film(customer).then(
      () => false,
      (error) => /no consent/.test(error.stderr),
    );
  await story.until(() => refused('c-bruno'), 'the box enrols him no more');
  assert.ok(await refused('c-mia'), 'nor her who never agreed');
  await daemon.stop();
});

// So that what is refused above is not refused to everybody.
test('what a box signs at its desk counts once it is confirmed, and a withdrawal holds', async (t) => {
  const story = await openShop(t);
  await story.startDaemon();
  await story.until(async () => (await story.ctl('status')).crm.feed.consents?.items >= 11, 'all is there');
  const tablet = await StaffTablet.connect(story.stack, 'tablet-1');
  await tablet.signedIn('eva', kPin);
  const { notice } = example('floor.enrol.consent.json');
  const purposes = { preference_prompts: true };
  await tablet.enrol('s-1', { kind: 'consent', customer: 'c-mia', purposes, notice });
  const phone = await story.device('c-mia', 'Phone');
  const asked = async () => (await phone.ask('GET', '/v1/me')).body.desk_consents;
  await story.until(async () => (await asked()).length === 1, 'she is asked');
  await phone.ask('POST', `/v1/desk-consents/${(await asked())[0].id}`, { confirmed: true });
  const record = async () =>
    (await consents(story, 'c-mia')).find((one) => one.purpose === 'preference_prompts');
  await story.until(async () => (await record())?.history.length === 1, 'the CRM has it');
  assert.ok((await record()).sig, 'and signed it');
  await story.crm('customer', 'consent', 'c-mia', 'preference_prompts', 'withdrawn');
  const { stdout } = await story.crm('--json', 'customer', 'show', 'c-mia');
  assert.equal(JSON.parse(stdout).purposes.preference_prompts, false);
  await story.until(async () => {
    const { consents: held } = await story.ctl('customer', 'export', 'c-mia');
    return JSON.stringify(held).includes('withdrawn');
  }, 'the box has the withdrawal');
});

test('C1: a box’s account consents for nobody', async (t) => {
  const story = await openShop(t);
  const thief = await Thief.of(story);
  const at = new Date().toISOString();
  const before = await consents(story, 'c-mia');
  for (const more of [
    {},
    { customer: 'c-mia', box: thief.address },
    { customer: 'c-mia', box: thief.address, sig: { key: 'box-2', value: `${'A'.repeat(86)}==` } },
  ]) {
    const entry = await thief.event('consent.changed', 'c-mia', { ...kDesk, at, notice, ...more });
    assert.match(entry.note, /^not believed: a consent that/);
    assert.deepEqual([entry.customer, entry.data], ['', {}]);
  }
  const unknown = await thief.event('consent.changed', 'c-nobody', { ...kDesk, at, notice });
  assert.equal(unknown.note, 'not believed: unknown customer');
  assert.deepEqual(await consents(story, 'c-mia'), before, 'nothing is signed');
});

test('C2: an offer has the campaign’s text, and none leaves after a withdrawal', async (t) => {
  const story = await openShop(t);
  await story.followPhones();
  const thief = await Thief.of(story);
  const offer = {
    ...example('event.decision.offer.json').data,
    decision: 'd-thief',
    title: 'You have won',
    text: 'Pay here: evil.example',
    expires_at: new Date(Date.now() + 600000).toISOString(),
  };
  const forged = await thief.event('decision.offer', 'c-mia', { ...offer, campaign: 'k-thief' });
  assert.equal(forged.note, 'not believed: an offer of no campaign');
  const own = {
    campaign: 'k-plain',
    name: 'For everybody',
    trigger: { on: 'pass_by' },
    variants: [{ id: 'a', title: { en: 'Hello' }, text: { en: 'The espresso is on us.' } }],
  };
  const file = path.join(story.dir, 'campaign.json');
  writeFileSync(file, JSON.stringify({ campaigns: [own] }));
  await story.crm('import', file);
  const named = { ...offer, campaign: 'k-plain', variant: 'a' };
  await thief.event('decision.offer', 'c-mia', named);
  await story.until(() => story.inbox.mia.some((m) => m.kind === 'offer'), 'the phone has the offer');
  const shown = story.inbox.mia.find((m) => m.kind === 'offer');
  assert.equal(shown.text, 'The espresso is on us.');
  assert.ok(!JSON.stringify(story.inbox).includes('evil'));

  await story.crm('customer', 'consent', 'c-mia', 'proximity_offers', 'withdrawn');
  const late = await thief.event('decision.offer', 'c-mia', { ...named, decision: 'd-late' });
  assert.equal(late.note, 'no consent to proximity_offers');
  const survey = {
    ...example('event.decision.survey.json').data,
    decision: 'd-survey',
    expires_at: offer.expires_at,
  };
  const asked = await thief.event('decision.survey', 'c-mia', survey);
  assert.match(asked.note, /^no consent to /);
  assert.equal(story.inbox.mia.filter((m) => m.kind === 'offer').length, 1);
});

test('C3: a record of somebody else is not touched by its id', async (t) => {
  const story = await openShop(t);
  const thief = await Thief.of(story);
  const before = await consents(story, 'c-paul');
  const at = new Date().toISOString();
  // A withdrawal always counts: so this one is about Mia, with the id of Paul's record.
  for (const { record_id } of before) {
    const withdrawn = { purpose: 'visit_analytics', state: 'withdrawn', how: 'desk', at, record_id };
    await thief.event('consent.changed', 'c-mia', withdrawn);
  }
  assert.deepEqual(await consents(story, 'c-paul'), before);
});

test('C4: a note dated 9999 keeps no later note out', async (t) => {
  const story = await openShop(t);
  const thief = await Thief.of(story);
  const note = (text) => ({ visit: 'v-thief', staff: 'eva', kind: 'note', text });
  await thief.event('staff.action', 'c-paul', note('Forever.'), { time: '9999-01-01T00:00:00.000Z' });
  await thief.event('staff.action', 'c-paul', note('Off to Lyon.'));
  const { stdout } = await story.crm('--json', 'customer', 'export', 'c-paul');
  const { last_conversation: last } = JSON.parse(stdout).profile;
  assert.equal(last.text, 'Off to Lyon.');
  assert.ok(Date.parse(last.at) <= Date.now());
});
