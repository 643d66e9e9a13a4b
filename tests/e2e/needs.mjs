// SPDX-License-Identifier: Apache-2.0
// What a test of the real programs needs of a build. Without it, it is skipped, and says what is missing.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { kRoot } from '../../harness/places.mjs';

export const bin = path.resolve(kRoot, process.env.WELCOME_BIN ?? 'build/release/bin');

// Of a company with a shop, and what its radio hears.
export const kCompany = ['welcomed', 'welcome-crm', 'welcomectl', 'welcome-shop'];

// For a test's `skip`: which of these programs, and of these files of the checkout, are not there; false: none.
export function lacks(programs, files = []) {
  const needed = [
    ...programs.map((name) => path.join(bin, name)),
    ...files.map((file) => path.join(kRoot, file)),
  ];
  const missing = needed.filter((file) => !existsSync(file)).map((file) => path.relative(kRoot, file));
  return missing.length > 0 && `missing: ${missing.join(', ')}`;
}
