// SPDX-License-Identifier: Apache-2.0
// How the tablet is noticed by somebody who does not look: the number at title and icon, the screen that stays awake
// while somebody works with it and not a moment longer, and the sound.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { load } from './browser.mjs';

const settled = () => new Promise((resolve) => setImmediate(resolve));

// In place of the browser's own.
class FakeScreen {
  locks = []; // asked for, in order
  problem = null;
  waits = []; // answers that the test holds back
  holdsBack = false;
  request = async (kind) => {
    if (this.problem) throw this.problem;
    const lock = { kind, released: false, release: async () => void (lock.released = true) };
    this.locks.push(lock);
    if (this.holdsBack) await new Promise((answer) => this.waits.push(answer));
    return lock;
  };
  get awake() {
    return this.locks.filter((lock) => !lock.released).length;
  }
}

let alert, screen, badges, heard, page;
const { Alert } = await load('tablet/alert.ts');

beforeEach(() => {
  [screen, badges, heard, page] = [new FakeScreen(), [], [], { visibilityState: 'visible', title: '' }];
  const listeners = new Map();
  page.addEventListener = (name, then) => listeners.set(name, then);
  page.removeEventListener = (name) => listeners.delete(name);
  page.show = (state) => {
    page.visibilityState = state;
    // A browser lets go of a lock by itself when the page is not seen.
    if (state === 'hidden') for (const lock of screen.locks) lock.released = true;
    return listeners.get('visibilitychange')?.();
  };
  globalThis.document = page;
  Object.assign(navigator, {
    wakeLock: screen,
    setAppBadge: async (n) => void badges.push(n),
    clearAppBadge: async () => void badges.push(0),
  });
  globalThis.AudioContext = class {
    state = 'running';
    currentTime = 0;
    destination = {};
    createOscillator = () => {
      const tone = {
        frequency: {},
        connect: (next) => next,
        start: () => heard.push(tone.frequency.value),
        stop() {},
      };
      return tone;
    };
    createGain = () => {
      const ramp = () => {};
      const gain = {
        setValueAtTime: ramp,
        linearRampToValueAtTime: ramp,
        exponentialRampToValueAtTime: ramp,
      };
      return { gain, connect: () => {} };
    };
  };
  localStorage.removeItem('welcome.sound');
  alert = new Alert();
});

describe('the number of who is new', () => {
  it('is at the title and at the icon', () => {
    alert.count(2, 'Welcome desk');
    assert.equal(page.title, '(2) Welcome desk');
    alert.count(0, 'Welcome desk');
    assert.equal(page.title, 'Welcome desk');
    assert.deepEqual(badges, [2, 0]);
  });

  it('is said once, however often the page is drawn, and in the language of now', () => {
    for (const title of ['Welcome desk', 'Welcome desk', 'Empfang']) alert.count(1, title);
    assert.equal(page.title, '(1) Empfang');
    assert.deepEqual(badges, [1]);
  });

  it('is no trouble where there is no icon, or none that takes it', async () => {
    navigator.setAppBadge = () => Promise.reject(new Error('not installed'));
    alert.count(1, 'Welcome desk');
    await settled();
    delete navigator.setAppBadge;
    delete navigator.clearAppBadge;
    alert.count(2, 'Welcome desk');
    alert.count(0, 'Welcome desk');
    assert.equal(page.title, 'Welcome desk');
  });
});

describe('the screen', () => {
  it('stays awake while somebody is signed in', async () => {
    alert.keepAwake(true);
    await settled();
    assert.deepEqual([screen.awake, screen.locks[0].kind], [1, 'screen']);
    alert.keepAwake(false);
    await settled();
    assert.equal(screen.awake, 0);
    await page.show('visible');
    assert.equal(screen.locks.length, 1, 'nobody is signed in');
  });

  it('stays awake again when the page is seen again', async () => {
    alert.keepAwake(true);
    await settled();
    await page.show('hidden');
    assert.equal(screen.awake, 0);
    await page.show('visible');
    assert.equal(screen.awake, 1);
  });

  it('is kept awake by one lock, whatever the browser says how often', async () => {
    alert.keepAwake(true);
    await settled();
    await page.show('visible');
    await page.show('visible');
    assert.equal(screen.locks.length, 1);
    alert.keepAwake(false);
    await settled();
    assert.equal(screen.awake, 0);
  });

  it('goes to sleep when they signed out before the browser had answered', async () => {
    screen.holdsBack = true;
    alert.keepAwake(true);
    await settled();
    alert.keepAwake(false);
    screen.waits.forEach((answer) => answer());
    await settled();
    assert.equal(screen.awake, 0);
    // Nor do two answers at once leave one behind.
    alert.keepAwake(true);
    void page.show('visible');
    await settled();
    screen.waits.forEach((answer) => answer());
    await settled();
    assert.equal(screen.awake, 1);
    alert.keepAwake(false);
    await settled();
    assert.equal(screen.awake, 0);
  });

  it('sleeps as the tablet has it where the browser does not let it stay awake', async () => {
    screen.problem = new Error('the battery is low');
    alert.keepAwake(true);
    await settled();
    alert.keepAwake(false);
    delete navigator.wakeLock;
    alert.keepAwake(true);
    await settled();
    alert.keepAwake(false);
  });
});

describe('the sound', () => {
  it('is one for a bus full of guests, and none when it is off', () => {
    let now = 10000;
    Object.defineProperty(performance, 'now', { value: () => now, configurable: true });
    alert.arrival();
    alert.arrival();
    assert.deepEqual(heard, [659.25, 880]);
    now += 3000;
    alert.arrival();
    assert.equal(heard.length, 4);
    alert.setSound(false);
    now += 3000;
    alert.arrival();
    assert.equal(heard.length, 4);
    assert.equal(new Alert().sound, false, 'the tablet remembers it');
  });
});
