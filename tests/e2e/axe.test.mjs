// SPDX-License-Identifier: Apache-2.0
// Every state of the tablet's page by axe, WCAG 2.2 AA: light and dark, left to right and right to left.

import { after, before, describe, it } from 'node:test';
import { kPin } from '../../demo/story.mjs';
import { assertAxe } from './checks.mjs';
import { Stage } from './stage.mjs';

describe('the tablet by axe', () => {
  let stage, pages, box;
  before(async () => {
    stage = await Stage.start();
    ({ pages, box } = stage);
  });
  after(() => stage?.stop());

  for (const [locale, colorScheme] of [
    ['en-GB', 'light'],
    ['ar', 'dark'],
    ['de-DE', 'dark'],
  ])
    it(`finds nothing in any state, ${locale}, ${colorScheme}`, async () => {
      const size = { width: locale === 'de-DE' ? 360 : 1280, height: 800 };
      const options = { locale, colorScheme, viewport: size, reducedMotion: 'reduce' };
      const check = (state) =>
        assertAxe(page).catch((error) => {
          error.message = `${state}: ${error.message}`;
          throw error;
        });
      let page = await pages.open(`${pages.stack.web}/tablet/`, options);
      await page.locator('[name=account]').waitFor();
      await check('registering');
      await page.context().close();

      page = await pages.open(pages.stack.tabletLink('tablet-2'), options);
      await page.locator('.people').waitFor();
      await check('who are you');
      await page.locator('.people button', { hasText: 'Tom' }).click();
      await page.locator('[name=pin]').fill('000000');
      await page.locator('.pad .primary').click();
      await page.locator('[data-refused=wrong_pin]').waitFor();
      await check('a wrong PIN');
      await page.locator('[name=pin]').fill(kPin);
      await page.locator('.pad .primary').click();
      await page.locator('[data-floor=nobody]').waitFor();
      await check('nobody is here');

      await page.locator('.bar-menu summary').click();
      await page.locator('[data-open=lead]').waitFor();
      await check('the menu of who is signed in');
      await page.locator('[data-open=lead]').click();
      await page.locator('.numbers').waitFor();
      await check('for whoever leads the shop');
      await page.locator('[data-function=prompts] button').click();
      await page.locator('[data-function=prompts] .chips').waitFor();
      await check('why it is paused');
      await page.locator('.manage-top button').click();
      await page.locator('[data-floor=nobody]').waitFor();
      await page.locator('.bar-menu summary').click();
      await page.locator('[data-open=technician]').click();
      await page.locator('[data-light=radio]').waitFor();
      await page.locator('[data-walk]').click();
      await page.locator('.signal').first().waitFor();
      await page.locator('[data-restart=ask]').click();
      await page.locator('[data-restart=now]').waitFor();
      await check('for a technician');
      await page.locator('.manage-top button').click();
      await page.locator('[data-floor=nobody]').waitFor();

      await box.status({ link: 'down', paused: ['face'], trouble: ['radio'], rehearsal: true });
      for (let i = 0; i < 8; ++i)
        await box.prompt(`v-${i}`, {
          greet: { name: `Guest ${i}`, greeting: `Ms ${i}` },
          rehearsal: i === 1,
          preferences: i === 2 ? [{ key: 'allergy', text: 'nuts', source: 'staff', confirmed: 1 }] : [],
          ...(i === 3 ? { state: 'claimed', claimed_by: 'tom' } : {}),
          ...(i === 4 ? { state: 'claimed', claimed_by: 'eva' } : {}),
          ...(i === 5 ? { state: 'served', claimed_by: 'tom' } : {}),
        });
      await box.leaveShop('v-6');
      await page.locator('.card.fresh').first().waitFor();
      await page.locator('[data-group=served] summary').click();
      await page.locator('[data-group=gone] summary').click();
      await check('a full floor');
      for (const visit of ['v-2', 'v-3', 'v-6']) {
        await page.locator(`[data-visit=${visit}] .card-open`).evaluate((one) => one.click()); // by keys: no tap counts while cards move
        await page.locator(`[data-sheet=${visit}]`).waitFor();
        await check(`details of ${visit}`);
        await page.keyboard.press('Escape');
      }
      await page.locator('[data-visit=v-3] .next').evaluate((one) => one.click());
      await page.locator('.toast').waitFor();
      await check('a tap that can be taken back');

      await page.locator('.bar button:has(path[d^="M12 5v14"])').click();
      await page.locator('[name=customer]').fill('c-paul');
      await check('enrolment: the number');
      await page.locator('form .primary').click();
      await page.locator('.enrol-check .primary').click();
      await page.locator('[name=face_recognition]').check();
      await check('enrolment: the choices');
      await page.locator('.actions .primary').click();
      await page.locator('[name=how]').last().check();
      await check('enrolment: how it is confirmed');
      await page.locator('[name=how]').first().check();
      await page.locator('.actions .primary').click();
      await page.locator('.enrol-camera').waitFor();
      const { session } = box.enrolments.all.at(-1);
      await box.enrolment(session, { kind: 'guide', hint: 'turn_left', views: 1, views_needed: 3 });
      await page.locator('.ring.turn_left').waitFor();
      await check('enrolment: the camera');
      await box.enrolment(session, { kind: 'failed', cause: 'too_dark', reason: 'x' });
      await page.locator('.enrol-failed').waitFor();
      await check('enrolment: failed');
      await page.locator('.enrol-failed .primary').click();
      await page.locator('.enrol-camera').waitFor();
      await box.enrolment(session, { kind: 'done', views: 3 });
      await page.locator('.enrol-done').waitFor();
      await check('enrolment: done');
      await page.locator('.enrol-done .primary').click();

      for (const visit of [...box.prompts.keys()]) await box.endVisit(visit);
      await box.status();
      await page.locator('.bar .button').last().click();
      await page.locator('.people').waitFor();
      await page.context().close();
    });
});
