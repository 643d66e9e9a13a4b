// SPDX-License-Identifier: Apache-2.0
// What somebody types first at a program that they do not know.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { kBin, kRoot } from '../../harness/places.mjs';

const [, kVersion] = readFileSync(path.join(kRoot, 'CMakeLists.txt'), 'utf8').match(
  / VERSION (\d+\.\d+\.\d+)/,
);

for (const name of ['welcomed', 'welcomectl', 'welcome-crm', 'welcome-eval']) {
  test(`${name} says its version, helps, and refuses what it does not know`, async () => {
    const run = (word) => promisify(execFile)(path.join(kBin, name), [word]);
    assert.equal((await run('--version')).stdout, `${name} ${kVersion}\n`);
    assert.match((await run('--help')).stdout, new RegExp(`[Uu]sage: ${name} `));
    await assert.rejects(run('--nonsense'), ({ code, stderr }) => code !== 0 && stderr.includes('nonsense'));
  });
}
