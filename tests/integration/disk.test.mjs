// A real disk that fails under the real daemon: a small file system fills up, is read-only, and the
// database on it is damaged.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeSync, closeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Story } from '../../demo/story.mjs';

const kMount = ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs'];

function mayMount() {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-mount-'));
  try {
    execFileSync('mount', [...kMount, dir], { stdio: 'ignore' });
    execFileSync('umount', [dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

// Takes all the room that is left.
function fill(dir) {
  const chunk = Buffer.alloc(4096, 1);
  const file = openSync(path.join(dir, 'ballast'), 'w');
  try {
    for (;;) writeSync(file, chunk);
  } catch (error) {
    assert.equal(error.code, 'ENOSPC');
  } finally {
    closeSync(file);
  }
}

test('full, read-only, damaged: the box says so, decides nothing, and heals', { skip: !mayMount() && 'file systems cannot be mounted here' }, async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-disk-'));
  const disk = path.join(dir, 'disk');
  mkdirSync(disk);
  execFileSync('mount', [...kMount, disk]);
  const shop = new Story({ dir, pages: null, say: (line) => t.diagnostic(line) });
  const trouble = async (wanted, what) => shop.until(async () => {
    const { store } = await shop.ctl('status');
    return wanted ? store.trouble !== '' : store.trouble === '';
  }, what);
  const onTablet = (accept) => shop.stack.message('floor', 'welcome/v1/floor/status/+', accept, 20000);
  const synced = () => shop.until(async () => (await shop.ctl('status')).crm.feed.consents?.items >= 11, 'the consents are here');
  try {
    await shop.prepare({ enrol: false });
    const start = () => shop.startDaemon({ box: { state_dir: disk } });
    let daemon = await start();
    await synced();

    fill(disk);
    await shop.crm('customer', 'consent', 'c-mia', 'proximity_offers', 'withdrawn');
    await trouble(true, 'the full disk shows');
    await onTablet((status) => status.trouble.includes('store'));
    truncateSync(path.join(disk, 'ballast'));
    await trouble(false, 'there is room again');
    await onTablet((status) => status.trouble.length === 0);
    await shop.until(async () => {
      const { consents } = await shop.ctl('customer', 'export', 'c-mia');
      return consents.find((one) => one.purpose === 'proximity_offers').history.at(-1).state === 'withdrawn';
    }, 'the withdrawal is stored');

    await daemon.stop();
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    await assert.rejects(start(), /exit code 1[^]*read-only/, 'it does not start, and says why');
    execFileSync('mount', ['-o', 'remount,rw', disk]);

    const file = openSync(path.join(disk, 'welcomed.db'), 'r+');
    writeSync(file, Buffer.alloc(3 * 4096, 0xa5), 0, 3 * 4096, 4096);
    closeSync(file);
    daemon = await start();
    await daemon.line(/set aside/);
    await synced();
    assert.ok(readdirSync(disk).some((name) => name.includes('.corrupt-1')));
    assert.equal((await shop.ctl('audit', 'verify')).intact, true);
  } finally {
    await shop.stop();
    execFileSync('umount', ['-l', disk]);
    rmSync(dir, { recursive: true, force: true });
  }
});
