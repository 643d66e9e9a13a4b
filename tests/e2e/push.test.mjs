// SPDX-License-Identifier: Apache-2.0
// The customer's page while it is closed, or without a line, in Chromium with the real CRM: what is pushed is shown
// by its worker, and the page opens without any of its data being kept.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Story } from '../../demo/story.mjs';
import { assertAccessible } from './checks.mjs';
import { FakeBrowser, FakePushService } from './fake-push.mjs';
import { FakeEvents } from './fakes.mjs';
import { bin, kCompany, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

// Chromium asks its maker for a subscription, who is not there.
const fakeSubscribe = (subscription) => {
  const { endpoint, p256dh, auth } = subscription;
  let fake = null;
  PushManager.prototype.subscribe = async ({ applicationServerKey }) =>
    (fake = {
      options: { applicationServerKey: applicationServerKey.buffer },
      toJSON: () => ({ endpoint, keys: { p256dh, auth } }),
      unsubscribe: async () => (fake = null),
    });
  PushManager.prototype.getSubscription = async () => fake;
};

describe('a closed page', { skip: lacks(kCompany) }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-push-'));
  let story, pages, page, service, browser, events, cdp, registrationId;
  const notices = () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      return (await registration.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }));
    });
  // What is shown, and then taken away.
  const told = async () => {
    await story.until(async () => (await notices()).length > 0, 'something is shown');
    const all = await notices();
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      for (const one of await registration.getNotifications()) one.close();
    });
    await story.until(async () => (await notices()).length === 0, 'it is gone');
    return all;
  };
  // What the browser does with what its push service brings.
  const deliver = (push) =>
    cdp.send('ServiceWorker.deliverPushMessage', {
      origin: story.stack.web,
      registrationId,
      data: typeof push === 'string' ? push : JSON.stringify(browser.read(push)),
    });
  const offer = () => events.offer('c-paul', 'v-push', 'k-espresso', 'a');

  before(async () => {
    service = new FakePushService(dir);
    await service.open();
    browser = new FakeBrowser(service, 'one');
    story = new Story({ dir, bin, host: 'localhost', crmEnv: { SSL_CERT_FILE: service.certificate } });
    await story.prepare({ enrol: false });
    const known = ['--service', `localhost:${service.port}`];
    await story.crm('push', 'on', '--contact', 'mailto:it@aroma.example', ...known);
    pages = await Pages.start(story.stack);
    page = await pages.phone(await story.link('c-paul'), { permissions: ['notifications'] });
    cdp = await page.context().newCDPSession(page);
    const registered = new Promise((resolve) =>
      cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
        if (registrations.length > 0) resolve(registrations[0].registrationId);
      }),
    );
    await cdp.send('ServiceWorker.enable');
    registrationId = await registered;
    await page.evaluate(fakeSubscribe, browser.subscription);
    events = await FakeEvents.start(story.stack);
    await events.arrive('c-paul', 'v-push');
  });
  after(async () => {
    events?.stop();
    await pages?.stop();
    await story?.stop();
    await service?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(() => assert.deepEqual(pages.problems.splice(0), []));

  it('is told after one tap, and says of an offer only that there is one', async () => {
    await page.getByRole('tab', { name: 'My data' }).click();
    await page.getByRole('button', { name: 'Tell me on this device' }).click();
    await page.locator('[data-notices=on]').waitFor();
    await assertAccessible(page);
    await offer();
    await deliver(await service.next());
    const [notice] = await told();
    assert.equal(notice.title, 'There is an offer for you');
    assert.equal(notice.body, 'Open the page to see it.');
  });

  it('shows the words for who ticks that', async () => {
    await page.getByRole('switch', { name: 'The lock screen may show what it says' }).click();
    await page.locator('[data-notices=on] input:checked:enabled').waitFor();
    await offer();
    await deliver(await service.next());
    const [notice] = await told();
    assert.match(notice.title, /espresso/);
  });

  it('shows the same once, and something for what nobody can read', async () => {
    await offer();
    const push = await service.next();
    await deliver(push);
    await deliver(push);
    assert.equal((await told()).length, 1);
    await deliver('not JSON');
    assert.equal((await told())[0].title, 'There is an offer for you');
  });

  it('is told no more after another tap', async () => {
    await page.getByRole('button', { name: 'Tell me no more' }).click();
    await page.getByRole('button', { name: 'Tell me on this device' }).waitFor();
    assert.equal((await (await story.device('c-paul', 'Other')).ask('GET', '/v1/me')).body.push.on, false);
  });

  it('opens without a line, and keeps nothing of what the door said', async () => {
    await page.context().setOffline(true);
    await page.reload();
    await page.getByRole('tab', { name: 'My choices' }).waitFor();
    await page.context().setOffline(false);
    const kept = await page.evaluate(async () => {
      const urls = [];
      for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) urls.push(new URL(url).pathname);
      return urls;
    });
    assert.ok(kept.includes('/phone/'));
    assert.deepEqual(
      kept.filter((url) => url !== '/phone/' && !url.startsWith('/assets/')),
      [],
    );
  });

  it('can be put on a Home Screen', async () => {
    const { errors } = await cdp.send('Page.getAppManifest');
    assert.deepEqual(errors, []);
    const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors');
    // As every page of a test is.
    const others = installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito');
    assert.deepEqual(others, []);
  });
});
