// SPDX-License-Identifier: Apache-2.0
// The tablet in Chromium, for somebody who does not look at it: how many are new, at title and icon, and a screen that is
// awake from sign-in to sign-out.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Stage } from './stage.mjs';

describe('a tablet that nobody looks at', () => {
  let stage, box, tablet;
  const told = () => tablet.evaluate(() => globalThis.told);
  // The page's rules forbid what Playwright would wait with.
  const title = (text) =>
    tablet.evaluate(
      (wanted) =>
        new Promise((resolve, reject) => {
          const late = setTimeout(() => reject(new Error(`the title is ${document.title}`)), 10000);
          const look = () => {
            if (document.title !== wanted) return;
            clearTimeout(late);
            watching.disconnect();
            resolve();
          };
          const watching = new MutationObserver(look);
          watching.observe(document.head, { subtree: true, childList: true, characterData: true });
          look();
        }),
      text,
    );

  before(async () => {
    stage = await Stage.start();
    ({ box } = stage);
    tablet = await stage.pages.tablet('tablet-1', '');
    // What the page asks the browser for. A headless browser has neither icon nor screen.
    await tablet.addInitScript(() => {
      globalThis.told = { badges: [], awake: 0, asked: 0 };
      navigator.setAppBadge = async (n) => void globalThis.told.badges.push(n);
      navigator.clearAppBadge = async () => void globalThis.told.badges.push(0);
      const request = async () => {
        globalThis.told.asked++;
        globalThis.told.awake++;
        const lock = {
          released: false,
          release: async () => {
            if (!lock.released) globalThis.told.awake--;
            lock.released = true;
          },
        };
        return lock;
      };
      Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    });
    await tablet.reload();
  });
  after(() => stage?.stop());

  it('lets the screen sleep while nobody is signed in, and tells nothing of who is there', async () => {
    await box.prompt('v-1');
    await tablet.getByRole('button', { name: 'Eva', exact: true }).waitFor();
    assert.deepEqual(await told(), { badges: [0], awake: 0, asked: 0 });
    assert.equal(await tablet.title(), 'Welcome desk');
  });

  it('counts who is new until somebody has looked, and keeps the screen awake', async () => {
    await stage.pages.signIn(tablet, 'Eva');
    await title('(1) Welcome desk');
    await box.prompt('v-2', { greet: { name: 'Mia', greeting: 'Ms Laurent' } });
    await title('(2) Welcome desk');
    await tablet.locator('.card[data-visit="v-1"] .card-open').click();
    await title('(1) Welcome desk');
    assert.deepEqual(await told(), { badges: [0, 1, 2, 1], awake: 1, asked: 1 });
    await box.endVisit('v-2');
    await title('Welcome desk');
  });

  it('lets the screen sleep when they have signed out', async () => {
    await tablet.keyboard.press('Escape');
    await box.prompt('v-3');
    await title('(1) Welcome desk');
    await tablet.getByRole('button', { name: 'Sign out' }).click();
    await title('Welcome desk');
    const { badges, awake } = await told();
    assert.deepEqual([badges.at(-1), awake], [0, 0]);
    assert.deepEqual(stage.pages.problems, []);
  });
});
