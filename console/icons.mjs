// SPDX-License-Identifier: Apache-2.0
// Draws the icons of the customer's page for a Home Screen out of src/shared/icon.svg: full to the edges, as
// phones cut their own corners. `node console/icons.mjs` after the drawing has changed.

import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const kDrawing = readFileSync(new URL('./src/shared/icon.svg', import.meta.url), 'utf8');
const [, kGround] = /fill="(#\w+)"/.exec(kDrawing);
const [kStroke] = /<path[^>]*\/>/.exec(kDrawing);

// What a mask may cut away is ground: the sign keeps to the middle.
const icon = (size) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" viewBox="-4 -4 40 40">
     <rect x="-4" y="-4" width="40" height="40" fill="${kGround}"/>${kStroke}</svg>`;
// Phones take of it what is opaque, and no colour.
const badge = (size) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" viewBox="4 4 24 24">${kStroke}</svg>`;

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage();
for (const [name, size, drawing] of [
  ['icon-180.png', 180, icon],
  ['icon-192.png', 192, icon],
  ['icon-512.png', 512, icon],
  ['badge.png', 96, badge],
]) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>body{margin:0}</style>${drawing(size)}`);
  const picture = await page.screenshot({ omitBackground: true });
  writeFileSync(new URL(`./public/phone/${name}`, import.meta.url), picture);
}
await browser.close();
