// SPDX-License-Identifier: Apache-2.0
// Pages in headless Chromium against a stack of real brokers and nginx.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';
import { kPin } from '../../demo/story.mjs';

const kHangMs = 8 * 60e3; // a file of tests takes one minute, several on a busy machine
const kScreenshots = path.join(kRoot, 'build/screenshots');

export class Pages {
  problems = []; // what any page complained about
  #run;

  // On a stack of its own, or beside one that runs already and is not stopped here.
  static async start(stack) {
    const pages = new Pages();
    setTimeout(() => {
      process.stderr.write('the tests hang\n');
      process.exit(1); // the stack ends with us
    }, kHangMs).unref();
    try {
      pages.stack = stack ?? (await pages.#startStack());
      pages.browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      });
    } catch (error) {
      await pages.stop();
      throw error;
    }
    return pages;
  }

  async stop() {
    await this.browser?.close();
    if (!this.#run) return;
    await this.stack?.stop();
    rmSync(this.#run, { recursive: true, force: true });
  }

  #startStack() {
    this.#run = mkdtempSync(path.join(os.tmpdir(), 'welcome-e2e-'));
    return startStack({ run: this.#run });
  }

  async tablet(account = 'tablet-1', staff = 'Eva', options = {}) {
    const page = await this.open(this.stack.tabletLink(account), {
      viewport: { width: 1280, height: 800 },
      hasTouch: true,
      ...options,
    });
    if (staff) await this.signIn(page, staff);
    return page;
  }

  // As somebody does it: their name, then the PIN on the pad.
  async signIn(page, staff, pin = kPin) {
    await page.getByRole('button', { name: staff, exact: true }).click();
    await this.enterPin(page, pin);
    await page.locator('[data-link=online]').waitFor();
  }

  async enterPin(page, pin) {
    for (const digit of pin) await page.getByRole('button', { name: digit, exact: true }).click();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  // Up to the pledge: whose number it is.
  async enrol(tablet, customer) {
    await tablet.getByRole('button', { name: 'Enrol a guest' }).click();
    await tablet.getByLabel('Member number').fill(customer);
    await tablet.getByRole('button', { name: 'Continue' }).click();
    await tablet.getByRole('button', { name: 'Yes, that is who it is' }).click();
  }

  // The guest agrees, and will confirm it on their phone.
  async agree(tablet) {
    await tablet.getByRole('button', { name: 'I agree to what I switched on' }).click();
    await tablet.getByRole('button', { name: 'Confirm' }).click();
  }

  // `link`: a one-time link, as `welcome-crm link` prints it.
  async phone(link, options = {}) {
    const page = await this.open(link, {
      viewport: { width: 390, height: 844 },
      deviceScaleFactor: 2,
      hasTouch: true,
      isMobile: true,
      ...options,
    });
    await page.locator('[data-link=online]').waitFor();
    return page;
  }

  async open(url, options) {
    const context = await this.browser.newContext({
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
      ...options,
    });
    context.setDefaultTimeout(30000);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.problems.push(`error: ${error.message}`));
    page.on('console', (message) => {
      // A broker or a CRM that is away is part of several tests, as are a link and a device that do not get
      // in, and Chromium reports each attempt.
      const away = /WebSocket connection|Failed to load resource/;
      if (message.type() === 'error' && !away.test(message.text()))
        this.problems.push(`console: ${message.text()}`);
    });
    page.on('dialog', (dialog) => {
      this.problems.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(this.stack.web) && !request.url().startsWith('blob:'))
        this.problems.push(`foreign request: ${request.url()}`);
    });
    await page.goto(url);
    return page;
  }

  async screenshot(page, name, options = {}) {
    mkdirSync(kScreenshots, { recursive: true });
    await page.screenshot({
      path: path.join(kScreenshots, `${name}.png`),
      animations: 'disabled',
      ...options,
    });
  }
}
