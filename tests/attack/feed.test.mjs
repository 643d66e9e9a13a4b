// SPDX-License-Identifier: Apache-2.0
// Attack H1: somebody has the central broker and so says what they like on a box's feed, as the CRM. They
// map a fob to another customer, put words for staff into a profile, change a batch on its way, and play
// old heartbeats again so that nobody notices that the CRM is silent. On the real broker, CRM and box.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Story } from '../../demo/story.mjs';
import { FeedKey } from '../../harness/signing.mjs';
import { openShop } from './shop.mjs';

const kWord = 'The manager says: their bag is searched before anything else.';

class Shop extends Story {
  async stop() {
    await this.thief?.endAsync(true).catch(() => {});
    await super.stop();
  }

  static async with(t, play) {
    const shop = await openShop(t, { of: Shop });
    shop.batches = []; // as they came: { topic, text }
    shop.thief = await shop.stack.connect('uplink', 'owner');
    shop.thief.on('message', (topic, payload) => shop.batches.push({ topic, text: payload.toString() }));
    await shop.thief.subscribeAsync(`${shop.stack.prefix}/feed/+`, { qos: 1 });
    shop.daemon = await shop.startDaemon();
    await shop.until(async () => {
      const { crm } = await shop.ctl('status');
      return (
        crm.feed.consents?.items >= 11 && crm.feed.profiles?.items >= 3 && crm.feed.identities?.items >= 3
      );
    }, 'the CRM has sent everything');
    await play(shop);
  }

  async status() {
    return (await this.ctl('status')).crm;
  }

  batch(collection, wanted = () => true) {
    return this.batches.findLast(
      ({ topic, text }) => topic.endsWith(`/${collection}`) && wanted(JSON.parse(text)),
    );
  }

  speak(topic, text) {
    return this.thief.publishAsync(topic, text, { qos: 1 });
  }

  // The next change of a collection, as the CRM would say it.
  async next(collection, item) {
    const { seq } = (await this.status()).feed[collection];
    const { epoch, head } = JSON.parse(this.batch(collection).text);
    return {
      v: 1,
      collection,
      kind: 'delta',
      epoch,
      from_seq: seq,
      to_seq: seq + 1,
      ...(head && { head: { ...head, seq: seq + 1, at: new Date().toISOString() } }),
      items: [{ op: 'put', seq: seq + 1, ...item }],
    };
  }

  // All of it is refused: the box is where it was, and says how often.
  async nothingOf(collection, texts) {
    const before = await this.status();
    for (const text of texts) await this.speak(`${this.stack.prefix}/feed/${collection}`, text);
    await this.until(
      async () => (await this.status()).refused.refused >= (before.refused.refused ?? 0) + texts.length,
      `${texts.length} batches of ${collection} are refused`,
    );
    assert.deepEqual((await this.status()).feed, before.feed);
  }

  exported(customer) {
    return this.ctl('customer', 'export', customer);
  }
}

test('who has the broker maps no fob to another customer, and says nothing to staff', async (t) => {
  await Shop.with(t, async (shop) => {
    const mine = new FeedKey('k-mine');
    const crmKey = readFileSync(path.join(shop.dir, 'welcomed', 'crm-keys'), 'utf8').match(/^([^\s#]+) /m)[1];

    // Somebody else's fob, for whom Paul's consents would count then.
    const fob = await shop.next('identities', {
      key: 'i-evil-fob',
      value: {
        identity: 'i-evil-fob',
        customer: 'c-paul',
        kind: 'ibeacon',
        uuid: '11111111-2222-3333-4444-555555555555',
        major: 1,
        minor: 2,
      },
    });
    const genuine = JSON.parse(shop.batch('identities').text).sig;
    await shop.nothingOf('identities', [
      JSON.stringify(fob),
      JSON.stringify({ ...fob, sig: genuine }),
      mine.sign(fob, crmKey),
      mine.sign(fob),
    ]);
    assert.ok((await shop.exported('c-paul')).identities.every((one) => one.identity !== 'i-evil-fob'));

    // Words for staff.
    const { value } = JSON.parse(shop.batch('profiles', (b) => b.items.length > 0).text).items.find(
      (item) => item.key === 'c-paul',
    );
    const words = await shop.next('profiles', {
      key: 'c-paul',
      value: { ...value, last_conversation: { text: kWord, at: new Date().toISOString() } },
    });
    const { text } = shop.batch('profiles', (b) => b.items.length > 0);
    await shop.nothingOf('profiles', [
      JSON.stringify(words),
      mine.sign(words, crmKey),
      text.replace('Paul', 'Saul'),
      text.replace(/,"sig":.*$/, '}'),
      text.replace('"sig":', '"items":[],"sig":'),
    ]);
    const held = JSON.stringify(await shop.exported('c-paul'));
    assert.ok(!held.includes(kWord) && !held.includes('Saul'), held);

    // Another collection's batch, and one made for somebody else's company.
    await shop.nothingOf('campaigns', [shop.batch('policy').text]);

    // Thousands of them are a few lines in the log.
    const flood = Array.from({ length: 300 }, () => JSON.stringify(words));
    await shop.nothingOf('profiles', flood);
    const lines = readFileSync(shop.daemon.log, 'utf8').match(/refused: feed/g);
    assert.ok(lines.length < 20, `${lines.length} lines`);
    await shop.until(async () => {
      const { stdout } = await shop.crm('--json', 'ledger');
      return stdout.includes('messages from the central broker were refused');
    }, 'the CRM hears of it');
  });
});

test('an old heartbeat does not make consents fresh', async (t) => {
  await Shop.with(t, async (shop) => {
    const beat = (b) => b.items.length === 0;
    const beats = () =>
      shop.batches.filter(({ topic, text }) => topic.endsWith('/consents') && beat(JSON.parse(text)));
    await shop.until(async () => beats().length >= 3, 'the CRM beats');
    const [old] = beats();
    const heard = async () => (await shop.status()).last_heard;
    await shop.stack.program('crm').stop();
    const newest = shop.batch('consents', beat);
    const at = (one) => JSON.parse(one.text).head?.at;
    await shop.until(async () => (await heard()) === at(newest), 'the newest word is the one that counts');

    const late = JSON.parse(newest.text);
    const future = { ...late, head: { ...late.head, at: new Date(Date.now() + 60_000).toISOString() } };
    const profiles = shop.batch('profiles').text;
    await shop.speak(old.topic, old.text);
    await shop.speak(newest.topic, newest.text);
    await shop.speak(old.topic, JSON.stringify(future));
    delete late.sig;
    await shop.speak(old.topic, JSON.stringify(late));
    await shop.speak(`${shop.stack.prefix}/feed/profiles`, profiles);
    await shop.until(async () => (await shop.status()).refused.refused >= 2, 'what is not signed is refused');
    assert.equal(await heard(), at(newest));
  });
});
