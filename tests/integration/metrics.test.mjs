// SPDX-License-Identifier: Apache-2.0
// What a box says to Prometheus, read by Prometheus' own programs: well, broken, and away.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const kDocumented = readFileSync(path.join(kRoot, 'docs/metrics.md'), 'utf8');

// Every family as a Prometheus client reads it: name, type, unit and samples.
const kReader = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
print(json.dumps([[f.name, f.type, f.unit, [[s.name, s.labels, str(s.value)] for s in f.samples]]
                  for f in read(sys.stdin.read())]))`;

function read(text) {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', kReader], {
    input: text,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout).map(([name, type, unit, samples]) => ({ name, type, unit, samples }));
}

function check(text) {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  assert.equal(stdout + stderr, '', 'promtool finds nothing');
  assert.equal(status, 0);
}

function ctl(socket, ...args) {
  return new Promise((resolve) =>
    execFile(path.join(kBin, 'welcomectl'), ['--socket', socket, ...args], (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    ),
  );
}

test('Prometheus reads what a box says, and a metric is there also when something is broken', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-metrics-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const socket = path.join(dir, 'welcomed/control.sock');
  const start = (conf) =>
    stack.startBox({
      file: path.join(kBin, 'welcomed'),
      conf: { consent: { unsigned: 'yes' }, ...conf },
    });
  // All samples, from both forms, which say the same.
  const look = async () => {
    const text = await ctl(socket, 'metrics');
    assert.equal(text.code, 0, text.stderr);
    check(text.stdout);
    const open = await ctl(socket, 'metrics', '--openmetrics');
    const families = read(open.stdout);
    const names = (words) => [...new Set(words.map((line) => line.replace(/[{ ].*/, '')))].sort();
    assert.deepEqual(
      names(text.stdout.split('\n').filter((line) => line && !line.startsWith('#'))),
      names(families.flatMap(({ samples }) => samples.map(([name]) => name))),
    );
    for (const { name, type, unit, samples } of families) {
      assert.ok(samples.length, name);
      assert.notEqual(type, 'unknown', name);
      if (/_(seconds|bytes)$/.test(name)) assert.equal(unit, name.replace(/.*_/, ''));
      const shown = type === 'histogram' ? name : samples[0][0];
      assert.ok(kDocumented.includes(`| \`${shown}`), `${shown} is documented`);
    }
    return new Map(
      families.flatMap(({ samples }) =>
        samples.map(([name, labels, value]) => [[name, ...Object.values(labels)].join(' '), Number(value)]),
      ),
    );
  };

  await start({
    radio: { source: 'hci', device: 'unix:{dir}/no-controller' },
    camera: { source: 'v4l2', path: '{dir}/no-camera' },
  });
  const broken = await look();
  assert.equal(broken.get('welcomed_up'), 1);
  assert.equal(broken.get('welcomed_radio_configured'), 1);
  assert.equal(broken.get('welcomed_radio_running'), 0);
  assert.equal(broken.get('welcomed_camera_health main gone'), 1);
  assert.equal(broken.get('welcomed_light camera red'), 1);
  assert.equal(broken.get('welcomed_consents_firm'), 0, 'no CRM was heard');
  assert.equal(broken.get('welcomed_crm_heard_timestamp_seconds'), 0);
  assert.equal(broken.get('welcomed_store_writable'), 1);
  assert.ok(broken.get('welcomed_disk_free_bytes') > 0);
  await stack.program('welcomed').stop();

  await start({});
  const bare = await look();
  assert.deepEqual(
    [...broken.keys()].filter((name) => !bare.has(name) && !name.startsWith('welcomed_camera')),
    [],
    'without radio and camera nothing else is missing',
  );
  assert.equal(bare.get('welcomed_radio_configured'), 0);
  assert.equal(bare.get('welcomed_radio_running'), 0);
  assert.equal(bare.get('welcomed_light radio off'), 1);

  // For the textfile collector: whole, for all to read, and also when nothing answers.
  const file = path.join(dir, 'welcomed.prom');
  assert.equal((await ctl(socket, 'metrics', '--output', file)).code, 0);
  assert.match(readFileSync(file, 'utf8'), /^welcomed_up 1$/m);
  assert.equal(statSync(file).mode & 0o777, 0o644);
  await stack.program('welcomed').stop();
  assert.equal((await ctl(socket, 'metrics', '--output', file)).code, 3);
  const away = readFileSync(file, 'utf8');
  check(away);
  assert.match(away, /^welcomed_up 0$/m);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.endsWith('.new')),
    [],
  );
  assert.equal((await ctl(socket, 'metrics', '--output', path.join(dir, 'no/file'))).code, 1);
});
