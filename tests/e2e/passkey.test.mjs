// SPDX-License-Identifier: Apache-2.0
// Passkeys in Chromium, with an authenticator that the browser plays, the real CRM and nginx: a customer makes
// one on their phone, and confirms and signs in with it.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Story } from '../../demo/story.mjs';
import { anHourLater } from '../../harness/door.mjs';
import { assertAccessible } from './checks.mjs';
import { bin, kCompany, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

// The lock of a device, and the passkeys that it keeps.
class Lock {
  static async of(page) {
    const lock = new Lock();
    lock.cdp = await page.context().newCDPSession(page);
    await lock.cdp.send('WebAuthn.enable');
    const { authenticatorId } = await lock.cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    lock.authenticatorId = authenticatorId;
    return lock;
  }
  #send(what, more) {
    return this.cdp.send(`WebAuthn.${what}`, { authenticatorId: this.authenticatorId, ...more });
  }
  knows(isUserVerified) {
    return this.#send('setUserVerified', { isUserVerified });
  }
  async passkeys() {
    return (await this.#send('getCredentials')).credentials;
  }
  // As a maker's cloud does it.
  async sync(from) {
    for (const credential of await from.passkeys()) await this.#send('addCredential', { credential });
  }
}

describe('passkeys', { skip: lacks(kCompany) }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-passkey-'));
  let story, pages, phone, lock, laptop, laptopLock;
  const tab = (page, name) => page.getByRole('tab', { name }).click();
  const list = (page) => page.locator('[data-passkeys] li');
  const confirm = () => phone.getByRole('button', { name: 'Confirm with your passkey' });

  before(async () => {
    story = new Story({ dir, bin, host: 'localhost' });
    await story.prepare({ enrol: false });
    pages = await Pages.start(story.stack);
    phone = await pages.phone(await story.link('c-paul'));
    lock = await Lock.of(phone);
  });
  after(async () => {
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(() => assert.deepEqual(pages.problems.splice(0), []));

  it('is made by who has just come in, and listed', async () => {
    await tab(phone, 'My data');
    await phone.getByRole('button', { name: 'Add a passkey' }).click();
    await list(phone).first().waitFor();
    assert.equal(await list(phone).count(), 1);
    const [passkey, ...others] = await lock.passkeys();
    assert.deepEqual([passkey.rpId, passkey.isResidentCredential, others.length], ['localhost', true, 0]);
    // The authenticator knows a name to show, and a handle that says nothing.
    const handle = Buffer.from(passkey.userHandle, 'base64').toString();
    assert.ok(!handle.includes('paul'), handle);
    await pages.screenshot(phone, 'phone-passkeys', { fullPage: true });
    await assertAccessible(phone);
    // A device has one of them.
    await phone.getByRole('button', { name: 'Add a passkey' }).click();
    await phone.getByText('This device has a passkey of yours already').waitFor();
    assert.equal(await list(phone).count(), 1);
  });

  it('hands out all data an hour later, after a finger on the lock', async () => {
    anHourLater(story.database);
    await phone.getByRole('button', { name: 'Download my data' }).click();
    await phone.locator('[data-banner=step-up]').waitFor();
    await phone.getByText('Or open a new link from your shop').waitFor();
    assert.equal(await phone.locator('[data-key-problem]').count(), 0);
    await pages.screenshot(phone, 'phone-step-up');
    await assertAccessible(phone);
    const downloading = phone.waitForEvent('download');
    await confirm().click();
    const data = JSON.parse(readFileSync(await (await downloading).path(), 'utf8'));
    assert.equal(data.customer, 'c-paul');
    assert.equal(data.passkeys.length, 1);
    await phone.locator('[data-banner=step-up]').waitFor({ state: 'detached' });
    await list(phone)
      .getByText(/^last used /)
      .waitFor();
  });

  it('hands out nothing to whom the lock does not know, and a link still works', async () => {
    anHourLater(story.database);
    await lock.knows(false);
    await phone.getByRole('button', { name: 'Download my data' }).click();
    await confirm().click();
    await phone.locator('[data-key-problem=cancelled]').waitFor();
    await assertAccessible(phone);
    await phone.goto(await story.link('c-paul'));
    await phone.locator('[data-banner=step-up]').waitFor({ state: 'detached' });
    const downloading = phone.waitForEvent('download');
    await phone.getByRole('button', { name: 'Download my data' }).click();
    await downloading;
    await lock.knows(true);
  });

  it('signs another device of theirs in, from its front page', async () => {
    laptop = await pages.open(`${story.stack.web}/phone/`);
    laptopLock = await Lock.of(laptop);
    await laptop.locator('[data-stage=out]').waitFor();
    await assertAccessible(laptop);
    await pages.screenshot(laptop, 'phone-sign-in-passkey');
    const signIn = laptop.getByRole('button', { name: 'Sign in with a passkey' });
    await laptopLock.knows(false);
    await signIn.click();
    await laptop.locator('[data-key-problem]').waitFor();
    await laptopLock.knows(true);
    await laptopLock.sync(lock);
    await signIn.click();
    await laptop.locator('[data-link=online]').waitFor();
    await tab(laptop, 'My data');
    await laptop.getByText('this device').waitFor();
    assert.equal(await laptop.locator('.devices li[data-here]').count(), 2);
    const [{ name, httpOnly, secure, sameSite }] = await laptop.context().cookies();
    assert.deepEqual([name, httpOnly, secure, sameSite], ['__Host-welcome', true, true, 'Strict']);
  });

  it('opens nothing any more once it is removed, on any device', async () => {
    await list(phone).getByRole('button', { name: 'Remove' }).click();
    await list(phone).waitFor({ state: 'detached' });
    await list(laptop).waitFor({ state: 'detached' });
    await laptop.getByRole('button', { name: 'Sign out', exact: true }).last().click();
    await laptop.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await laptop.getByText('This passkey is not known any more').waitFor();
    assert.deepEqual(await laptop.context().cookies(), []);
    await laptop.context().close();
    // And where there is none, only a link confirms.
    anHourLater(story.database);
    await phone.getByRole('button', { name: 'Download my data' }).click();
    await phone.locator('[data-banner=step-up]').waitFor();
    assert.equal(await confirm().count(), 0);
  });

  it('confirms that it is them who want to be forgotten, and goes with them', async () => {
    await phone.goto(await story.link('c-paul'));
    await phone.locator('[data-banner=step-up]').waitFor({ state: 'detached' });
    await phone.getByRole('button', { name: 'Add a passkey' }).click();
    await list(phone).first().waitFor();
    anHourLater(story.database);
    await phone.getByRole('button', { name: 'Forget me' }).click();
    await phone.getByRole('button', { name: 'Yes, forget me' }).click();
    await confirm().click();
    await phone.getByRole('heading', { name: 'You are forgotten' }).waitFor(); // no box was ever here
    await assert.rejects(story.crm('passkey', 'list', 'c-paul'));
  });
});
