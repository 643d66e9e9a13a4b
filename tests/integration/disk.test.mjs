// SPDX-License-Identifier: Apache-2.0
// A real disk that fails under the real daemon: a small file system fills up, is read-only or becomes
// so, and the database on it is damaged.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Story } from '../../demo/story.mjs';

const kMount = ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs'];
const kPassingDisk = fileURLToPath(new URL('passing_disk.py', import.meta.url));

function may(attempt) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-mount-'));
  try {
    attempt(dir);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const mayMount = () =>
  may((dir) => {
    execFileSync('mount', [...kMount, dir], { stdio: 'ignore' });
    execFileSync('umount', [dir], { stdio: 'ignore' });
  });

const mayFuse = () =>
  process.getuid() === 0 &&
  may(() => {
    accessSync('/dev/fuse');
    execFileSync('/usr/bin/python3', ['-c', 'import fusepy'], { stdio: 'ignore' });
  });

// An ext4 file system in a file, that becomes read-only at the first error, as on the box. Returns
// the file in which the kernel takes an order to find one.
function mountExt4(image, disk) {
  execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, disk], { stdio: 'ignore' });
  const device = execFileSync('findmnt', ['-n', '-o', 'SOURCE', disk]).toString().trim();
  return `/sys/fs/ext4/${path.basename(device)}/trigger_fs_error`;
}

function makeExt4(image) {
  closeSync(openSync(image, 'w'));
  truncateSync(image, 24 << 20);
  execFileSync('/sbin/mkfs.ext4', ['-q', '-F', image], { stdio: 'ignore' });
}

const mayBreakExt4 = () =>
  may((dir) => {
    const image = path.join(dir, 'image');
    const disk = path.join(dir, 'disk');
    mkdirSync(disk);
    makeExt4(image);
    const order = mountExt4(image, disk);
    const there = existsSync(order);
    execFileSync('umount', [disk]);
    assert.ok(there);
  });

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

function clear(dir, disk) {
  spawnSync('umount', ['-l', disk]); // it may be unmounted already
  rmSync(dir, { recursive: true, force: true });
}

// What the tests ask of a box.
function watch(shop) {
  return {
    trouble: (wanted, what) =>
      shop.until(async () => {
        const { store } = await shop.ctl('status');
        return wanted ? store.trouble !== '' : store.trouble === '';
      }, what),
    onTablet: (accept) => shop.stack.message('floor', 'welcome/v1/floor/status/+', accept, 20000),
    synced: () =>
      shop.until(
        async () => (await shop.ctl('status')).crm.feed.consents?.items >= 11,
        'the consents are here',
      ),
    withdraw: () => shop.crm('customer', 'consent', 'c-mia', 'proximity_offers', 'withdrawn'),
    withdrawn: () =>
      shop.until(async () => {
        const { consents } = await shop.ctl('customer', 'export', 'c-mia');
        return (
          consents.find((one) => one.purpose === 'proximity_offers').history.at(-1).state === 'withdrawn'
        );
      }, 'the withdrawal is stored'),
  };
}

test(
  'full, read-only, damaged: the box says so, decides nothing, and heals',
  { skip: !mayMount() && 'file systems cannot be mounted here' },
  async (t) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-disk-'));
    const disk = path.join(dir, 'disk');
    mkdirSync(disk);
    execFileSync('mount', [...kMount, disk]);
    const shop = new Story({ dir, pages: null, say: (line) => t.diagnostic(line) });
    const { trouble, onTablet, synced, withdraw, withdrawn } = watch(shop);
    try {
      await shop.prepare({ enrol: false });
      const start = () => shop.startDaemon({ box: { state_dir: disk } });
      let daemon = await start();
      await synced();
      const { public_key: key } = (await shop.ctl('status')).box;

      fill(disk);
      await withdraw();
      await trouble(true, 'the full disk shows');
      await onTablet((status) => status.trouble.includes('store'));
      truncateSync(path.join(disk, 'ballast'));
      await trouble(false, 'there is room again');
      await onTablet((status) => status.trouble.length === 0);
      await withdrawn();

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
      assert.equal((await shop.ctl('status')).box.public_key, key, 'it signs as before');
    } finally {
      await shop.stop();
      clear(dir, disk);
    }
  },
);

