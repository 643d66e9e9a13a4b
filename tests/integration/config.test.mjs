// SPDX-License-Identifier: Apache-2.0
// `welcomectl config …` as a technician types it: files are read, changed and refused by the real programs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const kModels = path.join(kRoot, 'build/models');

// welcomectl for a box whose configuration, socket and secrets are in this folder.
function command(dir) {
  const [conf, socket, credentials] = ['welcomed.conf', 'control.sock', 'credentials'].map((name) =>
    path.join(dir, name),
  );
  return (...args) =>
    new Promise((resolve) =>
      execFile(
        path.join(kBin, 'welcomectl'),
        ['config', ...args, '--config', conf, ...(args[0] === 'check' ? [] : ['--socket', socket])],
        { env: { ...process.env, CREDENTIALS_DIRECTORY: credentials } },
        (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }),
      ),
    );
}

// A box's folder of configuration, and its secrets.
function folder(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-config-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(path.join(dir, 'conf.d'));
  mkdirSync(path.join(dir, 'credentials'));
  writeFileSync(path.join(dir, 'credentials/box-key'), '11'.repeat(32));
  const conf = path.join(dir, 'welcomed.conf');
  const local = path.join(dir, 'conf.d/90-local.conf');
  writeFileSync(
    conf,
    `# Ours.\n[box]\ntenant = demo\nstore = aroma-1\nid = box-1\n[vision]\nmodels_dir = ${kModels}\n`,
  );
  const ctl = command(dir);
  return { dir, conf, local, ctl, text: () => readFileSync(local, 'utf8') };
}

test('a key is set, read and taken out again, and nothing else of the file changes', async (t) => {
  const { conf, local, ctl, text } = folder(t);
  let said = await ctl('set', 'radio.leave_after_s', '30', 'zones.desk_m', '3');
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /written to .*90-local\.conf\nsystemctl restart welcomed/);
  assert.match(text(), /\n\[radio\]\nleave_after_s = 30\n\n\[zones\]\ndesk_m = 3\n$/);
  assert.equal((await ctl('get', 'radio.leave_after_s')).stdout, '30\n');
  assert.equal((await ctl('get', 'uplink.port')).stdout, '8883\n');
  const all = (await ctl('get')).stdout;
  assert.match(all, new RegExp(`box\\.tenant = demo +# ${conf}:3\n`));
  assert.match(all, /uplink\.port = 8883 +# default\n/);
  const zones = JSON.parse((await ctl('get', 'zones', '--json')).stdout);
  assert.equal(zones.find((one) => one.key === 'zones.desk_m').where, `${local}:7`);
  writeFileSync(local, text().replace('desk_m = 3', 'desk_m = 3  # by the till'));
  said = await ctl('set', 'zones.desk_m', '2');
  assert.match(said.stdout, /systemctl reload welcomed/);
  assert.match(text(), /desk_m = 2 {2}# by the till/);
  const diff = (await ctl('diff')).stdout;
  assert.match(diff, /zones\.desk_m = 2 /);
  assert.doesNotMatch(diff, /uplink\.port/);
  assert.equal((await ctl('unset', 'radio.leave_after_s')).code, 0);
  assert.equal((await ctl('get', 'radio.leave_after_s')).stdout, '20\n');
  assert.doesNotMatch(text(), /radio/);
  said = await ctl('unset', 'box.tenant');
  assert.equal(said.code, 1);
  assert.match(said.stderr, new RegExp(`does not stand in .*see ${conf}:3`));
});

test('what the check would refuse is refused with its words, and nothing changes', async (t) => {
  const { dir, local, ctl, text } = folder(t);
  assert.equal((await ctl('set', 'zones.desk_m', '2')).code, 0);
  const before = text();
  const refused = async (...args) => {
    const said = await ctl('set', ...args);
    assert.notEqual(said.code, 0, args.join(' '));
    assert.equal(text(), before);
    assert.deepEqual(readdirSync(path.join(dir, 'conf.d')), ['90-local.conf']);
    return said.stderr;
  };
  for (const [key, value] of [
    ['uplink.port', '-1'],
    ['radio.sorce', 'hci'],
    ['radio.ibeacon', 'x'],
    ['uplink.host', '"broker.example"'],
    ['uplink.host', 'broker.example'],
    ['zones.desk_m', '9'],
    ['uplink.tls_ca', '/nowhere/ca.pem'],
  ]) {
    const words = (await refused(key, value)).split('\n').filter((line) => line.startsWith('welcomed: '));
    // The same file put there by hand, and checked.
    const section = key.slice(0, key.indexOf('.'));
    writeFileSync(
      local,
      section === 'zones'
        ? before.replace('= 2', `= ${value}`)
        : `${before}\n[${section}]\n${key.slice(section.length + 1)} = ${value}\n`,
    );
    const check = (await ctl('check')).stderr.split('\n').filter(Boolean);
    writeFileSync(local, before);
    assert.deepEqual(words, check, key);
    assert.ok(check.length > 0, key);
  }
  assert.match(await refused('radio.device', 'hci0 # mine'), /one line/);
  assert.match(await refused('uplink.user', 'box-1', 'box.id'), /pairs/);
  assert.match((await ctl('get', 'radio.sorce')).stderr, /did you mean 'radio\.source'\?/);
  // The walk test's file is read after it.
  writeFileSync(path.join(dir, 'conf.d/95-site.conf'), '[zones]\ndesk_m = 1\n');
  const said = await ctl('set', 'zones.desk_m', '3');
  assert.equal(said.code, 1);
  assert.match(said.stderr, /95-site\.conf:2 says zones\.desk_m as well/);
  assert.equal(text(), before);
});

test('a running box says what was changed since it started, and takes it over', async (t) => {
  if (!existsSync(kModels)) return t.skip('the face models are not prepared');
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-config-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await stack.startBox({ file: path.join(kBin, 'welcomed') });
  const ctl = command(path.join(dir, 'welcomed'));
  assert.deepEqual(JSON.parse((await ctl('diff', '--json')).stdout).changed, []);
  assert.equal((await ctl('set', 'zones.desk_m', '3', 'visits.end_after_s', '60')).code, 0);
  assert.match(
    (await ctl('diff')).stdout,
    /changed since welcomed read it:\nzones\.desk_m: 2\.5 -> 3 {2}# reload welcomed\nvisits\.end_after_s: 120 -> 60 {2}# restart/,
  );
  assert.match((await ctl('set', 'zones.desk_m', '3.5', '--apply')).stdout, /\nin force\n/);
  const changed = JSON.parse((await ctl('diff', '--json')).stdout).changed;
  assert.deepEqual(
    changed.map(({ key }) => key),
    ['visits.end_after_s'],
  );
});
