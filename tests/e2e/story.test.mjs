// SPDX-License-Identifier: Apache-2.0
// The demo's story on the real programs, seen through both pages: what welcomed and welcome-crm send
// is what staff and customer read, and what staff tap reaches the next visit.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Story } from '../../demo/story.mjs';
import { assertAccessible } from './checks.mjs';
import { bin, kCompany, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

const skip = lacks(kCompany, ['build/demo/scene.mp4', 'build/models/models.json']);
const kPatience = { timeout: 120e3 };

describe('the story on both pages', { skip }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-story-'));
  let story, pages, tablet, phone, playing, firstVisit;
  const paul = () => tablet.locator('.card', { hasText: 'Moreau' }).first();

  before(async () => {
    story = new Story({ dir, bin, speed: 4 });
    await story.prepare();
    pages = await Pages.start(story.stack);
    tablet = await pages.tablet('tablet-2', null);
    phone = await pages.phone(await story.link('c-paul'));
    playing = story.play();
    playing.catch(() => {}); // the story is left before its end
    await story.until(() => story.daemon, 'the box is there');
    await pages.signIn(tablet, 'Eva');
  });
  after(async () => {
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('brings the offer to the phone of the one who walks by', async () => {
    const offer = phone.locator('.offer').first();
    await offer.waitFor(kPatience);
    await assertAccessible(phone);
    await pages.screenshot(phone, 'story-phone');
    await offer.getByRole('button').first().click();
  });

  it('shows who came in, first by phone, then confirmed by the face', async () => {
    await paul().getByText('phone + face').waitFor(kPatience);
    firstVisit = await paul().getAttribute('data-visit');
    await paul().getByText('You are with this guest').waitFor(kPatience);
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'story-tablet');
  });

  it('shows the choices that the CRM holds', async () => {
    await phone.getByRole('tab', { name: 'My choices' }).click();
    await phone.getByText('You decide what we may do').waitFor(kPatience);
    assert.equal(await phone.getByRole('switch', { checked: true }).count(), 5);
  });

  it('starts the next visit from the note that staff wrote', async () => {
    const next = tablet.locator(`.card:not([data-visit="${firstVisit}"])`, { hasText: 'Moreau' });
    await next.waitFor(kPatience);
    await tablet.waitForTimeout(450); // a tap at the moment when cards move is nobody's
    await next.locator('.card-open').click();
    await tablet.locator('.sheet').getByText('Ethiopian beans').waitFor(kPatience);
    await pages.screenshot(tablet, 'story-again');
    assert.deepEqual(pages.problems, []);
  });
});
