// SPDX-License-Identifier: Apache-2.0
// How fast the tablet is: its weight, the first view on a slow line and a slow processor, a card after its message, and
// what five thousand arrivals leave behind. Figures of the run are printed.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { kRoot } from '../../harness/places.mjs';
import { examplePrompt } from './fakes.mjs';
import { Stage } from './stage.mjs';

const kScriptBytes = 90e3;
const kFirstViewMs = 1000;
const kPaintedMs = 100;
const kFrames = 60; // a second: what the browser draws at most
const kLeastFrames = 45; // what others on the machine may take is theirs
const kArrivals = 5000;
const kGrowth = 1.5e6; // bytes of heap
// Chromium's "fast 3G".
const kFast3G = {
  offline: false,
  latency: 562.5 / 3.75,
  downloadThroughput: (1.44e6 / 8) * 0.9,
  uploadThroughput: 84375,
};

describe('the tablet’s speed', () => {
  let stage, pages, box, tablet;
  before(async () => {
    stage = await Stage.start();
    ({ pages, box } = stage);
  });
  after(() => stage?.stop());

  it(`has less than ${kScriptBytes / 1e3} kB of script, zipped`, async (t) => {
    const html = await (await fetch(`${pages.stack.web}/tablet/`)).text();
    const scripts = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(([, file]) => file);
    const bytes = scripts.reduce(
      (sum, file) =>
        sum + gzipSync(readFileSync(path.join(kRoot, 'build/console', file)), { level: 9 }).length,
      0,
    );
    t.diagnostic(`${(bytes / 1e3).toFixed(1)} kB in ${scripts.length} files`);
    assert.ok(scripts.length > 0 && bytes < kScriptBytes, `${bytes} bytes`);
  });

  it('shows itself within a second at a quarter of the processor and on fast 3G', async (t) => {
    const context = await pages.browser.newContext();
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send('Network.enable');
    await cdp.send('Network.emulateNetworkConditions', kFast3G);
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    await page.goto(`${pages.stack.web}/tablet/`);
    await page.locator('[name=account]').waitFor();
    const ready = await page.evaluate(() => performance.now());
    const first = await page.evaluate(
      () => performance.getEntriesByName('first-contentful-paint')[0].startTime,
    );
    t.diagnostic(`first contentful paint ${Math.round(first)} ms, to be used ${Math.round(ready)} ms`);
    await context.close();
    assert.ok(first <= kFirstViewMs, `${Math.round(first)} ms`);
  });

  it('paints a card within 100 ms of its message, with fifty guests', async (t) => {
    tablet = await pages.tablet('tablet-1', 'Eva');
    for (let i = 0; i < 50; i++)
      await box.prompt(`v-${i}`, { greet: { name: `Guest ${i}`, greeting: `Ms ${i}` } });
    await tablet.locator('[data-visit="v-49"]').waitFor();
    // The page says when a change of a card has been painted; both clocks are this machine's.
    await tablet.evaluate(() => {
      globalThis.painted = [];
      globalThis.watching = new MutationObserver(() =>
        requestAnimationFrame(() => {
          const said = document.querySelector('[data-visit="v-25"] .tier')?.textContent;
          setTimeout(() => globalThis.painted.push([said, performance.timeOrigin + performance.now()]));
        }),
      );
      globalThis.watching.observe(document.querySelector('#app'), {
        subtree: true,
        childList: true,
        characterData: true,
      });
    });
    // What else runs on the machine makes it slower, and never faster: the best of three rounds counts.
    const rounds = [];
    for (let round = 0; round < 3; round++) rounds.push(await paint(round * 100));
    await tablet.evaluate(() => globalThis.watching.disconnect());
    const [best] = rounds.sort((a, b) => a.p95 - b.p95);
    t.diagnostic(`p50 ${best.p50.toFixed(0)} ms, p95 ${best.p95.toFixed(0)} ms`);
    assert.ok(best.p95 <= kPaintedMs, `p95 ${best.p95.toFixed(0)} ms`);
  });

  async function paint(from) {
    const took = [];
    for (let i = from; i < from + 40; i++) {
      const sent = performance.timeOrigin + performance.now();
      await box.publishPrompt({ ...box.prompts.get('v-25'), tier: `t${i}` });
      const at = await tablet.evaluate(
        (tier) =>
          new Promise((resolve) => {
            const look = () => {
              const found = globalThis.painted.find(([said]) => said === tier);
              found ? resolve(found[1]) : setTimeout(look, 5);
            };
            look();
          }),
        `t${i}`,
      );
      took.push(at - sent);
    }
    took.sort((a, b) => a - b);
    return { p50: took[took.length / 2], p95: took[Math.floor(took.length * 0.95)] };
  }

  // A finger scrolls the floor up and down while up to forty zones a second come in.
  it(`draws close to ${kFrames} frames a second with fifty guests`, async (t) => {
    const rounds = [];
    for (let round = 0; round < 3; round++) rounds.push(await frames(round));
    const [best] = rounds.sort((a, b) => b.rate - a.rate);
    t.diagnostic(
      `${best.rate.toFixed(1)} frames/s, 99 % within ${best.p99.toFixed(1)} ms; ${best.long} of more than 50 ms, the longest ${best.longest.toFixed(0)} ms`,
    );
    assert.ok(best.scrolled > 100, `the floor went ${best.scrolled} px`);
    assert.ok(best.rate >= kLeastFrames, `${best.rate.toFixed(1)} frames/s`);
  });

  async function frames(round) {
    const measured = tablet.evaluate(
      (seconds) =>
        new Promise((resolve) => {
          const at = [];
          const long = [];
          const observer = new PerformanceObserver((list) => long.push(...list.getEntries()));
          observer.observe({ type: 'long-animation-frame' });
          const room = document.documentElement.scrollHeight - innerHeight;
          let scrolled = 0;
          const frame = (now) => {
            at.push(now);
            const passed = (now - at[0]) / 1000;
            scrolled = Math.max(scrolled, scrollY);
            scrollTo(0, (room * (1 - Math.cos(2 * Math.PI * passed))) / 2);
            if (passed < seconds) return requestAnimationFrame(frame);
            observer.disconnect();
            const took = at.slice(1).map((then, i) => then - at[i]);
            took.sort((a, b) => a - b);
            resolve({
              rate: took.length / passed,
              p99: took[Math.floor(took.length * 0.99)],
              long: long.length,
              longest: Math.max(0, ...long.map((entry) => entry.duration)),
              scrolled,
            });
          };
          requestAnimationFrame(frame);
        }),
      4,
    );
    let over = false;
    void measured.finally(() => (over = true));
    const kZones = ['desk', 'door', 'inside', 'street'];
    for (let i = 0; !over; i++) {
      const visit = `v-${(i * 7) % 50}`;
      await box.publishPrompt({ ...box.prompts.get(visit), zone: kZones[(i + round) % 4] });
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return measured;
  }

  it('holds no more after five thousand arrivals than before', async (t) => {
    await stage.everybodyGoes(tablet);
    await stage.nobodyIsHere(tablet);
    const cdp = await tablet.context().newCDPSession(tablet);
    const heap = async () => {
      await cdp.send('HeapProfiler.collectGarbage');
      const { usedSize } = await cdp.send('Runtime.getHeapUsage');
      return usedSize;
    };
    const gone = async () => {
      await box.prompt('m-last');
      await tablet.locator('[data-visit="m-last"]').waitFor();
      await box.endVisit('m-last');
      await tablet.locator('[data-floor=nobody]').waitFor();
    };
    const come = async (from, to) => {
      for (let i = from; i < to; i += 20) {
        const visits = Array.from({ length: 20 }, (_, k) => `m-${i + k}`);
        await Promise.all(visits.map((visit) => box.publishPrompt(examplePrompt(visit))));
        await Promise.all(visits.map((visit) => box.endVisit(visit)));
        // No faster than the page reads: a broker keeps a thousand messages for it, and drops the rest.
        if (i % 40 === 0) await gone();
      }
      await gone();
    };
    await come(0, 500); // what is compiled and cached once is there
    const before = await heap();
    await come(500, 500 + kArrivals);
    const grown = (await heap()) - before;
    t.diagnostic(`${(before / 1e6).toFixed(1)} MB, and ${(grown / 1e3).toFixed(0)} kB more`);
    assert.ok(grown < kGrowth, `${grown} bytes more`);
    assert.deepEqual(pages.problems, []);
  });
});
