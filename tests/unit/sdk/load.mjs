// SPDX-License-Identifier: Apache-2.0
// sdk/ts as node runs it, and the numbers of sdk/vectors.

import { build } from 'esbuild';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { kRoot } from '../../../harness/places.mjs';

// Debian 12's node (18) has it, and not as a global.
globalThis.crypto ??= webcrypto;

const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-sdk-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

// A module of TypeScript; `file` is of the checkout, or whole.
export async function load(file) {
  const outfile = path.join(dir, `${path.basename(file, '.ts')}.mjs`);
  const entryPoints = [path.resolve(kRoot, file)];
  await build({ entryPoints, bundle: true, format: 'esm', target: 'es2022', outfile });
  return import(pathToFileURL(outfile));
}

export const read = (file) => readFileSync(path.join(kRoot, file), 'utf8');
export const vectors = (name) => JSON.parse(read(`sdk/vectors/${name}.json`));
