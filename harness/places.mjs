// SPDX-License-Identifier: Apache-2.0
// Where the checkout is, and the programs of the build that is tested.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const kRoot = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
export const kBuild = process.env.WELCOME_BUILD ?? path.join(kRoot, 'build/release');
export const kBin = path.join(kBuild, 'bin');
