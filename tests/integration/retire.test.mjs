// SPDX-License-Identifier: Apache-2.0
// A box is retired: head office has its proof before the key goes, nobody else can prove it, and afterwards the
// key is in no file.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const kKey = 'a7'.repeat(32);

function run(name, args) {
  return new Promise((resolve) =>
    execFile(path.join(kBin, name), args, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    ),
  );
}

function* files(folder) {
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    if (statSync(file).isDirectory()) yield* files(file);
    else if (statSync(file).isFile()) yield file;
  }
}

// A CRM, a broker, and a machine below a folder of its own that is a box.
async function company(t, key = kKey) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-retire-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const name = `${stack.store}/${stack.box}`;
  const crm = (...args) => run('welcome-crm', ['-d', path.join(dir, 'crm.db'), ...args]);
  assert.equal((await crm('init', '--tenant', 'demo', '--controller', 'Aroma Ltd')).code, 0);
  assert.equal((await crm('boxes', 'admit', name)).code, 0);
  assert.equal((await crm('sign-keys', '--new')).code, 0);
  const password = path.join(dir, 'password');
  writeFileSync(password, stack.accounts.crm, { mode: 0o600 });
  const serve = () =>
    stack.start({
      name: 'serve',
      file: path.join(kBin, 'welcome-crm'),
      args: [
        ...['-d', path.join(dir, 'crm.db'), 'serve'],
        ...['--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`, '--password-file', password],
      ],
      ready: { line: /connected/ },
    });

  const root = path.join(dir, 'machine');
  const state = path.join(dir, 'state');
  for (const folder of ['etc/welcomed/conf.d', 'etc/credstore', path.dirname(state)])
    mkdirSync(path.join(root, folder), { recursive: true });
  mkdirSync(state);
  symlinkSync(state, path.join(root, state));
  writeFileSync(path.join(root, 'etc/credstore/welcomed.box-key'), key);
  writeFileSync(path.join(root, 'etc/credstore/welcomed.uplink-password'), stack.accounts[stack.address]);
  writeFileSync(path.join(root, 'etc/welcomed/crm-keys'), (await crm('sign-keys')).stdout);
  const conf = path.join(root, 'etc/welcomed/welcomed.conf');
  const socket = path.join(dir, 'control.sock');
  writeFileSync(
    conf,
    `[box]\ntenant = demo\nstore = ${stack.store}\nid = ${stack.box}\nstate_dir = ${state}\n` +
      `control_socket = ${socket}\n[uplink]\nport = ${stack.ports.uplink}\nuser = ${stack.address}\n` +
      `[vision]\nmodels_dir = ${kRoot}/build/models\n[consent]\ncrm_keys = ${root}/etc/welcomed/crm-keys\n`,
  );
  const box = () =>
    stack.start({
      name: 'box',
      file: path.join(kBin, 'welcomed'),
      args: ['--config', conf],
      credentials: { 'box-key': key, 'uplink-password': stack.accounts[stack.address] },
      ready: { line: /is ready/ },
    });
  const retire = (...args) =>
    run('welcomectl', ['retire', '--yes', '--socket', socket, '--root', root, ...args]);
  const status = async () => {
    const said = await run('welcomectl', ['--socket', socket, 'status', '--json']);
    return said.code === 0 ? JSON.parse(said.stdout) : {};
  };
  const list = async () => JSON.parse((await crm('--json', 'boxes', 'list')).stdout);
  return { dir, root, state, name, stack, crm, serve, box, retire, status, list };
}

// What systemd keeps in memory alone lies in a folder here.
function without_key({ dir, root, state }) {
  rmSync(path.join(dir, 'box/credentials'), { recursive: true, force: true });
  for (const file of files(dir)) {
    const bytes = readFileSync(file);
    assert.ok(!bytes.includes(kKey) && !bytes.includes(Buffer.from(kKey, 'hex')), file);
  }
  assert.deepEqual(readdirSync(state), []);
  assert.deepEqual(readdirSync(path.join(root, 'etc/credstore')), []);
  assert.deepEqual([...files(path.join(root, 'etc/welcomed'))], []);
}

async function until(what, holds) {
  for (const end = Date.now() + 30000; !(await holds()); ) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('head office has the proof before the key goes, and nothing is left', async (t) => {
  const all = await company(t);
  await all.serve();
  const box = await all.box();
  await until('the CRM knows its key', async () => (await all.list())[0].key);
  const said = await all.retire();
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /as installed/);
  await box.ends();
  const [row, ...others] = await all.list();
  assert.equal(row.state, 'retired');
  assert.deepEqual(others, [], 'its last words are no stranger');
  assert.match(row.retired_at, /^20/);
  assert.match((await all.crm('boxes', 'list')).stdout, /retired, with proof, 20/);
  without_key(all);
});

