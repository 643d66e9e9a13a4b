// SPDX-License-Identifier: Apache-2.0
// Makes the pictures of the pages in docs/images: `node console/screenshots.mjs` after `npm run build`.
// The guests are invented; a fake box publishes them on real brokers, and the real CRM has the customer.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Story } from '../demo/story.mjs';
import { FakeBox, FakeEvents } from '../tests/e2e/fakes.mjs';
import { Pages } from '../tests/e2e/pages.mjs';

const kImages = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../docs/images');

// Times of today, so that the pictures change only when the pages do.
const today = (hour, minute) => new Date(new Date().setHours(hour, minute, 0, 0)).toISOString();
const kTablet = { viewport: { width: 1280, height: 800 } };
const kPhone = { viewport: { width: 390, height: 760 }, deviceScaleFactor: 1.5 };

// A palette of 96 colours: a third of the bytes, and no difference to be seen.
const kPalette =
  'split[a][b];[a]palettegen=max_colors=96:reserve_transparent=0[p];[b][p]paletteuse=dither=none';
const kSmall = ['-v', 'error', '-y', '-f', 'png_pipe', '-i', '-', '-vf', kPalette];

const kCampaign = {
  campaign: 'k-picture',
  name: 'Picture',
  trigger: { on: 'pass_by' },
  code: 'AROMA-7F3K',
  variants: [
    {
      id: 'a',
      title: { en: 'An espresso on us' },
      text: {
        en: 'Hello Mr Moreau, the new single origin from Huila is open. Your first cup is on us this morning.',
      },
    },
  ],
};

const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-pictures-'));
const story = new Story({ dir });
await story.prepare({ enrol: false });
const pages = await Pages.start(story.stack);
try {
  mkdirSync(kImages, { recursive: true });
  const shoot = async (page, name) => {
    const input = await page.screenshot({ animations: 'disabled' });
    execFileSync('ffmpeg', [...kSmall, path.join(kImages, `${name}.png`)], { input });
  };
  const box = await FakeBox.start(pages.stack);
  const events = await FakeEvents.start(pages.stack);

  await box.status({ in_store: 2 });
  await box.prompt('v-paul', { since: today(9, 41), next_reward_points: 1500 });
  await box.prompt('v-mia', {
    level: 'present',
    by: ['phone'],
    greet: { name: 'Mia Lindqvist', greeting: 'Mia', pronunciation: 'LIND-kvist' },
    tier: 'silver',
    points: 310,
    headline: 'Mia Lindqvist may be here',
    preferences: [
      { key: 'drink', text: 'flat white, oat milk', detail: 'confirmed six times, last in October' },
      { key: 'address', text: 'first name', detail: 'her own wish' },
    ],
    suggest: { kind: 'ask', value: 'flat white, oat milk' },
    last_conversation: { text: 'Looking for a quiet corner to write in.', at: '2026-10-29T09:00:00Z' },
    suggestion: 'The table by the bookshelf is free.',
    avoid: [],
    zone: 'inside',
    since: today(9, 44),
    state: 'claimed',
    claimed_by: 'tom',
  });
  const tablet = await pages.tablet('tablet-1', 'Eva', kTablet);
  await tablet.locator('[data-visit=v-paul]').getByRole('button', { name: 'I’ll go' }).click();
  await tablet.getByText('You are with this guest').first().waitFor();
  await tablet.locator('[data-visit=v-paul] .card-open').click();
  await tablet.evaluate(() => scrollTo(0, 0));
  await shoot(tablet, 'tablet');

  await pages.enrol(tablet, 'c-ann');
  await tablet.getByRole('switch', { name: 'Staff may know me' }).click();
  await shoot(tablet, 'enrolment');

  writeFileSync(path.join(dir, 'picture.json'), JSON.stringify({ campaigns: [kCampaign] }));
  await story.crm('import', path.join(dir, 'picture.json'));
  await events.arrive('c-paul', 'v-paul');
  const lasts = Date.parse(today(23, 59)) - Date.now();
  await events.offer('c-paul', 'v-paul', 'k-picture', 'a', lasts);
  const phone = await pages.phone(await story.link('c-paul'), kPhone);
  await phone.getByRole('button', { name: 'Show the code' }).click();
  await phone.evaluate(() => scrollTo(0, 0));
  await shoot(phone, 'phone-offer');
  await phone.getByRole('tab', { name: 'My choices' }).click();
  await phone.getByRole('heading', { name: 'My choices' }).scrollIntoViewIfNeeded();
  await phone.evaluate(() => scrollTo(0, document.querySelector('.choices').offsetTop - 16));
  await shoot(phone, 'phone-choices');
  box.stop();
  events.stop();
} finally {
  await pages.stop();
  await story.stop();
  rmSync(dir, { recursive: true, force: true });
}
