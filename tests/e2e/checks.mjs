// SPDX-License-Identifier: Apache-2.0
// Checks that hold for every page: what can be touched is large enough, has a name, and every text
// stands out from what is behind it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const kTouchPx = 44;
const kContrast = 4.5; // WCAG 2.2 AA for normal text

export async function assertAccessible(page) {
  assert.deepEqual(await page.evaluate(findProblems, [kTouchPx, kContrast, page.viewportSize().width]), []);
}

const kAxe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// The same, and all that axe knows of WCAG 2.2 AA.
export async function assertAxe(page) {
  await assertAccessible(page);
  await page.evaluate(kAxe); // past the page's content policy, which lets no script in
  const found = await page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await axe.run(document, { runOnly: tags });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
  });
  assert.deepEqual(found, []);
}

// Runs in the page.
function findProblems([touchPx, contrastMin, width]) {
  const problems = [];
  const say = (what, element) =>
    problems.push(`${what}: <${element.tagName.toLowerCase()}> "${element.textContent.trim().slice(0, 40)}"`);
  const visible = (element) => element.checkVisibility({ visibilityProperty: true });

  if (document.querySelectorAll('h1').length !== 1) problems.push('the page has not exactly one h1');
  if (!document.documentElement.lang) problems.push('the page has no language');
  if (!document.querySelector('main')) problems.push('the page has no main');

  for (const control of document.querySelectorAll('button, input, textarea, select, summary')) {
    if (!visible(control)) continue;
    const around = control.closest('label') ?? control;
    const box = around.getBoundingClientRect();
    if (box.width < touchPx || box.height < touchPx)
      say(`${Math.round(box.width)}×${Math.round(box.height)} px to touch`, control);
    const name =
      control.getAttribute('aria-label') || control.closest('label')?.textContent || control.textContent;
    if (!name.trim()) say('no name', control);
  }

  const parse = (color) => {
    const numbers = color.match(/[\d.]+/g).map(Number);
    return { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) =>
      v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !visible(element) || element.closest(':disabled, .sr')) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color).rgb), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < contrastMin) say(`contrast ${contrast.toFixed(1)}`, element);
  }
  // Not innerWidth: on a phone that grows with a page that is too wide.
  if (document.documentElement.scrollWidth > width) problems.push('the page scrolls sideways');
  return problems;
}

// Words that try to be more than words.
export const kHostile = [
  '<img src=x onerror="alert(1)">',
  '<script>alert(2)</script>',
  '"><svg onload=alert(3)>',
  "javascript:alert(4)'&quot;",
  '{{constructor.constructor("alert(5)")()}}',
];

export async function assertOnlyText(page, words) {
  const found = await page.evaluate(() => ({
    text: document.body.innerText,
    strange: document.querySelectorAll('#app img, #app script, #app iframe, #app a, [onerror], [onload]')
      .length,
  }));
  for (const word of words) assert.ok(found.text.includes(word), `${word} is not shown as it came`);
  assert.equal(found.strange, 0, 'markup came out of a message');
}
