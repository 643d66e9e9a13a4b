// SPDX-License-Identifier: Apache-2.0
// `welcomectl watch` in a terminal, and where nobody looks; and `support`, which asks nobody.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const ctl = (...args) => promisify(execFile)(path.join(kBin, 'welcomectl'), args);

test('watch shows the box on one screen until q is typed, and what follows when it goes and comes', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-watch-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const start = () =>
    stack.startBox({ file: path.join(kBin, 'welcomed'), conf: { consent: { unsigned: 'yes' } } });
  await start();
  const socket = path.join(dir, 'welcomed/control.sock');

  const shot = await ctl('-s', socket, 'watch');
  assert.match(shot.stdout, /^demo\/aroma-1\/box-1, welcomed /);
  for (const light of [
    'clock',
    'line',
    'floor',
    'radio',
    'camera',
    'models',
    'store',
    'consents',
    'decisions',
  ])
    assert.match(shot.stdout, new RegExp(`^(ok|LOOK|WRONG|off) +${light} `, 'm'));
  assert.match(shot.stdout, /^here +0 near, 0 of them in the store$/m);
  assert.ok(shot.stdout.split('\n').every((line) => [...line].length <= 80));
  assert.doesNotMatch(shot.stdout, /\x1b/);

  // `script` gives it a terminal.
  const watch = spawn('script', ['-qec', `${path.join(kBin, 'welcomectl')} -s ${socket} watch`, '/dev/null']);
  t.after(() => watch.kill());
  let shown = '';
  watch.stdout.on('data', (text) => (shown += text));
  const until = async (pattern) => {
    while (!pattern.test(shown)) await once(watch.stdout, 'data', { signal: AbortSignal.timeout(20000) });
    shown = '';
  };
  await until(/demo\/aroma-1\/box-1[^]*q ends it/);
  await stack.program('welcomed').stop();
  await until(/is welcomed running\?/);
  await start();
  await until(/demo\/aroma-1\/box-1[^]*q ends it/);
  watch.stdin.write('q');
  const [code] = await once(watch, 'exit', { signal: AbortSignal.timeout(20000) });
  assert.equal(code, 0);
  await stack.program('welcomed').stop();
  await assert.rejects(ctl('-s', socket, 'watch'), ({ code: is }) => is === 3);
});

test('support says what SECURITY.md says', async () => {
  const flat = (text) => text.replaceAll(/\s+/g, ' ');
  const security = flat(readFileSync(path.join(kRoot, 'SECURITY.md'), 'utf8'));
  const { stdout } = await ctl('support', '--json');
  const said = JSON.parse(stdout);
  assert.match(said.version, /^welcomed \d+\.\d+\.\d+$/);
  assert.ok(security.includes(`**Supported** is ${said.supported}`), said.supported);
  const [, ends] = security.match(/\*\*Support ends\*\*: (not set|\d{4}-\d\d-\d\d)\. /);
  assert.ok(said.ends.includes(ends), said.ends);
  const [, report] = said.security.match(/report a hole (.*): SECURITY\.md$/);
  assert.ok(security.includes(`**Report** it ${report}.`), report);
  const plain = await ctl('support');
  assert.ok(plain.stdout.split('\n').every((line) => line.length <= 80));
  assert.match(flat(plain.stdout), /supported the newest version/);
});
