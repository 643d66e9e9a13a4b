// SPDX-License-Identifier: Apache-2.0
// Root's half of a Bluetooth adapter that does not come back, in a machine whose sysfs is a folder.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { kRoot } from '../../harness/places.mjs';

const kHelp = path.join(kRoot, 'systemd/radio-help');
const kAddress = '00:1A:7D:DA:71:13';

function machine(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-radio-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const port = path.join(dir, 'sys/devices/pci0000:00/usb1/1-2');
  const hci = path.join(port, '1-2:1.0/bluetooth/hci0');
  const put = (file, text) => {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${text}\n`);
  };
  put(path.join(port, 'authorized'), 1);
  put(path.join(port, 'busnum'), 1);
  put(path.join(port, 'idVendor'), '0a12');
  put(path.join(port, 'idProduct'), '0001');
  put(path.join(dir, 'sys/devices/pci0000:00/usb1/authorized'), 1);
  put(path.join(dir, 'sys/devices/pci0000:00/usb1/busnum'), 1);
  put(path.join(hci, 'address'), kAddress.toLowerCase());
  put(path.join(hci, 'rfkill3/soft'), 0);
  put(path.join(hci, 'rfkill3/hard'), 0);
  symlinkSync('../../../1-2:1.0', path.join(hci, 'device'));
  mkdirSync(path.join(dir, 'sys/class/bluetooth'), { recursive: true });
  symlinkSync(hci, path.join(dir, 'sys/class/bluetooth/hci0'));
  const env = {
    ...process.env,
    WELCOME_SYS: path.join(dir, 'sys'),
    WELCOME_RADIO_STUCK: path.join(dir, 'stuck'),
    WELCOME_RADIO_MEMORY: path.join(dir, 'memory'),
    WELCOME_RADIO_PAUSE: '0.3',
  };
  const ask = (text) => writeFileSync(env.WELCOME_RADIO_STUCK, text);
  const help = () => execFileSync(kHelp, [], { env, encoding: 'utf8' });
  const read = (file) => readFileSync(file, 'utf8').trim();
  return { dir, port, hci, env, ask, help, read, put };
}

// What a port was set to while the help ran, and what it said.
async function helped({ env, port, read }) {
  const seen = [];
  const watcher = watch(path.join(port, 'authorized'), () => {
    const value = read(path.join(port, 'authorized'));
    if (value !== '' && seen.at(-1) !== value) seen.push(value);
  });
  const child = spawn(kHelp, [], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  const [code] = await once(child, 'close');
  watcher.close();
  assert.equal(code, 0);
  return { seen, said };
}

for (const name of ['hci0', kAddress, kAddress.toLowerCase()])
  test(`an adapter that hangs is taken off its USB port and put on again (${name})`, async (t) => {
    const it = machine(t);
    it.ask(`${name} 1\n`);
    const { seen, said } = await helped(it);
    assert.equal(seen[0], '0');
    assert.equal(it.read(path.join(it.port, 'authorized')), '1');
    assert.match(said, /hangs: its USB port 1-2/);
  });

test('one that the kernel has let go of is found where it was', async (t) => {
  const it = machine(t);
  it.ask('hci0 1\n');
  await helped(it);
  rmSync(path.join(it.dir, 'sys/class/bluetooth/hci0'));
  it.ask('hci0 2\n');
  const { seen } = await helped(it);
  assert.equal(seen[0], '0');
  // Another device is in its place, or none: nothing is switched.
  it.put(path.join(it.port, 'idProduct'), '0825');
  assert.match(it.help(), /on no USB port that is known/);
  assert.equal(it.read(path.join(it.port, 'authorized')), '1');
  rmSync(it.port, { recursive: true });
  assert.match(it.help(), /on no USB port that is known/);
});

test('one that is switched off is switched on, and its port is let be', async (t) => {
  const it = machine(t);
  it.put(path.join(it.hci, 'rfkill3/soft'), 1);
  it.ask('hci0 1\n');
  const { seen, said } = await helped(it);
  assert.deepEqual(seen, []);
  assert.equal(it.read(path.join(it.hci, 'rfkill3/soft')), '0');
  assert.match(said, /was switched off \(rfkill\) and is switched on/);
  it.put(path.join(it.hci, 'rfkill3/hard'), 1);
  it.put(path.join(it.hci, 'rfkill3/soft'), 1);
  assert.match(it.help(), /by a switch at the machine itself/);
  assert.equal(it.read(path.join(it.hci, 'rfkill3/soft')), '1');
});

test('what is no adapter is no command', (t) => {
  const it = machine(t);
  for (const word of ['', '../../../etc/passwd', 'hci0;reboot', '$(reboot)', 'usb1', 'hci9', '*'])
    for (const rest of ['\n', ' 1\n']) {
      it.ask(word + rest);
      it.help();
      assert.equal(it.read(path.join(it.port, 'authorized')), '1', word);
    }
});
