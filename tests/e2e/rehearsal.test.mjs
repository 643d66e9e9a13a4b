// SPDX-License-Identifier: Apache-2.0
// A rehearsal on the real programs: new staff practise on invented guests, and nothing of it leaves
// the floor.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Story } from '../../demo/story.mjs';
import { assertAccessible } from './checks.mjs';
import { bin, kCompany, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

const kPatience = { timeout: 60e3 };

describe('a rehearsal', { skip: lacks(kCompany, ['build/models/models.json']) }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-rehearsal-'));
  let story, pages, tablet, daemon;
  const banner = () => tablet.locator('[data-banner=rehearsal]');
  const card = () => tablet.locator('.card').first();
  const nobody = () => tablet.getByText('Nobody to greet right now').waitFor(kPatience);

  before(async () => {
    story = new Story({ dir, bin });
    await story.prepare({ enrol: null });
    pages = await Pages.start(story.stack);
    tablet = await pages.tablet('tablet-1', null);
    daemon = await story.startDaemon();
    await pages.signIn(tablet, 'Eva');
    await tablet.locator('[data-link=online]').waitFor(kPatience);
  });
  after(async () => {
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('shows invented guests, and says so', async () => {
    await story.ctl('rehearse', 'start');
    await banner().waitFor(kPatience);
    await card().waitFor(kPatience);
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'rehearsal');
  });

  it('takes what staff do, as with real guests', async () => {
    const visit = await card().getAttribute('data-visit');
    const same = tablet.locator(`.card[data-visit="${visit}"]`);
    await same.getByText('Invented, for practice').waitFor();
    await same.getByRole('button', { name: /^I’ll go: / }).click();
    await same.getByText('You are with this guest').waitFor(kPatience);
  });

  it('goes on after the box was killed only when it is started again', async () => {
    await daemon.kill();
    daemon = await story.startDaemon();
    await nobody();
    assert.equal(await banner().count(), 0);
    await story.ctl('rehearse', 'start');
    await card().waitFor(kPatience);
  });

  it('ends at once, and the CRM has heard nothing of it', async () => {
    await story.ctl('rehearse', 'stop');
    await nobody();
    await banner().waitFor({ state: 'detached', ...kPatience });
    await story.until(async () => (await story.ctl('status')).outbox.uplink === 0, 'all was sent');
    const { stdout } = await story.crm('--json', 'ledger');
    const types = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).type);
    assert.deepEqual(
      types.filter((type) => !type.includes('health')),
      [],
    );
    assert.deepEqual(await story.ctl('visits'), []);
    assert.deepEqual(await story.ctl('decisions'), []);
    assert.deepEqual(pages.problems, []);
  });
});
