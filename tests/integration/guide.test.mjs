// SPDX-License-Identifier: Apache-2.0
// The integrator's guide, run as it stands: its commands, its examples, a real broker and a real box.
// It ends with somebody greeted by name.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';

const kTools = ['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'mosquitto_passwd', 'openssl', 'jq', 'b2sum'];
const kPath = `${kBin}:${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;

// Mosquitto gives root's rights away, and then cannot read what root has made.
const kAsRoot = process.getuid() === 0 ? 'user root\n' : '';
const text = readFileSync(path.join(kRoot, 'docs/integrate-your-crm.md'), 'utf8');

// The blocks of a section: "3" → what stands between its fences.
function blocks(number) {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${number}. `));
  return [...section.matchAll(/^```\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// The guide's shell, in a folder of its own with the documents beside it, on free ports.
class Reader {
  static async create(t) {
    const reader = new Reader();
    reader.dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-guide-'));
    for (const name of ['docs', 'packaging'])
      symlinkSync(path.join(kRoot, name), path.join(reader.dir, name));
    reader.ports = [await freePort(), await freePort()];
    reader.shell = spawn('setpriv', ['--pdeathsig', 'KILL', 'bash'], {
      cwd: reader.dir,
      detached: true,
      env: { ...process.env, PATH: kPath },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    reader.said = '';
    reader.errors = '';
    reader.shell.stdout.setEncoding('utf8').on('data', (data) => reader.hear(data));
    reader.shell.stderr.setEncoding('utf8').on('data', (data) => (reader.errors += data));
    t.after(() => reader.end());
    return reader;
  }

  hear(data) {
    this.said += data;
    if (this.wanted?.test(this.said)) this.found();
  }

  // Types these commands and waits until something is said.
  type(commands, wanted, what) {
    const [central, floor] = this.ports;
    const here = commands
      .replaceAll('1883', central)
      .replaceAll('1884', floor)
      .replace("'[replay]'", `'[vision]' models_dir=${kRoot}/build/models '[replay]'`)
      .replace('per_listener_settings', `${kAsRoot}per_listener_settings`)
      .replace(/mosquitto_(pub|sub) (?!.*-p )/g, `mosquitto_$1 -p ${central} `);
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`${what}: not said\n${this.said}\n${this.errors}`)),
        +(process.env.GUIDE_MS ?? 90000),
      );
      this.wanted = wanted;
      this.found = () => {
        clearTimeout(late);
        this.wanted = null;
        resolve();
      };
      this.shell.stdin.write(`${here}\n`);
      this.hear('');
    });
  }

  // The shell's own children are its process group; the box writes until it has ended.
  async end() {
    const send = (signal) => {
      try {
        return process.kill(-this.shell.pid, signal);
      } catch {
        return false; // all have ended
      }
    };
    send('SIGTERM');
    for (let i = 0; i < 100 && send(0); ++i) await new Promise((resolve) => setTimeout(resolve, 100));
    send('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

const missing = kTools.filter(
  (tool) => spawnSync('sh', ['-c', `command -v ${tool}`], { env: { PATH: kPath } }).status !== 0,
);

test(
  'who types what the guide says sees somebody greeted',
  { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` },
  async (t) => {
    const reader = await Reader.create(t);
    const ready = (commands, what) =>
      reader.type(`${commands}\necho "done: ${what}"`, new RegExp(`done: ${what}`), what);
    const [broker] = blocks(1);
    await ready(broker, 'broker');
    await ready(
      `until mosquitto_pub -u crm -P crm-secret -t welcome/v1/demo/aroma-1/control -n; do sleep 0.1; done`,
      'broker is up',
    );
    const [listen] = blocks(2);
    const [, , box] = blocks(2);
    await reader.type(`${listen.trimEnd()} &`, /^/, 'listening');
    await reader.type(box, /box-1\/hello \{.*"have":\{\}/, 'hello of the box');
    assert.match(reader.said, /box-1\/state \{.*"state":"online"/);
    const [feed] = blocks(3);
    await ready(feed, 'fed');
    const [greet, greeting] = blocks(4);
    await reader.type(greet, new RegExp(greeting), 'greeting');
    assert.doesNotMatch(reader.said, /feed\.rejected/);
    const [change] = blocks(5);
    await ready(change, 'changed');
    const status = `until welcomectl --socket box/control --json status |
      jq -e '.crm.feed.profiles | .items == 0 and .seq == 2' > /dev/null; do sleep 0.2; done`;
    await ready(status, 'the profile is gone');
  },
);