test(
  'read-only for a while: nothing is decided that is not stored, and all goes on',
  { skip: !mayFuse() && 'no FUSE here' },
  async (t) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-disk-'));
    const [disk, behind, flag] = ['disk', 'behind', 'read-only'].map((name) => path.join(dir, name));
    mkdirSync(disk);
    mkdirSync(behind);
    const shop = new Story({ dir, speed: 4, pages: null, say: (line) => t.diagnostic(line) });
    const { trouble, onTablet, synced, withdraw, withdrawn } = watch(shop);
    const offers = () => shop.inbox.paul.filter((message) => message.kind === 'offer');
    try {
      await shop.prepare({ enrol: false });
      await shop.followPhones();
      await shop.stack.start({
        name: 'disk',
        file: '/usr/bin/python3',
        args: [kPassingDisk, behind, disk, flag],
        ready: { line: /mounted/ },
      });
      shop.epoch = Date.now() + 4000;
      execFileSync(shop.program('welcome-shop'), [
        '--out',
        path.join(dir, 'shop.btsnoop'),
        '--start',
        `${shop.epoch}`,
      ]);
      const daemon = await shop.startDaemon({ replay: true, box: { state_dir: disk } });
      await synced();

      // Paul walks by from second 10 to 28, and would get an offer.
      writeFileSync(flag, '');
      await withdraw();
      await trouble(true, 'the read-only disk shows');
      assert.match((await shop.ctl('status')).store.trouble, /Read-only file system/);
      await onTablet((status) => status.trouble.includes('store'));
      await shop.at(32);
      await shop.until(async () => (await shop.ctl('status')).store.held_back > 0, 'Paul was heard');
      const { decisions } = await shop.ctl('status');
      assert.deepEqual([decisions.offers, decisions.prompts], [0, 0]);
      assert.deepEqual(offers(), []);
      assert.deepEqual(shop.prompts, []);
      assert.deepEqual(shop.events, [], 'nothing is told that is not stored');

      rmSync(flag);
      await trouble(false, 'the disk can be written again');
      await onTablet((status) => status.trouble.length === 0);
      await withdrawn();
      // He comes in at 52, to the desk at 64.
      await shop.until(
        () => shop.prompts.some((prompt) => prompt.greet.name.startsWith('Paul')),
        'the tablet shows Paul',
      );
      assert.equal(offers().length, 1, 'and he had his offer on the way');
      await shop.until(
        () => shop.events.some(({ type, data }) => type.includes('health') && data.part === 'store'),
        'the CRM hears of it',
      );

      // What was stored since is there after a cut.
      daemon.signal('SIGKILL');
      await daemon.ends();
      await shop.startDaemon({ box: { state_dir: disk } });
      await shop.until(async () => (await shop.ctl('status')).outbox.uplink === 0, 'everything was sent');
      const { stdout } = await shop.crm('--json', 'ledger');
      const ledger = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const made = (await shop.ctl('decisions')).filter(
        (one) => one.kind === 'offer' && one.reason === 'made',
      );
      assert.equal(made.length, 1);
      assert.equal(
        ledger.filter((entry) => entry.data.decision === made[0].id && entry.type.includes('offer')).length,
        1,
      );
      for (const event of shop.events)
        assert.ok(
          ledger.some((entry) => entry.id === event.id),
          event.type,
        );
      assert.equal((await shop.ctl('audit', 'verify')).intact, true);
    } finally {
      await shop.stop();
      clear(dir, disk);
    }
  },
);

test(
  'the kernel makes a broken disk read-only: the box says so, and goes on where it was after the repair',
  {
    skip: !mayBreakExt4() && 'no ext4 file system can be broken here',
  },
  async (t) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-disk-'));
    const [disk, image] = ['disk', 'image'].map((name) => path.join(dir, name));
    mkdirSync(disk);
    makeExt4(image);
    const breakIt = mountExt4(image, disk);
    const shop = new Story({ dir, pages: null, say: (line) => t.diagnostic(line) });
    const { trouble, onTablet, synced, withdraw, withdrawn } = watch(shop);
    try {
      await shop.prepare({ enrol: false });
      const start = () => shop.startDaemon({ box: { state_dir: disk } });
      const daemon = await start();
      await synced();
      writeFileSync(breakIt, 'a test');
      await withdraw();
      await trouble(true, 'the read-only disk shows');
      assert.match((await shop.ctl('status')).store.trouble, /Read-only file system/);
      await onTablet((status) => status.trouble.includes('store'));
      const { session } = (await shop.ctl('status')).box;
      assert.equal((await daemon.stop()).code, 0, 'it can be stopped');
      await assert.rejects(start(), /exit code 1[^]*read-only/, 'it does not start, and says why');

      execFileSync('umount', [disk]);
      assert.ok(spawnSync('/sbin/e2fsck', ['-p', image]).status <= 1, 'repaired');
      mountExt4(image, disk);
      await start();
      await trouble(false, 'nothing is wrong');
      await withdrawn();
      assert.equal((await shop.ctl('status')).box.session, session + 1, 'it is the same database');
      assert.equal((await shop.ctl('audit', 'verify')).intact, true);
      assert.deepEqual(
        readdirSync(disk).filter((name) => name.includes('.corrupt')),
        [],
      );
    } finally {
      await shop.stop();
      clear(dir, disk);
    }
  },
);
