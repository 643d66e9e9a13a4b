// SPDX-License-Identifier: Apache-2.0
// A box comes in by a code: the real welcome-crm with its door, Mosquitto, welcomectl and welcomed. It is
// invited, sets itself up, is stopped wherever that hurts and goes on; codes that are wrong, used or over
// open nothing.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { sealedFile } from '../../harness/invitation.mjs';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const run = promisify(execFile);
const program = (name) => path.join(kBin, name);

// A machine with the packages and nothing else: where its configuration, secrets and state would be.
class Machine {
  constructor(dir, stack) {
    Object.assign(this, { dir, stack });
    for (const name of ['etc/conf.d', 'credentials', 'state'])
      mkdirSync(path.join(dir, name), { recursive: true });
    writeFileSync(
      this.config,
      `[box]
state_dir = ${dir}/state
control_socket = ${dir}/state/control.sock
[floor]
port = ${stack.ports.floor}
[vision]
models_dir = ${kRoot}/build/models
`,
    );
  }

  get config() {
    return path.join(this.dir, 'etc/welcomed.conf');
  }
  get provisioned() {
    return path.join(this.dir, 'etc/conf.d/50-provisioned.conf');
  }
  get options() {
    return [
      ...['--config', this.config, '--credentials', path.join(this.dir, 'credentials')],
      ...['--socket', path.join(this.dir, 'state/control.sock')],
    ];
  }
  secret(name) {
    return path.join(this.dir, 'credentials', name);
  }

  // `welcomectl provision …`, running: `said` grows, `ended` is { code, signal, stdout, stderr }.
  provision(args, { input = '', floor = false } = {}) {
    const files = floor ? this.stack.brokerFiles('floor') : path.join(this.dir, 'no-broker');
    const child = spawn(
      program('welcomectl'),
      ['provision', ...args, ...this.options, '--broker-files', files],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    child.stdin.on('error', () => {}).end(input);
    let stdout = '';
    const it = { child, said: '', says: [] };
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => {
      it.said += text;
      for (const listener of it.says) listener();
    });
    it.ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr: it.said }));
    // Until it has said that, or has ended.
    it.until = (pattern) =>
      Promise.race([
        new Promise((resolve) => {
          const look = () => pattern.test(it.said) && resolve(true);
          it.says.push(look);
          look();
        }),
        it.ended.then(() => pattern.test(it.said)),
      ]);
    return it;
  }

  // All of it but the start, which is somebody else's here.
  async written(args, options) {
    const it = this.provision(args, options);
    const there = await it.until(/Start welcomed/);
    it.child.kill('SIGKILL');
    const ended = await it.ended;
    assert.ok(there, ended.stderr);
    return ended;
  }

  async settings() {
    const env = { ...process.env, CREDENTIALS_DIRECTORY: path.join(this.dir, 'credentials') };
    const { stdout } = await run(program('welcomed'), ['--settings', '--config', this.config], { env });
    const all = JSON.parse(stdout);
    const value = (key) => all.settings.find((one) => one.key === key).value;
    return { wrong: all.wrong, missing: all.missing, box: value('box.id'), user: value('uplink.user') };
  }
}

