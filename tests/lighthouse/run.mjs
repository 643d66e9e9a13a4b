#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What Lighthouse finds in both pages, signed out and in use, with the real CRM and a full floor: four figures each, and
// what to mend. Each must have 95 of 100. `./dev lighthouse` installs it and runs this.
//
// run.mjs MODULES   MODULES: the node_modules that has lighthouse

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { kPin, Story } from '../../demo/story.mjs';
import { kRoot } from '../../harness/places.mjs';
import { FakeBox } from '../e2e/fakes.mjs';

const kLeast = 95;
// What else runs on the machine makes a page slower, and never faster: the best round counts.
const kRounds = 5;
const kCategories = ['performance', 'accessibility', 'best-practices', 'seo'];
const kOut = path.join(kRoot, 'build/lighthouse');
// The floor of a shop, on a tablet of the middle; a customer's phone on a slow line is Lighthouse's own setting.
const kTablet = {
  formFactor: 'desktop',
  screenEmulation: { mobile: false, width: 1280, height: 800, deviceScaleFactor: 1, disabled: false },
  throttling: { rttMs: 40, throughputKbps: 10240, cpuSlowdownMultiplier: 2 },
};

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Measurement {
  failed = false;

  static async start(modules) {
    const one = new Measurement();
    ({ default: one.lighthouse } = await import(
      pathToFileURL(path.join(path.resolve(modules), 'lighthouse/core/index.js'))
    ));
    one.dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-lighthouse-'));
    one.story = new Story({ dir: path.join(one.dir, 'story') });
    await one.story.prepare({ enrol: false });
    one.port = await freePort();
    one.browser = await chromium.launchPersistentContext(path.join(one.dir, 'profile'), {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        `--remote-debugging-port=${one.port}`,
      ],
      locale: 'en-GB',
    });
    mkdirSync(kOut, { recursive: true });
    return one;
  }

  async stop() {
    await this.browser?.close();
    await this.story?.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async of(name, url, settings = {}) {
    let best;
    for (let round = 0; round < kRounds; round++) {
      const found = await this.#round(url, settings);
      if (!best || found.scores.performance > best.scores.performance) best = found;
      if (kCategories.slice(1).some((of) => best.scores[of] < kLeast)) break; // no round changes that
      if (best.scores.performance >= kLeast) break;
    }
    this.#tell(name, best);
  }

  async #round(url, settings) {
    const flags = {
      port: this.port,
      onlyCategories: kCategories,
      disableStorageReset: true,
      logLevel: 'error',
    };
    const { lhr } = await this.lighthouse(url, flags, { extends: 'lighthouse:default', settings });
    if (lhr.runtimeError) throw new Error(`${url}: ${lhr.runtimeError.message}`);
    const score = (of) => Math.round(lhr.categories[of].score * 100);
    return { lhr, scores: Object.fromEntries(kCategories.map((of) => [of, score(of)])) };
  }

  #tell(name, { lhr, scores }) {
    writeFileSync(path.join(kOut, `${name}.json`), JSON.stringify(lhr, null, 2));
    const list = Object.entries(scores);
    process.stdout.write(`${name}: ${list.map(([of, score]) => `${of} ${score}`).join(', ')}\n`);
    for (const [of, score] of list) {
      if (score < kLeast) this.failed = true;
      for (const { id, weight } of lhr.categories[of].auditRefs) {
        const { score: has, title, displayValue = '' } = lhr.audits[id];
        if (has !== null && has < 0.9 && weight > 0)
          process.stdout.write(`  ${of}: ${id}: ${title} ${displayValue}\n`);
      }
    }
  }

  async phone() {
    const page = `${this.story.stack.web}/phone/`;
    await this.of('phone-signed-out', page);
    const tab = await this.browser.newPage();
    await tab.goto(await this.story.link('c-mia'));
    await tab.locator('[data-link=online]').waitFor();
    await tab.close();
    await this.of('phone', page);
  }

  async tablet() {
    const { stack } = this.story;
    await this.of('tablet-signed-out', `${stack.web}/tablet/`, kTablet);
    const box = await FakeBox.start(stack);
    await box.status();
    for (let i = 0; i < 12; i++)
      await box.prompt(`v-${i}`, { greet: { name: `Guest ${i}`, greeting: `Ms ${i}` } });
    const tab = await this.browser.newPage();
    await tab.goto(stack.tabletLink('tablet-1'));
    await tab.getByRole('button', { name: 'Eva', exact: true }).click();
    for (const digit of kPin) await tab.getByRole('button', { name: digit, exact: true }).click();
    await tab.getByRole('button', { name: 'Sign in', exact: true }).click();
    await tab.locator('[data-visit="v-11"]').waitFor();
    await tab.close();
    await this.of('tablet', `${stack.web}/tablet/`, kTablet);
    box.stop();
  }
}

const measurement = await Measurement.start(process.argv[2]);
try {
  await measurement.phone();
  await measurement.tablet();
} finally {
  await measurement.stop();
}
process.exitCode = measurement.failed ? 1 : 0;
