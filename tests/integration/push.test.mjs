// SPDX-License-Identifier: Apache-2.0
// Web Push from an offer of a box to a browser: the real welcome-crm, a push service over TLS that keeps what it
// gets, and somebody else's decryption (http_ece) and signature check (node).

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Story } from '../../demo/story.mjs';
import { FakeBrowser, FakePushService } from '../e2e/fake-push.mjs';
import { FakeEvents } from '../e2e/fakes.mjs';

const { campaigns: kCampaigns } = JSON.parse(
  readFileSync(new URL('../../demo/data/campaigns.json', import.meta.url), 'utf8'),
);
const kContact = 'mailto:it@aroma.example';

// RFC 8292: signed by the key that browsers were told, for this service, and not for long.
function assertSigned({ headers }, key, origin) {
  const [, token, named] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(headers.authorization);
  assert.equal(named, key);
  const point = Buffer.from(key, 'base64url');
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
  const jwk = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  const [header, claims, signature] = token.split('.');
  const signed = Buffer.from(`${header}.${claims}`);
  const how = { key: jwk, dsaEncoding: 'ieee-p1363' };
  assert.ok(verify('sha256', signed, how, Buffer.from(signature, 'base64url')));
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString());
  assert.equal(said.aud, origin);
  assert.equal(said.sub, kContact);
  assert.ok(said.exp > Date.now() / 1000 && said.exp < Date.now() / 1000 + 24 * 3600);
}

describe('web push', () => {
  let dir, service, story, phone, browser, events, key, origin;
  const me = async () => (await phone.ask('GET', '/v1/me')).body.push;
  const offer = () => events.offer('c-paul', 'v-push', kCampaigns[0].campaign, kCampaigns[0].variants[0].id);

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-push-'));
    service = new FakePushService(dir);
    await service.open();
    origin = `https://localhost:${service.port}`;
    story = new Story({ dir, pages: null, crmEnv: { SSL_CERT_FILE: service.certificate } });
    await story.prepare({ enrol: false });
    phone = await story.device('c-paul', 'Phone');
    events = await FakeEvents.start(story.stack);
    await events.arrive('c-paul', 'v-push');
  });
  after(async () => {
    events?.stop();
    await story?.stop();
    if (service?.server.listening) await service.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is off until the company has said who answers for it', async () => {
    assert.equal(await me(), undefined);
    browser = new FakeBrowser(service, 'one');
    const refused = await phone.ask('POST', '/v1/push', browser.subscription);
    assert.deepEqual([refused.status, refused.body.type], [409, 'urn:welcomed:problem:no-push']);
    await story.crm('push', 'on', '--contact', kContact, '--service', `localhost:${service.port}`);
    key = (await me()).key;
    assert.equal((await phone.ask('POST', '/v1/push', browser.subscription)).status, 204);
    assert.deepEqual(await me(), { key, on: true, shows: false });
  });

  it('an offer reaches the browser, which alone can read it, and says nothing of anybody', async () => {
    await offer();
    const push = await service.next();
    assert.deepEqual([push.method, push.path], ['POST', '/push/one']);
    assertSigned(push, key, origin);
    assert.ok(Number(push.headers.ttl) > 500 && Number(push.headers.ttl) <= 600, push.headers.ttl);
    assert.equal(push.headers.urgency, 'high');
    assert.match(push.headers.topic, /^[\w-]{1,32}$/);
    const said = browser.read(push);
    assert.deepEqual(Object.keys(said).sort(), ['id', 'kind', 'language', 'v']);
    assert.equal(said.kind, 'offer');
  });

  it('with its words only for who wants them on the lock screen', async () => {
    const words = { ...browser.subscription, shows: true, language: 'en' };
    assert.equal((await phone.ask('POST', '/v1/push', words)).status, 204);
    await offer();
    const push = await service.next();
    const said = browser.read(push);
    assert.equal(said.title, 'An espresso, Mr Moreau?');
    assert.equal(said.code, undefined);
  });

  it('waits for a push service that is away, also when the CRM is killed meanwhile', async () => {
    const { port } = service;
    await service.close();
    const crm = story.crmProgram;
    await offer();
    await crm.line(/push: localhost:\d+ .*again in 5 s/);
    await crm.kill();
    await service.open(port);
    await story.serveCrm();
    const push = await service.next();
    assert.equal(browser.read(push).kind, 'offer');
  });

  it('forgets a browser that the push service does not know any more', async () => {
    service.status = 410;
    await offer();
    await service.next();
    await story.until(async () => (await me()).on === false, 'it is forgotten');
    service.status = 201;
  });

  it('ends with the device', async () => {
    assert.equal((await phone.ask('POST', '/v1/push', browser.subscription)).status, 204);
    assert.equal((await phone.ask('DELETE', '/v1/session')).status, 204);
    const other = await story.device('c-paul', 'Other');
    const second = new FakeBrowser(service, 'two');
    assert.equal((await other.ask('POST', '/v1/push', second.subscription)).status, 204);
    await offer();
    assert.equal((await service.next()).path, '/push/two');
    assert.equal(service.got.length, 0);
  });

  it('leaves nothing of anybody in the log', () => {
    const log = readFileSync(story.crmProgram.log, 'utf8');
    assert.match(log, /push: ready/);
    for (const secret of [browser.subscription.auth, browser.subscription.p256dh, '/push/one', 'c-paul'])
      assert.ok(!log.includes(secret), secret);
  });
});