describe('a box comes in by a code', () => {
  let dir, stack, database, machines;
  const crm = (...args) => run(program('welcome-crm'), ['-d', database, ...args]);
  const door = () => `http://127.0.0.1:${stack.ports.door}`;
  const machine = () => new Machine(path.join(dir, `machine-${++machines}`), stack);
  const invite = async (box, ...more) => {
    const { stdout } = await crm(
      ...['--json', 'boxes', 'invite', `aroma-1/${box}`, '--door', door()],
      ...['--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`],
      ...['--broker-files', stack.brokerFiles('uplink'), ...more],
    );
    stack.program('mosquitto-central').signal('SIGHUP');
    return JSON.parse(stdout);
  };
  const listed = async (box) =>
    JSON.parse((await crm('--json', 'boxes')).stdout).find((one) => one.box === box);

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-provision-'));
    machines = 0;
    stack = await startStack({ run: path.join(dir, 'run'), pages: null });
    database = path.join(dir, 'crm.db');
    await crm('init', '--tenant', 'demo', '--controller', 'Aroma Ltd');
    await crm('sign-keys', '--new');
    const password = path.join(dir, 'crm-password');
    writeFileSync(password, stack.accounts.crm, { mode: 0o600 });
    await stack.start({
      name: 'crm',
      file: program('welcome-crm'),
      args: [
        ...['-d', database, 'serve', '--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`],
        ...['--password-file', password, '--heartbeat-s', '2'],
        ...['--door', `127.0.0.1:${stack.ports.door}`, '--door-page', `${door()}/phone/`],
      ],
      ready: { port: stack.ports.door },
    });
  });
  after(async () => {
    await stack?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is invited, sets itself up, and has its first sync', async () => {
    const invitation = await invite('box-2');
    assert.match((await crm('boxes')).stdout, /invited until/);
    const box = machine();
    const work = box.provision([invitation.link, '--json'], { floor: true });
    assert.ok(await work.until(/Start welcomed/), (await Promise.race([work.ended, {}])).stderr);
    // Nobody on this machine reads the code in the list of processes.
    const line = readFileSync(`/proc/${work.child.pid}/cmdline`, 'utf8');
    assert.ok(line.includes('provision') && !line.includes(invitation.code), line);
    stack.program('mosquitto-floor').signal('SIGHUP');
    const env = { CREDENTIALS_DIRECTORY: path.join(box.dir, 'credentials') };
    const daemon = await stack.start({
      name: 'box-2',
      file: program('welcomed'),
      args: ['--config', box.config],
      env,
      ready: { line: /is ready/ },
    });
    const { code, stdout, stderr } = await work.ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { box: 'demo/aroma-1/box-2', floor: true, key: 'plain' });
    const status = JSON.parse(
      (
        await run(program('welcomectl'), [
          ...['status', '--json', '--socket', path.join(box.dir, 'state/control.sock')],
        ])
      ).stdout,
    );
    assert.equal(status.links.uplink.state, 'up');
    assert.equal(status.consents.footing, 'firm');
    const known = await listed('box-2');
    assert.equal(known.key.public_key, status.box.public_key, 'the key that it was invited with is its own');
    assert.equal(known.key.other, undefined);
    assert.ok(known.invitation.used_at);
    for (const [file, mode] of [
      [box.secret('box-key'), 0o600],
      [box.secret('uplink-password'), 0o600],
      [box.secret('floor-password'), 0o600],
      [path.join(box.dir, 'etc/crm-keys'), 0o644],
      [box.provisioned, 0o644],
    ])
      assert.equal(statSync(file).mode & 0o777, mode, file);

    // Said again, on a box that runs.
    const again = box.provision([invitation.code, '--door', door(), '--json']);
    assert.equal((await again.ended).code, 0, again.said);

    // Somebody copied the code: refused, and head office sees it.
    const thief = machine().provision([invitation.link]);
    assert.equal((await thief.ended).code, 1);
    assert.match(thief.said, /another machine has it/);
    assert.equal((await listed('box-2')).invitation.refused, 1);
    assert.match((await crm('boxes')).stdout, /CODE TRIED by another box: 1/);

    // It is this box now, and not moved by a word.
    const other = await invite('box-3');
    const moved = box.provision([other.link]);
    assert.equal((await moved.ended).code, 1);
    assert.match(moved.said, /this machine is demo\/aroma-1\/box-2.*--again/);
    await box.written([other.link, '--again']);
    assert.equal((await box.settings()).user, 'demo/aroma-1/box-3');
    await daemon.stop();
  });

  it('goes on wherever it was killed', async () => {
    const steps = [
      'credentials/box-key',
      'credentials/uplink-password',
      'etc/crm-keys',
      'etc/conf.d/50-provisioned.conf',
    ];
    for (const step of steps) {
      const { link } = await invite('box-4');
      const box = machine();
      const work = box.provision([link]);
      const file = path.join(box.dir, step);
      await new Promise((resolve) => {
        const watcher = watch(path.dirname(file), () => {
          if (!existsSync(file)) return;
          watcher.close();
          work.child.kill('SIGKILL');
          resolve();
        });
        if (existsSync(file)) watcher.emit('change');
      });
      await work.ended;
      await box.written([link]);
      const { wrong, missing, box: name } = await box.settings();
      assert.deepEqual({ wrong, missing, name }, { wrong: [], missing: [], name: 'box-4' }, step);
      const left = readdirSync(box.dir, { recursive: true }).filter((one) => `${one}`.endsWith('.new'));
      assert.deepEqual(left, [], step);
    }
  });

  it('refuses a code that is wrong, taken back or of another invitation', async () => {
    const { code, link } = await invite('box-5');
    const slip = code.slice(0, -1) + (code.endsWith('0') ? '1' : '0');
    const typed = machine().provision([slip, '--door', door()]);
    assert.equal((await typed.ended).code, 2);
    assert.match(typed.said, /slip of the pen/);
    const bare = machine().provision([code]);
    assert.equal((await bare.ended).code, 2);
    assert.match(bare.said, /--door/);
    await invite('box-5');
    const old = machine().provision([link]);
    assert.equal((await old.ended).code, 1);
    assert.match(old.said, /no such invitation/);
    const second = await invite('box-5');
    await crm('boxes', 'revoke', 'aroma-1/box-5');
    const revoked = machine().provision([second.link]);
    assert.equal((await revoked.ended).code, 1);
    assert.match(revoked.said, /no such invitation/);
    assert.ok(!readFileSync(path.join(stack.run, 'crm.log'), 'utf8').includes(code.slice(0, 5)));
  });

  it('comes from a stick, without a line', async () => {
    const stick = path.join(dir, 'box-6.invitation');
    const { code } = await invite('box-6', '--file', stick);
    const box = machine();
    const wrong = box.provision(['--invitation', stick], { input: `${(await invite('box-7')).code}\n` });
    assert.equal((await wrong.ended).code, 1);
    assert.match(wrong.said, /does not open/);
    const cut = path.join(dir, 'cut.invitation');
    writeFileSync(cut, readFileSync(stick, 'utf8').slice(0, 100));
    const half = box.provision(['--invitation', cut], { input: `${code}\n` });
    assert.equal((await half.ended).code, 1);
    assert.match(half.said, /no invitation/);
    await box.written(['--invitation', stick], { input: `${code.toLowerCase().replaceAll('-', ' ')}\n` });
    const { wrong: none, missing, user } = await box.settings();
    assert.deepEqual({ none, missing, user }, { none: [], missing: [], user: 'demo/aroma-1/box-6' });
    assert.equal((await listed('box-6')).key, null, 'trusted at first sight');
  });

  it('takes what another CRM has sealed, while it is good', async () => {
    const code = '7K2QD-0M4XW-GZ9R3-TYBN6-HV5JC';
    const stick = path.join(dir, 'other.invitation');
    const sealed = (more) =>
      writeFileSync(
        stick,
        sealedFile(code, {
          ...{
            tenant: 'demo',
            store: 'aroma-1',
            box: 'box-9',
            host: 'broker.example',
            port: 8883,
            tls: true,
          },
          ...{ ca: '', password: 'of the broker', crm_keys: readFileSync(keys, 'utf8') },
          ...{ expires_at: new Date(Date.now() + 3600_000).toISOString(), ...more },
        }),
      );
    const keys = path.join(dir, 'machine-1/etc/crm-keys');
    const asks = (box) => box.provision(['--invitation', stick], { input: code });
    sealed({ expires_at: '2026-01-01T00:00:00.000Z' });
    const late = asks(machine());
    assert.equal((await late.ended).code, 1);
    assert.match(late.said, /ended at 2026-01-01.*timedatectl/);
    sealed({ box: 'box-9\n[consent]\nunsigned = yes' });
    const sly = asks(machine());
    assert.equal((await sly.ended).code, 1);
    assert.match(sly.said, /cannot be/);
    sealed({ v: 2 });
    const newer = asks(machine());
    assert.equal((await newer.ended).code, 1);
    assert.match(newer.said, /newer/);
    sealed({});
    const box = machine();
    await box.written(['--invitation', stick], { input: code });
    const { wrong, missing, user } = await box.settings();
    assert.deepEqual({ wrong, missing, user }, { wrong: [], missing: [], user: 'demo/aroma-1/box-9' });
    assert.equal(readFileSync(box.secret('uplink-password'), 'utf8'), 'of the broker');
  });

  it('says what is between it and head office', async (t) => {
    const { code } = await invite('box-8');
    const asks = async (url) => {
      const it = machine().provision([code, '--door', url]);
      const { code: exit, stderr } = await it.ended;
      assert.equal(exit, 1, stderr);
      return stderr;
    };
    const listening = async (server) => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      t.after(() => server.close());
      return server.address().port;
    };
    assert.match(await asks('https://nobody.invalid'), /no such name is known here/);
    const free = net.createServer();
    const nobody = await listening(free);
    await new Promise((resolve) => free.close(resolve));
    assert.match(await asks(`https://127.0.0.1:${nobody}`), /nobody answers there/);
    const moved = http.createServer((_, answer) =>
      answer.writeHead(302, { location: `${door()}/v1/provision` }).end(),
    );
    assert.match(await asks(`http://127.0.0.1:${await listening(moved)}`), /not the door of a welcome-crm/);
    const endless = http.createServer((_, answer) => answer.end(' '.repeat(1_000_000)));
    assert.match(await asks(`http://127.0.0.1:${await listening(endless)}`), /answers without end/);
    const plain = await listening(http.createServer());
    assert.match(await asks(`https://127.0.0.1:${plain}`), /no TLS with it/);
    const files = ['key', 'crt'].map((name) => path.join(dir, `self.${name}`));
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
        ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
        ...['-keyout', files[0], '-out', files[1]],
      ],
      { stdio: 'ignore' },
    );
    const [key, cert] = files.map((file) => readFileSync(file));
    const self = await listening(https.createServer({ key, cert }, (_, answer) => answer.end('{}')));
    assert.match(await asks(`https://127.0.0.1:${self}`), /its certificate is not trusted/);
  });
});
