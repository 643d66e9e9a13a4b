// SPDX-License-Identifier: Apache-2.0
// welcome-eval zones as a site would use it: files that are not as tidy as they should be.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin } from '../../harness/places.mjs';

const kBoxes = 'box,zone\nb1,door\nb2,desk\nb3,desk\n';

function zones(t, ranging, boxes = kBoxes) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-zones-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(path.join(dir, 'ranging.csv'), ranging);
  writeFileSync(path.join(dir, 'boxes.csv'), boxes);
  const run = spawnSync(
    path.join(kBin, 'welcome-eval'),
    ['zones', '--ranging', path.join(dir, 'ranging.csv'), '--boxes', path.join(dir, 'boxes.csv')],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  const words = run.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { status: run.status, words, text: run.stdout, says: run.stderr };
}

// From the door to the desk after 20 s; `hz` readings a second of each box.
function walk(name, hz = 5, seconds = 60) {
  const rows = [];
  for (let i = 0; i < seconds * hz; ++i) {
    const t = Math.round((i * 1000) / hz);
    const at = t < 20000 ? [-58, -82, -84] : [-82, -60, -75];
    at.forEach((rssi, box) => rows.push(`${t},b${box + 1},${name},${rssi - (i % 3)}`));
  }
  return rows;
}
const csv = (rows) => `t_ms,box,customer,rssi_dbm\n${rows.join('\n')}\n`;

test('a walk is told once by each estimate, at any rate of readings', (t) => {
  for (const hz of [1, 2, 5, 10]) {
    const { words, status } = zones(t, csv(walk('anna', hz)));
    assert.equal(status, 0);
    assert.deepEqual(Object.keys(words[0]), ['t_ms', 'customer', 'fast', 'zone']);
    assert.deepEqual([words[0].fast, words[0].zone], ['door', 'door']);
    const last = words.at(-1);
    assert.deepEqual([last.fast, last.zone], ['desk', 'desk'], `${hz} Hz`);
    const fast = words.find((word) => word.fast === 'desk').t_ms - 20000;
    const settled = words.find((word) => word.zone === 'desk').t_ms - 20000;
    assert.ok(fast >= 0 && fast <= 3000, `${hz} Hz: fast after ${fast} ms`);
    assert.ok(settled >= fast && settled < 15000, `${hz} Hz: settled after ${settled} ms`);
    assert.equal(words.length, 3);
  }
});

test('neither the order of rows, nor a heading, nor line ends, nor others in the file change anything', (t) => {
  const rows = walk('anna');
  const want = zones(t, csv(rows)).text;
  assert.ok(want);
  const byBox = [...rows].sort((a, b) => a.split(',')[1].localeCompare(b.split(',')[1]));
  assert.equal(zones(t, csv(byBox)).text, want);
  assert.equal(zones(t, rows.join('\n')).text, want, 'no heading, no last line end');
  assert.equal(zones(t, `\ufeff${csv(rows).replaceAll('\n', '\r\n')}`).text, want);
  const crowd = zones(
    t,
    csv(rows.flatMap((row) => [row, row.replace('anna', '"Zoë, 2"'.replace(', ', ' '))])),
  );
  assert.equal(
    crowd.words
      .filter((word) => word.customer === 'anna')
      .map((word) => JSON.stringify(word))
      .join('\n'),
    want.trim(),
  );
  assert.equal(new Set(crowd.words.map((word) => word.customer)).size, 2);
});

test('boxes that are silent or unknown, gaps, and impossible readings are lived with', (t) => {
  const rows = walk('anna').filter((row) => !row.includes(',b3,'));
  const gap = rows
    .filter((row) => +row.split(',')[0] < 30000)
    .concat(rows.map((row) => row.replace(/^\d+/, (ms) => +ms + 3600000)));
  const strange = ['0,b1,anna,127', '5000,b1,anna,-127', '6000,b9,anna,-40'];
  const { words, status, says } = zones(t, csv(strange.concat(gap)));
  assert.equal(status, 0);
  assert.match(says, /1 rows of unknown boxes/);
  assert.equal(words.at(-1).zone, 'desk');
});

test('rows that cannot be read are named by file and line, and the rest is judged', (t) => {
  const rows = walk('anna');
  rows.splice(
    3,
    0,
    'soon,b1,anna,-60',
    '1000,b1,anna',
    '1000,b1,,-60',
    '1000,,anna,-60',
    '1000,b1,anna,nan',
    '1e300,b1,anna,-5',
  );
  const { words, status, says } = zones(t, csv(rows));
  assert.equal(status, 1);
  assert.match(says, /ranging\.csv:5: t_ms is not a time/);
  assert.match(says, /ranging\.csv:6: rssi_dbm is not a number/);
  assert.match(says, /ranging\.csv:7: no customer/);
  assert.match(says, /ranging\.csv:8: no box/);
  assert.match(says, /ranging\.csv:9: rssi_dbm/);
  assert.match(says, /ranging\.csv:10: t_ms/);
  assert.match(says, /6 unreadable/);
  assert.equal(words.at(-1).zone, 'desk');
});

test('a file of boxes that makes no sense is refused with its line', (t) => {
  for (const [boxes, why] of [
    ['box,zone\nb1\n', /boxes\.csv:2: a box without a zone/],
    ['b1,door\nb1,desk\n', /boxes\.csv:2: this box was named before/],
    ['', /no boxes/],
    ['b1,door\n,desk\n', /boxes\.csv:2: no name/],
  ]) {
    const { status, says, text } = zones(t, csv(walk('anna')), boxes);
    assert.equal(status, 1);
    assert.match(says, why);
    assert.equal(text, '');
  }
});

test('nothing heard is nothing said', (t) => {
  const { status, text } = zones(t, 't_ms,box,customer,rssi_dbm\n');
  assert.equal(status, 0);
  assert.equal(text, '');
});

test('a million rows are judged within five seconds', (t) => {
  const rows = [];
  for (let i = 0; i < 1e6; ++i) rows.push(`${i * 20},b${1 + (i % 3)},c${i % 50},${-60 - (i % 17)}`);
  const begin = process.hrtime.bigint();
  const { status } = zones(t, csv(rows));
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  assert.equal(status, 0);
  t.diagnostic(`${seconds.toFixed(2)} s of wall time`);
  assert.ok(seconds < 5 * 4, 'other programs run beside it');
});
