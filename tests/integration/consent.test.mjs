// SPDX-License-Identifier: Apache-2.0
// Consent on the real programs, with a broker that cannot be trusted: only what the CRM signed
// counts, an old record counts no more than once, keys change without a gap, and an erasure reaches
// a box that was away before it acts on anybody.

import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Story } from '../../demo/story.mjs';
import { FeedKey } from '../../harness/signing.mjs';

class Shop extends Story {
  // A key of the tests that the box trusts as well: what it says of records that came in a good batch.
  key = new FeedKey('k-test');

  async pinKeys() {
    await super.pinKeys();
    appendFileSync(path.join(this.dir, 'welcomed', 'crm-keys'), this.key.line);
  }

  static async with(t, play) {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-consent-'));
    const shop = new Shop({ dir, pages: null, say: (line) => t.diagnostic(line) });
    try {
      await shop.prepare({ enrol: false });
      // The broker's owner hears all that the CRM says.
      shop.thief = await shop.stack.connect('uplink', 'owner');
      shop.feed = [];
      shop.thief.on('message', (_, payload) => shop.feed.push(JSON.parse(payload)));
      await shop.thief.subscribeAsync(`${shop.stack.prefix}/feed/consents`, { qos: 1 });
      shop.daemon = await shop.startDaemon();
      await shop.synced();
      await play(shop);
    } finally {
      await shop.thief?.endAsync(true).catch(() => {});
      await shop.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }

  synced() {
    return this.until(async () => {
      const { crm, links } = await this.ctl('status');
      return links.uplink.state === 'up' && crm.feed.consents?.items >= 11 && crm.feed.profiles?.items >= 3;
    }, 'the CRM has sent profiles and consents');
  }

  say_to_box(topic, payload) {
    return this.thief.publishAsync(topic, JSON.stringify(payload), { qos: 1 });
  }

  // A consent item as if it were the next of the feed; more follows, so that no digest has to fit.
  async inject(item) {
    const status = await this.ctl('status');
    const seq = status.crm.feed.consents.seq;
    const { epoch, head } = this.feed.at(-1);
    const batch = {
      v: 1,
      collection: 'consents',
      kind: 'delta',
      epoch,
      from_seq: seq,
      to_seq: seq + 1,
      head: { ...head, seq: seq + 2, at: new Date().toISOString() },
      items: [{ op: 'put', seq: seq + 1, ...item }],
    };
    await this.thief.publishAsync(`${this.stack.prefix}/feed/consents`, this.key.sign(batch), { qos: 1 });
  }

  async refused(why, count = 1) {
    await this.until(
      async () => (await this.ctl('status')).consents.refused[why] >= count,
      `refused: ${why}`,
    );
  }

  record(customer, purpose) {
    const items = this.feed.flatMap((batch) => batch.items);
    return items.findLast((item) => item.value?.customer === customer && item.value.purpose === purpose);
  }

  async ledger(type) {
    const { stdout } = await this.crm('--json', 'ledger');
    return stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .filter((e) => e.type.includes(type));
  }

  async trail(kind) {
    return (await this.ctl('audit', 'show')).filter((entry) => entry.kind === kind);
  }
}

test('what the CRM did not sign is refused, counted and reported', async (t) => {
  await Shop.with(t, async (shop) => {
    const status = await shop.ctl('status');
    assert.equal(status.consents.signatures_asked, true);
    assert.equal(status.consents.footing, 'firm');
    assert.deepEqual(status.consents.refused, {});

    // Mia never agreed to face recognition; somebody in the broker says she did.
    const { key, value } = shop.record('c-mia', 'proximity_offers');
    const forged = { ...value, purpose: 'face_recognition' };
    await shop.inject({ key, value: forged });
    await shop.refused('the signature is wrong');
    const { sig, ...naked } = value;
    await shop.inject({ key, value: naked });
    await shop.refused('not signed');
    await shop.inject({ key, value: { ...value, sig: { ...sig, key: 'k-unknown' } } });
    await shop.refused('signed with a key that is not pinned');
    await shop.inject({ key, value: { ...value, tenant: 'other' } });
    await shop.refused('a record of another tenant');
    await shop.until(async () => (await shop.ledger('feed.rejected')).length >= 4, 'the CRM heard of it');

    // Nor does the box obey a pause, or an erasure, that the CRM did not sign.
    const control = {
      v: 1,
      id: 'ctl-x',
      seq: 900,
      tenant: 'demo',
      store: '_all',
      function: 'face',
      paused: true,
      at: new Date().toISOString(),
    };
    await shop.say_to_box('welcome/v1/demo/_all/control', control);
    await shop.say_to_box(`${shop.stack.prefix}/command`, {
      v: 1,
      id: 'cmd-x',
      kind: 'erase',
      customer: 'c-paul',
    });
    await shop.until(async () => (await shop.ctl('status')).crm.refused.refused >= 2, 'both are refused');
    await shop.until(async () => (await shop.ledger('health')).length > 0, 'the CRM heard of it');
    assert.deepEqual((await shop.ctl('status')).paused, []);
    assert.equal((await shop.ctl('customer', 'export', 'c-paul')).profiles.length, 1);
    await shop.crm('pause', 'face');
    await shop.until(
      async () => (await shop.ctl('status')).paused.includes('face'),
      'what the CRM signed is obeyed',
    );
  });
});

test('an old consent that comes again does not bring back what was withdrawn', async (t) => {
  await Shop.with(t, async (shop) => {
    const old = shop.record('c-bruno', 'face_recognition');
    await shop.crm('customer', 'consent', 'c-bruno', 'face_recognition', 'withdrawn');
    const face = async () =>
      shop.ctl('enrol', 'c-bruno', '--clip', new URL(import.meta.url).pathname).then(
        () => '',
        (e) => e.stderr,
      );
    await shop.until(async () => /no consent/.test(await face()), 'the withdrawal is in force');
    await shop.inject({ key: old.key, value: old.value });
    await shop.refused('older than what the box knows');
    assert.match(await face(), /no consent/);

    // Nor after a restart, when the record was deleted before and the CRM is not there to mend it.
    await shop.stack.program('crm').stop();
    await shop.inject({ key: old.key, op: 'delete' });
    await shop.until(
      async () => (await shop.ctl('status')).crm.feed.consents.items === 10,
      'the record is gone',
    );
    await shop.daemon.stop();
    shop.daemon = await shop.startDaemon();
    await shop.until(async () => (await shop.ctl('status')).links.uplink.state === 'up', 'the line is up');
    await shop.inject({ key: old.key, value: old.value });
    await shop.refused('older than what the box knows');
    assert.match(await face(), /no consent/);
    const consents = await shop.trail('consent');
    assert.ok(consents.some((entry) => entry.detail === 'face_recognition withdrawn'));
    assert.equal((await shop.ctl('audit', 'verify')).intact, true);
  });
});

test("the CRM's key changes without a gap", async (t) => {
  await Shop.with(t, async (shop) => {
    await shop.crm('sign-keys', '--new');
    await shop.pinKeys();
    const keys = readFileSync(path.join(shop.dir, 'welcomed', 'crm-keys'), 'utf8');
    const [first, second] = [...keys.matchAll(/^([^\s#]+) /gm)]
      .map(([, id]) => id)
      .filter((id) => id !== shop.key.id);
    assert.ok(first && second, 'both keys are pinned');
    shop.daemon.signal('SIGHUP');
    await shop.daemon.line(/configuration read again/);

    await shop.crm('sign-keys', '--use', second);
    await shop.until(
      () => shop.record('c-mia', 'proximity_offers').value.sig.key === second,
      'all is signed again',
    );
    await shop.until(async () => {
      const have = (await shop.ctl('status')).crm.feed.consents;
      return have.items === 11 && have.seq === shop.feed.at(-1).to_seq;
    }, 'the box has it');
    await shop.pinKeys();
    assert.doesNotMatch(
      readFileSync(path.join(shop.dir, 'welcomed', 'crm-keys'), 'utf8'),
      new RegExp(`^${first} `, 'm'),
    );
    await shop.daemon.stop();
    shop.daemon = await shop.startDaemon();
    await shop.synced();
    const status = await shop.ctl('status');
    assert.deepEqual(status.consents.refused, {});
    assert.deepEqual(status.crm.refused, {});
    assert.ok((await shop.trail('config')).some((entry) => entry.detail.startsWith("the CRM's keys")));
  });
});

test('a box that was away erases before it acts, and nothing of the person is left', async (t) => {
  await Shop.with(t, async (shop) => {
    await shop.daemon.stop();
    const { erasure } = JSON.parse((await shop.crm('--json', 'customer', 'forget', 'c-paul')).stdout);
    const late = await shop.crm('--json', 'erasure', 'status', erasure).then(
      () => assert.fail('it is not done yet'),
      (error) => JSON.parse(error.stdout),
    );
    assert.deepEqual(
      late.by_box.filter((box) => !box.done_at).map((box) => box.box),
      [shop.stack.box],
    );

    shop.daemon = await shop.startDaemon();
    await shop.until(
      () =>
        shop.crm('erasure', 'status', erasure).then(
          () => true,
          () => false,
        ),
      'the receipt is there',
    );
    const held = await shop.ctl('customer', 'export', 'c-paul');
    assert.equal(held.erased, true);
    for (const part of [
      'profiles',
      'consents',
      'identities',
      'visits',
      'decisions',
      'face_templates',
      'unsent',
    ])
      assert.deepEqual(held[part], [], part);
    const [receipt] = await shop.ledger('erasure.receipt');
    assert.ok(receipt);
    assert.equal((await shop.trail('erasure')).length, 1);
    // It counts because the CRM knows the key that the box says it has.
    const [known] = JSON.parse((await shop.crm('--json', 'boxes')).stdout);
    assert.equal(known.key.public_key, (await shop.ctl('status')).box.public_key);
    assert.equal(known.receipts_refused, 0);
    // The rest are as they were.
    assert.equal((await shop.ctl('customer', 'export', 'c-mia')).profiles.length, 1);
    assert.ok(readdirSync(path.join(shop.dir, 'welcomed')).includes('welcomed.db'));
  });
});
