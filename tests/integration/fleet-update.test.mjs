// SPDX-License-Identifier: Apache-2.0
// Head office hands a release out, and a box fetches it by itself: the real welcome-crm, Mosquitto, nginx as the
// door's proxy, welcomed, and the image's own scripts. Only `rauc` and `systemctl` are not the machine's: fakes
// that note what they were asked, for there is no second slot here (tests/vm/image.d/fleet.sh has one).

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { after, before, describe, it } from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const kScripts = path.join(kRoot, 'packaging/image/tree/usr/lib/welcome-image');

function run(file, args, env = {}) {
  return new Promise((resolve) =>
    execFile(file, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    ),
  );
}

// What `./dev image` makes, as far as anybody but RAUC looks at it.
function bundle(version, megabytes = 3) {
  const manifest = `[update]\ncompatible=welcome-box-amd64\nversion=${version}\n\n[bundle]\nformat=verity\n`;
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(manifest.length));
  return Buffer.concat([
    Buffer.from('hsqs'),
    Buffer.alloc(megabytes << 20, version),
    Buffer.from(manifest),
    length,
  ]);
}

async function eventually(look, what, ms = 30000) {
  for (const end = Date.now() + ms; ; ) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('an update that head office hands out', () => {
  let dir, stack, door, image;
  const crm = (...args) => run(path.join(kBin, 'welcome-crm'), ['-d', path.join(dir, 'crm.db'), ...args]);
  const good = async (...args) => {
    const done = await crm(...args);
    assert.equal(done.code, 0, done.stdout + done.stderr);
    return done.stdout;
  };
  const fleet = async () => JSON.parse((await crm('--json', 'fleet')).stdout)[0].image;
  const order = () => {
    try {
      return JSON.parse(readFileSync(path.join(dir, 'run/welcomed/update-order.json'), 'utf8'));
    } catch {
      return {};
    }
  };
  // As welcome-fetch.service runs it whenever the order changes.
  const fetch = (more = {}) =>
    run(path.join(kScripts, 'fetch'), [], {
      PATH: `${path.join(dir, 'fakes')}:${process.env.PATH}`,
      CURL_CA_BUNDLE: path.join(dir, 'cert.pem'),
      WELCOME_IMAGE: path.join(image, 'state'),
      WELCOME_IMAGE_LIB: path.join(image, 'lib'),
      WELCOME_ORDER: path.join(dir, 'run/welcomed/update-order.json'),
      WELCOME_FETCHED: path.join(image, 'fetched'),
      ...more,
    });
  // As /usr/lib/welcome-image/health after the start.
  const report = (step, why = '') =>
    execFileSync(path.join(image, 'lib/report'), [step, why], {
      env: {
        ...process.env,
        WELCOME_IMAGE: path.join(image, 'state'),
        WELCOME_IMAGE_LIB: path.join(image, 'lib'),
      },
    });
  const reported = () => JSON.parse(readFileSync(path.join(image, 'state/update.json'), 'utf8'));
  const runs = (version) => writeFileSync(path.join(image, 'lib/version'), `${version}\n`);
  const asked = () => {
    const file = path.join(dir, 'asked');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    rmSync(file, { force: true });
    return lines;
  };
  const fake = (name, script) => {
    const file = path.join(dir, 'fakes', name);
    writeFileSync(file, `#!/bin/bash\n# A fake ${name}.\n${script}\n`);
    chmodSync(file, 0o755);
  };
  const rauc = (script = 'sha256sum <"$2" | cut -c1-64') =>
    fake('rauc', `echo "rauc $1 $(${script})" >>${dir}/asked; exit \${FAKE_RAUC:-0}`);
  const publish = async (version, megabytes) => {
    const file = path.join(dir, `${version}.raucb`);
    const bytes = bundle(version, megabytes);
    writeFileSync(file, bytes);
    await good('fleet', 'release', 'add', file, '--folder', path.join(dir, 'releases'));
    return createHash('sha256').update(bytes).digest('hex');
  };
  const stage = (...args) => good('fleet', 'update', '--stage', '100%', '--door', door, ...args);
  // The box knows it.
  const ordered = (version) => eventually(() => order().version === version, `no order for ${version}`);
  const says = (step, version) =>
    eventually(async () => {
      const said = await fleet();
      return said.step === step && said.version === version && said;
    }, `the CRM does not know: ${step} ${version}`);

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-fleet-'));
    image = path.join(dir, 'image');
    for (const name of ['fakes', 'releases', 'image/lib', 'image/state', 'nginx/tmp'])
      mkdirSync(path.join(dir, name), { recursive: true });
    chmodSync(dir, 0o755);
    writeFileSync(path.join(image, 'lib/report'), readFileSync(path.join(kScripts, 'report')), {
      mode: 0o755,
    });
    runs('1.3.0');
    report('idle');
    rauc();
    fake('systemctl', `echo "systemctl $*" >>${dir}/asked`);

    stack = await startStack({ run: path.join(dir, 'run'), pages: null });
    await good('init', '--tenant', 'demo', '--controller', 'Aroma Ltd');
    await good('boxes', 'admit', `${stack.store}/${stack.box}`);
    await good('sign-keys', '--new');
    writeFileSync(path.join(dir, 'crm-keys'), await good('sign-keys'));
    writeFileSync(path.join(dir, 'password'), stack.accounts.crm, { mode: 0o600 });

    // The door's proxy, as we ship it, with a certificate for this machine.
    const port = await freePort();
    door = `https://localhost:${port}`;
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
        ],
        ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
        ...['-keyout', path.join(dir, 'key.pem'), '-out', path.join(dir, 'cert.pem')],
      ],
      { stdio: 'ignore' },
    );
    const filled = (name, values) =>
      Object.entries(values).reduce(
        (text, [key, value]) => text.replaceAll(`@${key}@`, value),
        readFileSync(path.join(kRoot, 'packaging', name), 'utf8'),
      );
    const DOOR_LOCATION = path.join(dir, 'door-location.conf');
    writeFileSync(
      DOOR_LOCATION,
      filled('nginx/door-location.conf.in', { DOOR: stack.ports.door }).replace(
        '/var/lib/welcome-releases',
        path.join(dir, 'releases'),
      ),
    );
    const [CERT, KEY] = ['cert.pem', 'key.pem'].map((name) => path.join(dir, name));
    writeFileSync(
      path.join(dir, 'nginx/nginx.conf'),
      filled('nginx/my.conf.in', {
        ...{ RUN: path.join(dir, 'nginx'), USER: process.getuid() === 0 ? 'user root;' : '' },
        ...{ PORT: `127.0.0.1:${port}`, CERT, KEY, PAGES: dir, DOOR_LOCATION },
      }),
    );
    await stack.start({
      name: 'door-nginx',
      file: 'nginx',
      args: ['-e', 'stderr', '-p', path.join(dir, 'nginx'), '-c', path.join(dir, 'nginx/nginx.conf')],
      ready: { port },
    });
    await stack.start({
      name: 'serve',
      file: path.join(kBin, 'welcome-crm'),
      args: [
        ...['-d', path.join(dir, 'crm.db'), 'serve', '--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`],
        ...['--password-file', path.join(dir, 'password')],
      ],
      ready: { line: /connected/ },
    });
    process.env.WELCOME_IMAGE = path.join(image, 'state');
    await stack.startBox({
      file: path.join(kBin, 'welcomed'),
      conf: { consent: { crm_keys: path.join(dir, 'crm-keys') } },
    });
    delete process.env.WELCOME_IMAGE;
  });
  after(async () => {
    await stack?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is told to the box, fetched, installed when it may, and head office sees how it went', async () => {
    await says('idle', '1.3.0');
    const digest = await publish('1.4.0');
    await stage();
    await ordered('1.4.0');
    assert.equal(order().digest, digest);
    // It is fetched at any time, and waits for the store's quiet hours.
    writeFileSync(
      path.join(dir, 'run/welcomed/update-order.json'),
      JSON.stringify({ ...order(), install: false }),
    );
    assert.equal((await fetch()).code, 0);
    assert.deepEqual(readdirSync(path.join(image, 'fetched')), [`${digest}.raucb`]);
    assert.equal(reported().step, 'waiting');
    await says('waiting', '1.3.0');
    assert.deepEqual(asked(), []);

    await stage('--now');
    await eventually(() => order().install && order().at_once, 'it may not be installed');
    assert.equal((await fetch()).code, 0);
    assert.deepEqual(asked(), [`rauc install ${digest}`, 'systemctl reboot']);
    await says('installing', '1.3.0');
    runs('1.4.0');
    report('done');
    await says('done', '1.4.0');
    assert.match(await good('fleet', 'update'), /^state +running$/m);
    assert.match((await crm('fleet')).stdout, /1\.4\.0 runs/);
    assert.equal((await fetch()).code, 0);
    assert.deepEqual(asked(), [], 'once');
    assert.deepEqual(readdirSync(path.join(image, 'fetched')), [], 'what is installed is kept no longer');
  });

  it('goes on where it was cut off, and takes nothing else than what head office said', async () => {
    const digest = await publish('1.5.0');
    await stage('--release', '1.5.0', '--now');
    await ordered('1.5.0');
    const part = path.join(image, 'fetched', `${digest}.part`);
    const whole = readFileSync(path.join(dir, 'releases', digest));
    // Cut off in the middle; what was there is not fetched again.
    mkdirSync(path.join(image, 'fetched'), { recursive: true });
    writeFileSync(part, whole);
    truncateSync(part, 1 << 20);
    fake(
      'curl',
      `echo "curl $*" >>${dir}/curls; exec /usr/bin/curl --write-out '%{size_download}' "$@" >>${dir}/fetched-bytes`,
    );
    // Somebody has put another file in its place on the way.
    writeFileSync(
      path.join(dir, 'releases', digest),
      Buffer.concat([whole.subarray(0, -9), Buffer.from('different')]),
    );
    assert.notEqual((await fetch()).code, 0);
    assert.match(reported().why, /not what head office said/);
    assert.deepEqual(asked(), [], 'RAUC does not see it');
    assert.equal(existsSync(part), false);
    // Longer than it was to be.
    writeFileSync(path.join(dir, 'releases', digest), Buffer.concat([whole, whole]));
    assert.notEqual((await fetch()).code, 0);
    assert.deepEqual(asked(), []);
    // Away, which is said; and a start again from a part.
    rmSync(path.join(dir, 'releases', digest));
    rmSync(part, { force: true });
    assert.notEqual((await fetch()).code, 0);
    assert.equal(reported().step, 'fetching');
    assert.match(reported().why, /404/);
    writeFileSync(path.join(dir, 'releases', digest), whole);
    writeFileSync(part, whole.subarray(0, 1 << 20));
    rmSync(path.join(dir, 'fetched-bytes'));
    assert.equal((await fetch()).code, 0);
    assert.equal(Number(readFileSync(path.join(dir, 'fetched-bytes'), 'utf8')), whole.length - (1 << 20));
    assert.deepEqual(asked(), [`rauc install ${digest}`, 'systemctl reboot']);
    rmSync(path.join(dir, 'fakes/curl'));
    // The plug is pulled before it was in its slot: once more, without fetching.
    report('fetching');
    assert.equal((await fetch()).code, 0);
    assert.deepEqual(asked(), [`rauc install ${digest}`, 'systemctl reboot']);
  });

  it('that goes back stops, and is not tried again by itself', async () => {
    report('back', 'worse than before: radio');
    await says('back', '1.4.0');
    const { state, why } = JSON.parse(await good('--json', 'fleet', 'update'));
    assert.equal(state, 'stopped');
    assert.match(why, /^aroma-1\/box-1 went back: worse than before: radio$/);
    assert.match((await crm('fleet')).stdout, /1\.4\.0 runs, 1\.5\.0: back \(worse than before: radio\)/);
    assert.equal((await fetch()).code, 0);
    assert.deepEqual(asked(), []);
    assert.equal((await crm('fleet', 'update', '--stage', '100%', '--door', door)).code, 1);
  });

  it('never goes below the version that runs, but by an explicit word', async () => {
    await publish('1.2.0', 1);
    await stage('--release', '1.2.0', '--now');
    await ordered('1.2.0');
    assert.equal((await fetch()).code, 0);
    assert.equal(reported().step, 'refused');
    assert.match(reported().why, /1\.2\.0 is lower than 1\.4\.0/);
    assert.deepEqual(asked(), []);
    await says('refused', '1.4.0');
    await good('fleet', 'update', '--resume');
    await stage('--release', '1.2.0', '--now', '--downgrade');
    await eventually(() => order().may_be_lower, 'no such order');
    assert.equal((await fetch()).code, 0);
    assert.match(asked()[0], /^rauc install /);
    report('back', 'here for the next test');
  });

  it('that RAUC does not take is refused, with its words', async () => {
    await publish('1.6.0', 1);
    await stage('--release', '1.6.0', '--now');
    await ordered('1.6.0');
    fake('rauc', 'echo "signature verification failed: unknown signer" >&2; exit 1');
    assert.equal((await fetch()).code, 0);
    rauc();
    assert.equal(reported().step, 'refused');
    assert.match(reported().why, /unknown signer/);
    assert.deepEqual(readdirSync(path.join(image, 'fetched')), []);
    await says('refused', '1.4.0');
    assert.match(await good('fleet', 'update'), /stopped: aroma-1\/box-1 refused it/);
  });

  it('an order that somebody else has written is no command', async () => {
    const file = path.join(dir, 'forged.json');
    for (const forged of [
      'no JSON',
      { word: 99, version: '9.9.9', digest: '../../etc', size: 1, url: 'https://x/' },
      { word: 99, version: '9.9.9', digest: 'a'.repeat(64), size: 1, url: 'file:///etc/shadow' },
      { word: 99, version: '$(touch /tmp/x)', digest: 'a'.repeat(64), size: 1, url: 'https://x/' },
      { word: 'a[$(touch /tmp/x)]', version: '9.9.9' },
    ]) {
      writeFileSync(file, typeof forged === 'string' ? forged : JSON.stringify(forged));
      const before = readFileSync(path.join(image, 'state/update.json'), 'utf8');
      assert.equal((await fetch({ WELCOME_ORDER: file })).code, 0);
      assert.equal(readFileSync(path.join(image, 'state/update.json'), 'utf8'), before);
    }
    assert.deepEqual(asked(), []);
  });
});

test('a machine that is no image says so', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-noimage-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await stack.startBox({ file: path.join(kBin, 'welcomed'), conf: { consent: { unsigned: 'yes' } } });
  const state = await stack.message('uplink', `${stack.prefix}/state`, (said) => said.update);
  assert.deepEqual(state.update, { step: 'no_image' });
  const socket = path.join(stack.run, 'welcomed/control.sock');
  const status = await run(path.join(kBin, 'welcomectl'), ['--socket', socket, 'status']);
  assert.match(status.stdout, /^box .*, no image$/m);
});
