// SPDX-License-Identifier: Apache-2.0
// A box gets another password at the central broker without a technician: real Mosquitto, welcome-crm and welcomed;
// stopped in the middle of it wherever that hurts, and away for longer than a password lasts.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

function run(name, args) {
  return new Promise((resolve) =>
    execFile(path.join(kBin, name), args, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    ),
  );
}

async function until(what, holds, ms = 40000) {
  for (const end = Date.now() + ms; ; ) {
    const found = await holds();
    if (found) return found;
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function company(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-renew-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const database = path.join(dir, 'crm.db');
  const crm = async (...args) => {
    const done = await run('welcome-crm', ['-d', database, ...args]);
    assert.equal(done.code, 0, done.stdout + done.stderr);
    return done.stdout;
  };
  const name = `${stack.store}/${stack.box}`;
  await crm('init', '--tenant', 'demo', '--controller', 'Aroma Ltd');
  await crm('boxes', 'admit', name);
  await crm('sign-keys', '--new');
  writeFileSync(path.join(dir, 'crm-keys'), await crm('sign-keys'));
  writeFileSync(path.join(dir, 'password'), stack.accounts.crm, { mode: 0o600 });
  await stack.start({
    name: 'serve',
    file: path.join(kBin, 'welcome-crm'),
    args: [
      ...['-d', database, 'serve', '--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`],
      ...['--password-file', path.join(dir, 'password')],
    ],
    ready: { line: /connected/ },
  });
  const files = stack.brokerFiles('uplink');
  const it = {
    ...{ dir, stack, crm, name, database, files },
    box: () =>
      stack.startBox({
        file: path.join(kBin, 'welcomed'),
        conf: { consent: { crm_keys: path.join(dir, 'crm-keys') } },
      }),
    // As a timer at head office says it every day; the answer.
    renew: async (...more) =>
      JSON.parse(await crm('--json', 'boxes', 'renew', '--broker-files', files, ...more)),
    reload: () => stack.program('mosquitto-central').signal('SIGHUP'),
    kept: () => {
      try {
        return JSON.parse(readFileSync(path.join(dir, 'welcomed/uplink-password'), 'utf8'));
      } catch {
        return {};
      }
    },
    line: () =>
      readFileSync(path.join(files, 'passwords'), 'utf8')
        .split('\n')
        .find((one) => one.startsWith(`${stack.address}:`)),
    status: async () => {
      const socket = path.join(dir, 'welcomed/control.sock');
      const said = await run('welcomectl', ['--socket', socket, 'status', '--json']);
      return said.code === 0 ? JSON.parse(said.stdout) : null;
    },
    online: () => until('the box is online', async () => (await it.status())?.links.uplink.state === 'up'),
    // The old one opens nothing any more.
    refuses: (password) =>
      assert.rejects(stack.connect('uplink', stack.address, { password, clientId: stack.address })),
    made: () => until('the box makes a password', () => it.kept().next),
    came: () => until('it is in the CRM', async () => (await it.renew('--days', '3650')).put === 1),
    settled: () => until('the new one has come in', () => it.kept().now && !it.kept().next),
  };
  return it;
}

test('a password is renewed on the line, and the one before opens nothing any more', async (t) => {
  const it = await company(t);
  const old = it.stack.accounts[it.stack.address];
  await it.box();
  await it.online();
  assert.equal((await it.renew('--days', '3650')).asked, 0, 'it is young');
  assert.equal((await it.renew(it.name)).asked, 1);
  const next = await it.made();
  const before = it.line();
  await it.came();
  assert.notEqual(it.line(), before);
  it.reload();
  await it.settled();
  await it.online();
  assert.equal(it.kept().now, next);
  await it.refuses(old);
  // Head office has never had it.
  for (const file of ['crm.db', 'crm.db-wal', 'serve.log', 'welcomed.log', 'mosquitto-central/passwords'])
    assert.ok(!readFileSync(path.join(it.dir, file)).includes(next), file);
  // The next start comes in at once, with the credential that is no good any more beside it.
  await it.stack.program('welcomed').stop();
  await it.box();
  await it.online();
  // And the next one.
  await it.renew(it.name);
  const third = await it.made();
  await it.came();
  it.reload();
  await until('the third has come in', () => it.kept().now === third);
  await it.refuses(next);
});

test('with the plug pulled anywhere in between the box comes in', async (t) => {
  const it = await company(t);
  let box = await it.box();
  await it.online();
  // Made, and perhaps not said: the broker has the old one.
  await it.renew(it.name);
  await it.made();
  await box.kill();
  box = await it.box();
  await it.online();
  // Said, in the broker's file, and the broker has not read it.
  await it.came();
  await box.kill();
  box = await it.box();
  await it.online();
  // Read, and the box is away.
  await box.kill();
  it.reload();
  box = await it.box();
  await it.settled();
  await it.online();
  // The command was killed between the broker's file and its own note: said again it is the same line.
  const line = it.line();
  execFileSync('/usr/bin/python3', [
    '-c',
    'import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=30); db.execute("UPDATE renewal SET put_at = NULL"); db.commit()',
    it.database,
  ]);
  assert.equal((await it.renew('--days', '3650')).put, 1);
  assert.equal(it.line(), line);
  it.reload();
  await it.online();
  // The broker's files were put back from a copy: what the technician gave is tried, too.
  await box.kill();
  execFileSync('mosquitto_passwd', [
    ...['-b', path.join(it.files, 'passwords'), it.stack.address, it.stack.accounts[it.stack.address]],
  ]);
  it.reload();
  await it.box();
  await it.online();
});

test('a box that was away for longer than a password lasts comes in, and then gets a new one', async (t) => {
  const it = await company(t);
  const box = await it.box();
  await it.online();
  await box.stop();
  assert.equal((await it.renew('--days', '0')).asked, 1, 'its password is old');
  assert.equal((await it.renew('--days', '0')).asked, 0, 'asked once');
  await it.box();
  await it.online();
  await it.made();
  await it.came();
  it.reload();
  await it.settled();
  await it.online();
});
