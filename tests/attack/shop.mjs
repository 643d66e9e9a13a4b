// SPDX-License-Identifier: Apache-2.0
// A shop with its CRM running, on the brokers as they are shipped: what every attack begins with.

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Story } from '../../demo/story.mjs';

// `of`: a Story, or one that can do more; `options` as it takes them.
export async function openShop(t, { of = Story, ...options } = {}) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-attack-'));
  const story = new of({ dir, pages: null, say: (line) => t.diagnostic(line), ...options });
  t.after(async () => {
    await story.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await story.prepare({ enrol: false });
  return story;
}
