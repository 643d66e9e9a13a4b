// SPDX-License-Identifier: Apache-2.0
// Who uses a tablet, on the real programs: staff that head office entered, PINs, two persons on one tablet, and
// somebody who leaves.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Story, kPin } from '../../demo/story.mjs';
import { assertAccessible } from './checks.mjs';
import { bin, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

const skip = lacks(['welcomed', 'welcome-crm', 'welcomectl'], ['build/models/models.json']);
const kPatience = { timeout: 30e3 };

describe('who uses a tablet', { skip }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-sign-in-'));
  let story, pages, tablet;
  const tile = (name) => tablet.getByRole('button', { name, exact: true });
  const signOut = () => tablet.getByRole('button', { name: 'Sign out' }).click();
  const desk = () => tablet.locator('.bar').waitFor(kPatience);
  const trail = async () =>
    (await story.ctl('audit', 'show')).map(({ kind, actor, detail }) => `${kind} ${actor} ${detail}`);

  before(async () => {
    story = new Story({ dir, bin });
    await story.prepare({ enrol: null });
    await story.crm('staff', 'add', 'new', '--name', 'Newcomer', '--store', story.stack.store);
    pages = await Pages.start(story.stack);
    tablet = await pages.tablet('tablet-1', null);
    await story.startDaemon();
  });
  after(async () => {
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('shows the staff of this store, and who has no PIN yet, at every size', async () => {
    await tile('Eva').waitFor(kPatience);
    await tile('Tom').waitFor();
    assert.ok(await tablet.getByRole('button', { name: /Newcomer/ }).isDisabled());
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 800, height: 1280 },
      { width: 600, height: 960 },
    ]) {
      await tablet.setViewportSize(viewport);
      await assertAccessible(tablet);
      await pages.screenshot(tablet, `sign-in-names-${viewport.width}`);
      await tile('Eva').click();
      await assertAccessible(tablet);
      await pages.screenshot(tablet, `sign-in-pin-${viewport.width}`);
      await tablet.getByRole('button', { name: 'Somebody else' }).click();
    }
    await tablet.setViewportSize({ width: 1280, height: 800 });
  });

  it('says what is wrong with a PIN, and lets in with the right one', async () => {
    await tile('Eva').click();
    await pages.enterPin(tablet, '1111');
    await tablet.getByText('4 more tries').waitFor(kPatience);
    await pages.enterPin(tablet, kPin);
    await desk();
    await tablet.locator('.bar-staff', { hasText: 'Eva' }).waitFor();
    await assertAccessible(tablet);
    assert.ok((await trail()).includes('sign_in staff:eva tablet-1'));
  });

  it('takes a PIN from the keyboard alone, and the next person after the one before', async () => {
    await signOut();
    await tile('Tom').focus();
    await tablet.keyboard.press('Enter');
    await tablet.keyboard.type(kPin);
    await tablet.keyboard.press('Enter');
    await desk();
    await tablet.locator('.bar-staff', { hasText: 'Tom' }).waitFor();
    assert.ok((await trail()).includes('sign_out staff:eva tablet-1'));
  });

  it('stays signed in when the box starts again', async () => {
    await story.stack.program('welcomed').kill();
    await story.startDaemon();
    await tablet.locator('.bar-staff', { hasText: 'Tom' }).waitFor();
    await pages.enrol(tablet, 'c-mia');
    await tablet.getByRole('switch', { name: 'Staff may know me' }).click();
    await pages.agree(tablet);
    await tablet.getByText('All done. Welcome!').waitFor(kPatience);
    assert.ok((await trail()).includes('consent staff:tom preference_prompts given'));
    await tablet.getByRole('button', { name: 'Hand the tablet back' }).click();
  });

  it('is cut off when head office says so, also when the tablet was off line meanwhile', async () => {
    await tablet.context().setOffline(true);
    await story.stack.program('nginx').stop();
    await tablet.locator('[data-banner=lost]').waitFor(kPatience);
    await story.crm('staff', 'remove', 'tom');
    await story.until(
      async () => (await trail()).includes('sign_out staff:tom tablet-1: left'),
      'the box has heard it',
    );
    await story.stack.startNginx();
    await tablet.context().setOffline(false);
    await tablet.locator('[data-ended=left]').waitFor(kPatience);
    assert.equal(await tile('Tom').count(), 0);
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'sign-in-left');
    assert.deepEqual(pages.problems, []);
  });

  it('makes a guesser wait, and says how long', async () => {
    await tile('Eva').click();
    for (let i = 0; i < 5; ++i) {
      await pages.enterPin(tablet, `222${i}`);
      await tablet.locator('[data-refused=wrong_pin]').waitFor(kPatience);
    }
    await tablet.getByText('Too many wrong PINs').waitFor();
    await pages.enterPin(tablet, kPin);
    await tablet.locator('[data-refused=wait]').waitFor(kPatience);
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'sign-in-wait');
  });

  it('is registered once, by the code that a technician shows, and is revoked at once', async () => {
    const { stack } = story;
    const files = ['--broker-files', stack.brokerFiles('floor')];
    const { link } = await story.ctl('tablet', 'add', 'bar-1', ...files, '--page', `${stack.web}/tablet/`);
    stack.accounts['bar-1'] = link.split(':').at(-1);
    await stack.reloadBroker('floor', 'bar-1');
    const bar = await pages.open(link, { viewport: { width: 1024, height: 768 } });
    await bar.getByRole('heading', { name: 'Who are you?' }).waitFor(kPatience);
    assert.ok(!bar.url().includes('#'));
    await bar.reload();
    await bar.getByRole('heading', { name: 'Who are you?' }).waitFor(kPatience);
    await story.ctl('tablet', 'revoke', 'bar-1', ...files);
    stack.program('mosquitto-floor').signal('SIGHUP');
    await bar.getByText('This tablet is not registered').waitFor(kPatience);
    await assertAccessible(bar);
    await bar.context().close();
  });
});