test('while the line is away nothing is destroyed, and head office takes the proof as text', async (t) => {
  const all = await company(t);
  const serving = await all.serve();
  const box = await all.box();
  await until('the CRM knows its key', async () => (await all.list())[0].key);
  await serving.stop();
  const waited = await all.retire('--for', '3s');
  assert.equal(waited.code, 1);
  assert.match(waited.stderr, /head office has not taken it .*nothing is destroyed/);
  assert.equal(readFileSync(path.join(all.root, 'etc/credstore/welcomed.box-key'), 'utf8'), kKey);

  // Somebody else has signed the same words.
  const other = await company(t, 'b8'.repeat(32));
  await other.box();
  const forged = await other.retire('--without-proof');
  const [, theirs] = forged.stderr.match(/--proof '(\{.*\})'/);
  assert.equal((await all.crm('boxes', 'retired', all.name, '--proof', theirs)).code, 1);
  assert.equal((await all.list())[0].admitted, true);

  const shown = await all.retire('--without-proof');
  const [, proof] = shown.stderr.match(/--proof '(\{.*\})'/);
  await box.stop();
  assert.equal(shown.code, 0, shown.stderr);
  assert.equal((await all.crm('boxes', 'retired', all.name, '--proof', proof)).code, 0);
  assert.equal((await all.list())[0].state, 'retired');
});

test('a plug that is pulled before head office has it does not end the retirement', async (t) => {
  const all = await company(t);
  const serving = await all.serve();
  const box = await all.box();
  await until('the CRM knows its key', async () => (await all.list())[0].key);
  await serving.stop();
  const { state, root, dir } = all;
  const finish = () => run('welcomectl', ['factory-reset', '--finish', '--root', root]);
  const retiring = spawn(
    path.join(kBin, 'welcomectl'),
    [...['retire', '--yes', '--socket', path.join(dir, 'control.sock'), '--root', root]],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => retiring.once('close', resolve));
  await until('it waits for head office', () => existsSync(path.join(root, 'etc/welcomed/reset')));
  await until('the box has said it', async () => (await all.status()).box?.retirement === 'said');
  // The plug: both at once, and what each start of the service does first.
  retiring.kill('SIGKILL');
  await ended;
  await box.kill();
  assert.equal((await finish()).code, 0);
  assert.equal(readFileSync(path.join(root, 'etc/credstore/welcomed.box-key'), 'utf8'), kKey);

  // It is a box still, and says its last word again; when that is taken, it starts once more, and that is its end.
  const again = await all.box();
  await all.serve();
  const { code } = await again.ends();
  assert.equal(code, 1, 'systemd starts it again');
  assert.ok(existsSync(path.join(state, 'retired')));
  const over = await finish();
  assert.equal(over.code, 1);
  assert.match(over.stderr, /was reset, and is no box any more/);
  assert.equal((await all.list())[0].state, 'retired');
  without_key(all);
});

test('a retirement that was called off ends no box when head office hears of it later', async (t) => {
  const all = await company(t);
  const serving = await all.serve();
  const box = await all.box();
  await until('the CRM knows its key', async () => (await all.list())[0].key);
  await serving.stop();
  assert.equal((await all.retire('--for', '2s')).code, 1);
  // Ctrl-C, too.
  const retiring = spawn(
    path.join(kBin, 'welcomectl'),
    [...['retire', '--yes', '--socket', path.join(all.dir, 'control.sock'), '--root', all.root]],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => retiring.once('close', resolve));
  await until('it waits', () => existsSync(path.join(all.root, 'etc/welcomed/reset')));
  retiring.kill('SIGINT');
  await ended;
  assert.equal(existsSync(path.join(all.root, 'etc/welcomed/reset')), false);

  await all.serve();
  assert.equal((await box.ends()).code, 1, 'once: to see whether somebody began to retire it');
  assert.equal((await run('welcomectl', ['factory-reset', '--finish', '--root', all.root])).code, 0);
  await all.box();
  const doctor = await run('welcomectl', ['--socket', path.join(all.dir, 'control.sock'), 'doctor']);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /^WRONG +line +this box is retired/m);
  assert.equal((await all.retire()).code, 0, 'said again it goes on');
  without_key(all);
});

test('another key under the same name proves nothing to a CRM that listens', async (t) => {
  const all = await company(t);
  const trusted = 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=';
  assert.equal((await all.crm('boxes', 'trust', all.name, '--key', trusted)).code, 0);
  await all.serve();
  const box = await all.box();
  const said = await all.retire('--for', '5s');
  assert.equal(said.code, 1);
  assert.match(said.stderr, /nothing is destroyed/);
  assert.equal((await all.list())[0].admitted, true);
  assert.equal(readFileSync(path.join(all.root, 'etc/credstore/welcomed.box-key'), 'utf8'), kKey);
  // Head office trusts it after all: said again, it is the same word, and ends.
  assert.equal((await all.crm('boxes', 'trust', all.name)).code, 0);
  const again = await all.retire();
  assert.equal(again.code, 0, again.stderr);
  await box.ends();
  assert.equal((await all.list())[0].state, 'retired');
  without_key(all);
});
