// SPDX-License-Identifier: Apache-2.0
// A box whose radio and camera are away: its technician sees it, head office does, and so do the staff.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

// How it ended, and what it said.
function run(name, args) {
  return new Promise((resolve) =>
    execFile(path.join(kBin, name), args, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    ),
  );
}

const lamps = (lights) => Object.fromEntries(lights.map(({ light, lamp }) => [light, lamp]));

test('a radio and a camera that are away are seen by technician, head office and staff', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-lights-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const crm = (...args) => run('welcome-crm', ['-d', path.join(dir, 'crm.db'), ...args]);
  assert.equal((await crm('init', '--tenant', 'demo', '--controller', 'Aroma Ltd')).code, 0);
  assert.equal((await crm('boxes', 'admit', `${stack.store}/${stack.box}`)).code, 0);
  assert.equal((await crm('sign-keys', '--new')).code, 0);
  const keys = path.join(dir, 'crm-keys');
  writeFileSync(keys, (await crm('sign-keys')).stdout);
  const password = path.join(dir, 'password');
  writeFileSync(password, stack.accounts.crm, { mode: 0o600 });
  await stack.start({
    name: 'serve',
    file: path.join(kBin, 'welcome-crm'),
    args: [
      ...['-d', path.join(dir, 'crm.db'), 'serve'],
      ...['--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`, '--password-file', password],
    ],
    ready: { line: /connected/ },
  });
  await stack.startBox({
    file: path.join(kBin, 'welcomed'),
    conf: {
      consent: { crm_keys: keys },
      radio: { source: 'hci', device: 'unix:{dir}/no-controller' },
      camera: { source: 'v4l2', path: '{dir}/no-camera' },
    },
  });
  const ctl = (...args) =>
    run('welcomectl', ['--socket', path.join(stack.run, 'welcomed/control.sock'), ...args]);

  // The staff are told when it has lasted, and head office with them.
  const floor = await stack.message(
    'floor',
    `welcome/v1/floor/status/${stack.box}`,
    (status) => status.trouble.includes('radio') && status.trouble.includes('camera'),
    60000,
  );
  assert.equal(floor.box, stack.box);
  const state = await stack.message('uplink', `${stack.prefix}/state`, (said) => said.lights, 60000);
  assert.equal(lamps(state.lights).radio, 'red');

  const doctor = await ctl('doctor');
  assert.equal(doctor.code, 1, doctor.stderr);
  assert.match(doctor.stdout, /^WRONG +radio +recovering: /m);
  assert.match(doctor.stdout, /^WRONG +camera +main gone: /m);
  assert.match(doctor.stdout, /^ +-> its cable and power; camera\.path/m);
  assert.ok(doctor.stdout.split('\n').every((line) => line.length <= 80));
  const said = lamps(JSON.parse((await ctl('doctor', '--json')).stdout));
  assert.equal(Object.keys(said).length, 9);
  assert.equal(said.store, 'green');

  // The CRM has it with the message after the broker had it.
  for (const end = Date.now() + 30000; ; ) {
    const fleet = await crm('fleet');
    if (/WRONG radio, camera|WRONG camera, radio/.test(fleet.stdout)) {
      assert.equal(fleet.code, 1);
      assert.match(fleet.stdout, /aroma-1\/box-1 +camera +\S+Z +main gone: /);
      break;
    }
    assert.ok(Date.now() < end, fleet.stdout + fleet.stderr);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }

  // The same for Prometheus: every counter that serve has, and no finding.
  const counted = JSON.parse((await crm('status', '--json')).stdout)[0].counters;
  const metrics = (await crm('metrics')).stdout;
  const found = spawnSync('promtool', ['check', 'metrics'], { input: metrics, encoding: 'utf8' });
  assert.equal(found.stdout + found.stderr, '');
  assert.match(metrics, /^welcome_crm_boxes 1$/m);
  assert.match(metrics, /^welcome_crm_box_online\{store="aroma-1",box="box-1"\} 1$/m);
  assert.match(metrics, /^welcome_crm_box_light\{.*light="camera",welcome_crm_box_light="red"\} 1$/m);
  assert.match(metrics, /^welcome_crm_serve_connected\{serve="crm"\} 1$/m);
  for (const name of Object.keys(counted))
    assert.match(metrics, new RegExp(`^welcome_crm_${name}_total\\{serve="crm"\\} \\d+$`, 'm'));
  const file = path.join(dir, 'crm.prom');
  assert.equal((await crm('metrics', '--openmetrics', '--output', file)).code, 0);
  assert.match(readFileSync(file, 'utf8'), /^# TYPE welcome_crm_hellos counter$[^]*\n# EOF\n$/m);

  const asked = await crm('fleet', 'ask', 'aroma-1/box-1');
  assert.equal(asked.code, 0, asked.stderr);
  const whole = JSON.parse(asked.stdout);
  assert.equal(whole.cameras.main.health, 'gone');
  assert.equal(whole.radio.source, 'recovering');
  assert.equal((await crm('fleet', 'ask', 'aroma-1/box-9')).code, 1);

  // And where nothing runs, doctor says where to look.
  await stack.program('welcomed').stop();
  const away = await ctl('doctor');
  assert.equal(away.code, 3);
  assert.match(away.stderr, /systemctl status welcomed/);
});
