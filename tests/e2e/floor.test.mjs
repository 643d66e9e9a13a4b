// SPDX-License-Identifier: Apache-2.0
// A full floor in Chromium: who is new is seen, nothing moves under a finger, nothing typed is lost, and what was
// done without a line goes once.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertAccessible, assertOnlyText, kHostile } from './checks.mjs';
import { named, Stage } from './stage.mjs';

describe('a full floor', () => {
  let stage, pages, box, tablet;
  const card = (visit) => tablet.locator(`.card[data-visit="${visit}"]`);
  const sheet = (visit) => tablet.locator(`[data-sheet="${visit}"]`);
  const group = (name) => tablet.locator(`[data-group=${name}]`);
  const away = () => tablet.mouse.move(1, 1);
  const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
  const guest = (i, changes = {}) =>
    box.prompt(`v-${i}`, {
      greet: { name: `Guest ${i}`, greeting: `Ms ${i}` },
      zone: ['desk', 'door', 'inside', 'street'][(Number(i) || 0) % 4],
      since: ago(600 + (Number(i) || 0)),
      ...changes,
    });
  // The key goes where the focus is, which follows what is shown.
  const closeSheet = async () => {
    await tablet.locator('#sheet-title:focus').waitFor();
    await tablet.keyboard.press('Escape');
    await tablet.locator('[data-sheet]').waitFor({ state: 'detached' });
  };
  const fill = async (n) => {
    for (let i = 0; i < n; i++) await guest(i);
    await card(`v-${n - 1}`).waitFor();
    // Those who were here before somebody looked.
    const opened = await tablet.locator('.card.fresh .card-open').evaluateAll((all) => {
      for (const one of all) one.click();
      return all.length;
    });
    if (opened > 0) {
      await closeSheet();
      await tablet.evaluate(() => scrollTo({ top: 0 })); // it went along with the focus, to the last card
    }
    await tablet.locator('.card.fresh').first().waitFor({ state: 'detached' });
  };
  // Nobody means a card that came under the finger this very moment, and the page takes no such tap.
  const meant = () => tablet.waitForTimeout(450);
  const inView = (locator) =>
    locator.evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
  const under = async (locator) => {
    const { x, y, width, height } = await locator.boundingBox();
    return [x + width / 2, y + height / 2];
  };
  // A hand that rests is never quite still, however busy the machine is.
  const whileHeld = async ([x, y], what) => {
    let over = false;
    const done = what().finally(() => (over = true));
    for (let i = 1; !over; i++) {
      await tablet.mouse.move(x + (i % 2), y);
      await tablet.waitForTimeout(500);
    }
    await done;
    await tablet.mouse.move(x, y);
  };
  const visitAt = (x, y) =>
    tablet.evaluate(
      ([px, py]) => document.elementFromPoint(px, py)?.closest('.card')?.dataset.visit ?? null,
      [x, y],
    );

  before(async () => {
    stage = await Stage.start();
    ({ pages, box } = stage);
    tablet = await pages.tablet('tablet-1', 'Eva');
  });
  after(() => stage?.stop());
  afterEach(async () => {
    await stage.everybodyGoes(tablet);
    await tablet.keyboard.press('Escape');
    await stage.nobodyIsHere(tablet);
    await tablet.setViewportSize({ width: 1280, height: 800 });
    assert.deepEqual(pages.problems.splice(0), []);
  });

  for (const n of [30, 50])
    it(`shows the newest of ${n} without scrolling, counts them in the title, and is calm once seen`, async () => {
      await fill(n);
      await guest('new', { since: ago(0), zone: 'inside' });
      await card('v-new').waitFor();
      assert.ok(await inView(card('v-new')), 'the newest guest is out of sight');
      assert.equal(await group('fresh').locator('.card').count(), 1);
      assert.match(await tablet.title(), /^\(1\) /);
      await assertAccessible(tablet);
      await pages.screenshot(tablet, `floor-${n}`);
      await meant();
      await card('v-new').locator('.card-open').click();
      await away();
      await group('inside').locator('[data-visit="v-new"]').waitFor();
      assert.doesNotMatch(await tablet.title(), /^\(/);
    });

  it('keeps each button under the pointer for the guest it was for, whoever comes or goes', async () => {
    await fill(30);
    const at = await under(card('v-4').locator('.next'));
    await tablet.mouse.move(...at);
    await whileHeld(at, async () => {
      await guest('new', { since: ago(0) });
      await tablet.locator('.unseen').getByText('Ms new').waitFor();
      await box.endVisit('v-0');
      await tablet.locator('[data-gone="v-0"]').waitFor();
    });
    assert.equal(await visitAt(...at), 'v-4');
    assert.equal(await card('v-new').count(), 0, 'a card was put where a finger may be');
    assert.ok(
      !(await tablet.locator('[data-gone="v-0"]').innerText()).includes('Ms 0'),
      'who left is still named',
    );
    await tablet.mouse.down();
    await tablet.mouse.up();
    const claim = await box.actions.next(({ kind, visit }) => kind === 'claim' && visit === 'v-4');
    assert.equal(claim.visit, 'v-4');
    await away();
    await card('v-new').waitFor();
    await tablet.locator('[data-gone]').first().waitFor({ state: 'detached' });
  });

  it('takes no tap for somebody else that was meant for who stood there a moment ago', async () => {
    await fill(3);
    await away();
    const [x, y] = await under(tablet.locator('.cards .next').first());
    const before = await visitAt(x, y);
    // A finger comes from nowhere: no pointer is near, and the list changes 50 ms before.
    const hit = await tablet.evaluate(
      ([px, py, was]) =>
        new Promise((resolve) => {
          const wait = () => {
            const target = document.elementFromPoint(px, py);
            const now = target?.closest('.card')?.dataset.visit;
            if (now === was) return requestAnimationFrame(wait);
            target.dispatchEvent(
              new MouseEvent('click', {
                bubbles: true,
                cancelable: true,
                detail: 1,
                clientX: px,
                clientY: py,
              }),
            );
            resolve(now);
          };
          wait();
        }),
      [x, y, before, await guest('new', { since: ago(0) }).then(() => null)],
    );
    assert.notEqual(hit, before);
    await guest('last');
    await card('v-last').waitFor();
    assert.deepEqual(
      box.actions.all.filter(({ visit }) => visit === hit),
      [],
      'a tap went to somebody else',
    );
  });

  it('folds away who was looked after, and reopens what was tapped by mistake, by toast and by card', async () => {
    await guest('a', { state: 'claimed', claimed_by: 'eva' });
    await card('v-a').getByRole('button', named('Greeted')).click();
    await card('v-a').getByRole('button', named('Served')).click();
    await box.actions.next(({ visit, kind }) => visit === 'v-a' && kind === 'served');
    await tablet.locator('.toast', { hasText: 'Served: Ms a' }).getByRole('button', { name: 'Undo' }).click();
    await box.actions.next(({ visit, kind }) => visit === 'v-a' && kind === 'reopen');
    await card('v-a').getByRole('button', named('Greeted')).waitFor();
    await card('v-a').locator('.card-open').click();
    await sheet('v-a').getByRole('button', named('Served')).click();
    await tablet.keyboard.press('Escape');
    await away();
    await tablet.getByText('Looked after (1)').click();
    await card('v-a').getByRole('button', named('Reopen')).click();
    await card('v-a').getByText('You are with this guest').waitFor();
  });

  it('keeps the focus where it was after each action, and walks by arrow keys', async () => {
    await fill(4);
    const first = tablet.locator('.card').first();
    const visit = await first.getAttribute('data-visit');
    await card(visit).locator('.next').focus();
    for (const kind of ['claim', 'greeted', 'served']) {
      await tablet.keyboard.press('Enter');
      await box.actions.next((one) => one.visit === visit && one.kind === kind);
      await card(visit).locator(`.next:not([data-next=${kind}]):not([aria-disabled=true])`).waitFor();
      assert.equal(
        await tablet.evaluate(() => document.activeElement.closest('.card')?.dataset.visit),
        visit,
        `the focus is lost after ${kind}`,
      );
    }
    await tablet.keyboard.press('ArrowDown');
    const next = await tablet.evaluate(() => document.activeElement.closest('.card')?.dataset.visit);
    assert.notEqual(next, visit);
    await tablet.keyboard.press('Enter');
    await sheet(next).waitFor();
    await closeSheet();
    assert.equal(await tablet.evaluate(() => document.activeElement.closest('.card')?.dataset.visit), next);
  });

  it('says whose each button is', async () => {
    await fill(12);
    const names = await tablet.locator('.card button').evaluateAll((all) => all.map((one) => one.ariaLabel));
    assert.equal(new Set(names).size, names.length, 'two buttons have one name');
  });

  it('finds one of those who are here', async () => {
    await fill(12);
    await tablet.getByRole('searchbox').fill('guest 11');
    await card('v-3').waitFor({ state: 'detached' });
    await tablet.keyboard.press('Enter');
    await sheet('v-11').waitFor();
    await tablet.getByRole('searchbox').fill('nobody of this name');
    await tablet.getByText('Nobody here fits this.').waitFor();
    await tablet.getByRole('searchbox').fill('');
  });

  it('keeps a half-typed note when the guest leaves, and takes it', async () => {
    await guest('gone');
    await card('v-gone').locator('.card-open').click();
    await sheet('v-gone').getByRole('textbox').fill('Flies to Ly');
    await box.leaveShop('v-gone');
    await sheet('v-gone').getByText('A note can still be added until').waitFor();
    assert.equal(await sheet('v-gone').getByRole('textbox').inputValue(), 'Flies to Ly');
    await tablet.keyboard.press('Escape');
    await away();
    await tablet.getByText('Just left (1)').click();
    await card('v-gone').getByText('A note is not finished').waitFor();
    await card('v-gone').locator('.card-open').click();
    await sheet('v-gone').getByRole('button', { name: 'Is travelling' }).click();
    await assertAccessible(tablet);
    await sheet('v-gone').getByRole('button', named('Save')).click();
    const note = await box.actions.next(({ visit, kind }) => visit === 'v-gone' && kind === 'note');
    assert.equal(note.text, 'Flies to Ly. Is travelling');
  });

  it('says so when a card with a half-typed note is taken away', async () => {
    await guest('erased');
    await card('v-erased').locator('.card-open').click();
    await sheet('v-erased').getByRole('textbox').fill('Flies to');
    await box.endVisit('v-erased');
    await tablet.getByText('the unfinished note is not kept').waitFor();
  });

  it('notes a first preference, and warns of an allergy', async () => {
    await guest('new', { preferences: [] });
    await card('v-new').locator('.card-open').click();
    await sheet('v-new').getByRole('button', named('Add what they like')).click();
    await sheet('v-new').getByRole('button', { name: 'Allergy' }).click();
    await sheet('v-new').getByLabel('Allergy: Which?').fill('nuts');
    await tablet.keyboard.press('Enter');
    const { preference } = await box.actions.next(({ visit }) => visit === 'v-new');
    assert.deepEqual(preference, { key: 'allergy', value: 'nuts', verdict: 'change' });
    await guest('new', { preferences: [{ key: 'allergy', text: 'nuts', source: 'staff', confirmed: 1 }] });
    await card('v-new').getByText('Allergy: nuts').waitFor();
    await sheet('v-new').locator('[data-warns=allergy]').waitFor();
    await sheet('v-new').getByRole('button', named('Add what they like')).click();
    await sheet('v-new').getByRole('button', { name: 'Allergy' }).click();
    await sheet('v-new').getByLabel('Allergy: Which?').fill('milk');
    await tablet.keyboard.press('Enter');
    await box.actions.next((one) => one.preference?.key === 'allergy_2');
  });

  it('marks who is invented, and says how a guest wishes to be met', async () => {
    await guest('x', { rehearsal: true, met: 'quietly' });
    await card('v-x').getByText('Invented, for practice').waitFor();
    await card('v-x').getByText('Quietly: a nod, no name').waitFor();
  });

  it('keeps what is done without a line, says so, and sends it once', async () => {
    await guest('off', { state: 'claimed', claimed_by: 'eva' });
    await card('v-off').waitFor();
    await pages.stack.program('mosquitto-floor').stop();
    await tablet.locator('[data-banner=lost]').waitFor();
    await card('v-off').getByRole('button', named('Greeted')).click();
    await tablet.locator('[data-banner=waits]').waitFor();
    await card('v-off').getByText('Waits for the box').waitFor();
    await card('v-off').locator('.card-open').click();
    await sheet('v-off').getByRole('textbox').fill('In a hurry');
    await sheet('v-off').getByRole('button', named('Save')).click();
    await tablet.getByText('2 things you did wait for the box').waitFor();
    await assertAccessible(tablet);
    await pages.stack.startBroker('floor');
    await box.actions.next(({ visit, kind }) => visit === 'v-off' && kind === 'note');
    await tablet.locator('[data-banner=waits]').waitFor({ state: 'detached' });
    assert.deepEqual(
      box.actions.all.filter(({ visit }) => visit === 'v-off').map(({ kind }) => kind),
      ['greeted', 'note'],
    );
    await box.publishPrompt(box.prompts.get('v-off'));
    await box.status();
  });

  it('tells loading, a box that is away, and an empty floor apart', async () => {
    await tablet.locator('[data-floor=nobody]').waitFor();
    await pages.stack.program('mosquitto-floor').stop();
    await tablet.locator('[data-floor=away]').waitFor();
    await assertAccessible(tablet);
    await pages.stack.startBroker('floor');
    await tablet.locator('[data-floor=loading]').or(tablet.locator('[data-floor=nobody]')).waitFor();
    await box.status();
    await tablet.locator('[data-floor=nobody]').waitFor();
  });

  it('shows whatever words come as words, however long, and stays as wide as it is', async () => {
    const long = (start) => start.padEnd(199, 'Ж😀ي');
    const [a, b, c, d] = kHostile;
    await tablet.setViewportSize({ width: 360, height: 740 });
    await guest('hostile', {
      greet: { name: a, greeting: b, pronunciation: c },
      tier: d.slice(0, 64),
      headline: 'x'.repeat(500),
      preferences: [
        { key: 'allergy', text: a, detail: b, source: c.slice(0, 64), confirmed: 1 },
        { key: 'drink', text: 'لاتيه!'.padEnd(500, '\u202e😀'), source: 'staff', confirmed: 2 },
      ],
      last_conversation: { text: 'w'.repeat(2000), at: new Date().toISOString() },
      suggest: { kind: 'ask', value: b },
      avoid: [c, long('ا')],
      claimed_by: 'eva',
      state: 'claimed',
    });
    await guest('long', {
      met: 'by_name',
      greet: { name: long('x'), greeting: long('أ'), pronunciation: long('-') },
    });
    await card('v-long').waitFor();
    const wide = () => tablet.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok((await wide()) <= 0, `the floor is ${await wide()} px too wide`);
    for (const visit of ['v-long', 'v-hostile']) {
      await meant();
      await card(visit).locator('.card-open').click();
      await sheet(visit).waitFor();
      assert.ok((await wide()) <= 0, `the details of ${visit} are ${await wide()} px too wide`);
      if (visit === 'v-hostile') await assertOnlyText(tablet, [a, b, c]);
      await sheet(visit).getByRole('textbox').fill(kHostile.join(' ').padEnd(3000, '😀'));
      await sheet(visit).getByRole('button', named('Save')).click();
      const note = await box.actions.next((one) => one.visit === visit && one.kind === 'note');
      assert.ok(note.text.length <= 2000);
      await tablet.keyboard.press('Escape');
    }
  });

  for (const [width, percent] of [
    [320, 100],
    [360, 100],
    [360, 200],
    [768, 200],
    [1280, 200],
  ])
    it(`fits ${width} px at ${percent} % in every language, in every state`, async () => {
      await guest('fits', {
        greet: {
          name: 'Maximiliane-Wilhelmine Oberhuber-Winterstein',
          greeting: 'Frau Dr. Oberhuber-Winterstein',
        },
        state: 'claimed',
        claimed_by: 'eva',
        rehearsal: true,
        preferences: [{ key: 'allergy', text: 'Erdnüsse', source: 'staff', confirmed: 3 }],
      });
      await guest('served', { state: 'served', claimed_by: 'tom' });
      await box.status({ link: 'down', paused: ['face'], trouble: ['radio'], rehearsal: true });
      await tablet.setViewportSize({ width, height: 740 });
      await tablet.evaluate((size) => (document.documentElement.style.fontSize = size), `${percent}%`);
      const narrow = () => tablet.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      for (const language of ['de', 'fr', 'ar', 'en']) {
        await tablet.locator('.language-menu').selectOption(language);
        await card('v-fits').waitFor();
        assert.ok((await narrow()) <= 0, `the floor in ${language} is ${await narrow()} px too wide`);
        assert.ok(
          (await tablet.locator('.bar').evaluate((bar) => bar.offsetHeight)) < (percent === 100 ? 120 : 330),
          `the header in ${language} is in the way`,
        );
        await card('v-fits').locator('.card-open').click();
        await sheet('v-fits').waitFor();
        assert.ok((await narrow()) <= 0, `the details in ${language} are ${await narrow()} px too wide`);
        if (percent === 100) await assertAccessible(tablet);
        await pages.screenshot(tablet, `fits-${width}-${percent}-${language}`);
        await tablet.keyboard.press('Escape');
      }
      await tablet.getByRole('button', { name: 'Enrol a guest' }).click();
      await tablet.getByLabel('Member number').waitFor();
      assert.ok((await narrow()) <= 0, 'the enrolment is too wide');
      const clear = await tablet.evaluate(() => {
        const title = document.querySelector('h1').getBoundingClientRect();
        return [...document.querySelectorAll('.enrol .language button')].every((button) => {
          const at = button.getBoundingClientRect();
          return (
            at.bottom <= title.top ||
            at.top >= title.bottom ||
            at.right <= title.left ||
            at.left >= title.right
          );
        });
      });
      assert.ok(clear, 'a button lies over the title');
      await tablet.getByRole('button', { name: 'Cancel' }).click();
      await tablet.evaluate(() => (document.documentElement.style.fontSize = ''));
      await box.status();
    });
});
