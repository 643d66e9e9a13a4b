// SPDX-License-Identifier: Apache-2.0
// As she wishes to be met, through everything that is real: a customer's page in Chromium, the CRM, a box with a
// recorded radio, and what its tablets are told.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Story } from '../../demo/story.mjs';
import { bin, kCompany, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

describe('how somebody wishes to be met', { skip: lacks(kCompany) }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-met-'));
  const cards = []; // what the tablets were told of Paul, null: that he is gone
  let story, pages, phone, visit;

  const way = (value) => phone.locator(`input[name=met][value=${value}]`);
  const last = () => cards.at(-1);
  const until = (what, why) => story.until(what, why, 90000);

  before(async () => {
    story = new Story({ dir, bin });
    await story.prepare({ enrol: false });
    story.tablet.client.on('message', (topic, payload) => {
      const card = payload.length ? JSON.parse(payload) : null;
      if (card?.greet.name.startsWith('Paul')) visit = topic;
      if (topic === visit) cards.push(card);
    });
    pages = await Pages.start(story.stack);
    phone = await pages.phone(await story.link('c-paul'));
    await way('quietly').check();
    // He comes to the door at 52 s of the story, and is at the desk until 130 s.
    story.epoch = Date.now() + 2500;
    const file = path.join(dir, 'shop.btsnoop');
    await promisify(execFile)(story.program('welcome-shop'), [
      '--out',
      file,
      '--start',
      String(story.epoch),
      '--seed',
      '1',
    ]);
    story.daemon = await story.startDaemon({ replay: true });
  });
  after(async () => {
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
    assert.deepEqual(pages?.problems, []);
  });

  it('names nobody on a tablet who did not choose it', async () => {
    await until(async () => last(), 'the tablet is told');
    assert.equal(last().met, 'quietly');
    assert.deepEqual(last().greet, { name: 'Paul Moreau' });
    assert.doesNotMatch(last().headline, /Moreau/);
  });

  it('names who chooses it while he stands there', async () => {
    await way('by_name').check();
    await until(async () => last()?.met === 'by_name', 'the tablet has it');
    assert.equal(last().greet.greeting, 'Mr Moreau');
    assert.match(last().headline, /Paul Moreau/);
  });

  it('leaves alone who says not today, and says why', async () => {
    await phone.getByRole('switch', { name: 'Not today' }).click();
    await until(async () => last() === null, 'the card is gone');
    const decided = await story.ctl('decisions');
    const reasons = decided.filter(({ kind }) => kind === 'prompt').map(({ reason }) => reason);
    assert.ok(reasons.includes('not_today'), reasons.join());
    await phone.getByRole('switch', { name: 'Not today' }).click();
    await until(async () => last()?.met === 'by_name', 'and is met as before');
  });
});
