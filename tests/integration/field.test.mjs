// SPDX-License-Identifier: Apache-2.0
// What integrators, brokers and tablets in the field have really sent: every file of field/sync beside
// the recorded data (WELCOME_DATA), on the real programs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
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
import { Device } from '../../harness/door.mjs';
import { kBin } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';
import { StaffTablet } from '../../harness/tablet.mjs';

const kFiles = path.join(process.env.WELCOME_DATA ?? '/nowhere', '..', 'field', 'sync');
const skip = !existsSync(kFiles) && 'no field/sync beside WELCOME_DATA';
const kPatience = 15000;

const seen = new Set(); // files that a test has had
function input(name, words = {}) {
  seen.add(name);
  let text = readFileSync(path.join(kFiles, name), 'latin1');
  for (const [from, to] of Object.entries(words)) text = text.replaceAll(from, to);
  return Buffer.from(text, 'latin1');
}

const at = (hours) => new Date(Date.now() + hours * 3600e3).toISOString();

// A CRM with three customers in a folder of its own.
class Crm {
  constructor(t, dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-field-'))) {
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
    t.after(() => rmSync(dir, { recursive: true, force: true }));
  }

  // How it ended, and what it said.
  // `{ line }` as the last argument: on its stdin.
  run(...args) {
    const stdin = typeof args.at(-1) === 'object' ? args.pop() : null;
    return new Promise((resolve) => {
      const child = execFile(
        path.join(kBin, 'welcome-crm'),
        ['-d', path.join(this.dir, 'crm.db'), ...args],
        { maxBuffer: 1 << 26 },
        (error, stdout, stderr) => resolve({ code: error ? error.code : 0, text: stdout + stderr, stdout }),
      );
      if (stdin) child.stdin.end(`${stdin.line}\n`);
    });
  }

  async done(...args) {
    const run = await this.run(...args);
    assert.equal(run.code, 0, `${args.join(' ')}: ${run.text}`);
    return run.text;
  }

  async json(...args) {
    const run = await this.run('--json', ...args);
    return JSON.parse(run.stdout);
  }

  write(name, content) {
    const file = path.join(this.dir, name);
    writeFileSync(file, content);
    return file;
  }

  async fill() {
    await this.done('init', '--tenant', 'demo', '--controller', 'Aroma Ltd');
    await this.done('boxes', 'admit', 'aroma-1/box-1');
    await this.done('staff', 'add', 'eva', '--name', 'Eva', '--store', 'aroma-1');
    await this.done('staff', 'pin', 'eva', { line: '273910' });
    const customers =
      'customer,app_id,name,tier,points\nc-paul,a-paul,Paul,gold,1\nc-mia,a-mia,Mia,,\nc-bruno,a-bruno,Bruno,,\n';
    const consents = [
      'customer,purpose,state,at',
      'c-bruno,proximity_offers,given,2026-01-12T09:30:00Z',
      'c-bruno,preference_prompts,given,2026-01-12T09:30:00Z',
      'c-mia,proximity_offers,given,2026-01-12T09:30:00Z',
    ];
    await this.done(
      'import',
      this.write('customers.csv', customers),
      this.write('consents.csv', consents.join('\n') + '\n'),
    );
  }

  import(name, words) {
    return this.run('import', this.write(name, input(name, words)));
  }

  async record(customer, purpose) {
    const held = await this.json('customer', 'export', customer);
    return held.consents.find((record) => record.purpose === purpose);
  }

  async state(customer, purpose) {
    const history = (await this.record(customer, purpose))?.history ?? [];
    // The newest counts, and a withdrawal wins a tie.
    return history.reduce(
      (best, step) =>
        !best || step.at > best.at || (step.at === best.at && step.state === 'withdrawn') ? step : best,
      null,
    )?.state;
  }
}

test('files as people have them are taken, or refused by line and reason', { skip }, async (t) => {
  const crm = new Crm(t);
  await crm.fill();

  let said = await crm.import('latin1.csv');
  assert.notEqual(said.code, 0);
  assert.match(said.text, /latin1\.csv.*line 3/s);
  assert.match(said.text, /Latin-1|UTF-8/);
  said = await crm.import('semi.csv');
  assert.notEqual(said.code, 0);
  assert.match(said.text, /semi\.csv.*semicolon/s);
  said = await crm.import('trail.csv');
  assert.notEqual(said.code, 0);
  assert.match(said.text, /trail\.csv.*line 2/s);
  assert.equal((await crm.json('customer', 'list')).length, 3, 'no twin');

  assert.equal((await crm.import('clear.csv')).code, 0);
  const paul = await crm.json('customer', 'export', 'c-paul');
  assert.ok(!paul.profile.tier, 'an empty cell clears');

  await crm.done('customer', 'forget', 'c-bruno');
  said = await crm.import('nightly-after-forget.csv');
  assert.equal(said.code, 0, said.text);
  assert.match(said.text, /c-bruno/);
  assert.equal((await crm.json('customer', 'export', 'c-paul')).profile.points, 1300);
});

test('histories: repeats add nothing, and a withdrawal always holds', { skip }, async (t) => {
  const crm = new Crm(t);
  await crm.fill();

  assert.equal((await crm.import('hourly.csv')).code, 0);
  assert.equal((await crm.import('next.csv')).code, 0);
  assert.ok((await crm.record('c-paul', 'proximity_offers')).history.length < 10, 'no step for a repeat');
  await crm.done('customer', 'consent', 'c-paul', 'proximity_offers', 'withdrawn');
  assert.equal(await crm.state('c-paul', 'proximity_offers'), 'withdrawn');

  assert.equal((await crm.import('future2h.csv', { '2026-11-28T22:30:52Z': at(2) })).code, 0);
  await crm.done('customer', 'consent', 'c-mia', 'face_recognition', 'withdrawn');
  assert.equal(await crm.state('c-mia', 'face_recognition'), 'withdrawn');
});

// A running shop: brokers, CRM, box.
async function shop(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-field-'));
  const stack = await startStack({ run: dir, pages: null });
  t.after(async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const crm = new Crm(t, path.join(dir, 'crm'));
  await crm.fill();
  const password = crm.write('password', stack.accounts.crm);
  const broker = ['--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`, '--password-file', password];
  const door = ['--door', `127.0.0.1:${stack.ports.door}`, '--door-page', `${stack.web}/phone/`];
  await stack.start({
    name: 'serve',
    file: path.join(kBin, 'welcome-crm'),
    args: ['-d', path.join(crm.dir, 'crm.db'), 'serve', ...broker, ...door],
    ready: { line: /connected/ },
  });
  const daemon = await stack.startBox({
    file: path.join(kBin, 'welcomed'),
    conf: { consent: { unsigned: 'yes' } }, // what people sent is fed in by hand
  });
  // A CRM that signs nothing says no time either; where nobody else does, a technician has to.
  const ctl = async (...args) =>
    promisify(execFile)(path.join(kBin, 'welcomectl'), [
      '--socket',
      path.join(stack.run, 'welcomed/control.sock'),
      ...args,
    ]);
  const { stdout } = await ctl('--json', 'clock');
  if (!JSON.parse(stdout).trusted) await ctl('clock', 'trust', '--yes');
  await daemon.line(/consents count/);
  return { stack, crm };
}

async function until(what, wanted) {
  const end = Date.now() + kPatience;
  for (;;) {
    if (await wanted()) return;
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function say(stack, link, account, topic, payload) {
  const client = await stack.connect(link, account);
  await client.publishAsync(topic, payload, { qos: 1 });
  await client.endAsync();
}

test('what customers, tablets and CRMs send is obeyed, refused or answered', { skip }, async (t) => {
  const { stack, crm } = await shop(t);
  const page = async (customer) =>
    Device.signedIn(`http://127.0.0.1:${stack.ports.door}`, (await crm.json('link', customer)).url, 'Phone');
  const mia = await page('c-mia');
  const asks = async (name, words) =>
    (await mia.ask('POST', '/v1/consents', input(name, words).toString('utf8'))).status;

  assert.equal(await asks('app-request-de_DE.json'), 200);
  assert.equal(await crm.state('c-mia', 'visit_analytics'), 'given', 'a consent in de_DE');

  // She withdrew elsewhere an hour ago; the tap is two hours old.
  await crm.done('customer', 'consent', 'c-mia', 'face_recognition', 'given', '--at', at(-3));
  await crm.done('customer', 'consent', 'c-mia', 'face_recognition', 'withdrawn', '--at', at(-1));
  assert.equal(await asks('app-request-offline-grant.json', { '<two hours ago>': at(-2) }), 200);
  const { history } = await crm.record('c-mia', 'face_recognition');
  assert.ok(
    history.some((step) => step.how === 'app'),
    'the tap is in the history',
  );
  assert.equal(await crm.state('c-mia', 'face_recognition'), 'withdrawn');

  await crm.done('customer', 'consent', 'c-mia', 'visit_analytics', 'withdrawn');
  await say(
    stack,
    'uplink',
    'owner',
    `${stack.prefix}/event`,
    input('event-survey-without-consent.json', { '<now>': at(0), '<tomorrow>': at(24) }),
  );
  await until('the survey is refused', async () =>
    (await crm.run('ledger', '--json')).stdout.includes('no consent to visit_analytics'),
  );

  // A withdrawal at the desk: recorded, and told to the page that is open.
  const bruno = await page('c-bruno');
  const heard = await bruno.listen();
  // (As it was sent then, when a tablet said itself who used it.)
  const { staff, purposes, customer, notice } = JSON.parse(input('floor-enrol-withdraw.json'));
  const tablet = await StaffTablet.connect(stack, 'tablet-1');
  await until('the box knows the staff', async () => {
    const { cause } = await tablet.tryPin(staff, '273910');
    return !cause;
  });
  await tablet.enrol('s-2', { kind: 'consent', customer, purposes, notice });
  tablet.end();
  await until(
    'the withdrawal at the desk',
    async () => (await crm.state('c-bruno', 'proximity_offers')) === 'withdrawn',
  );
  assert.equal(await crm.state('c-bruno', 'preference_prompts'), 'given', 'nothing else is withdrawn');
  await until('the page hears it', () => heard.events.includes('consents'));
  heard.end();

  const client = await stack.connect('uplink', 'owner');
  const answered = new Promise((resolve) => client.on('message', (topic, text) => resolve(JSON.parse(text))));
  await client.subscribeAsync(`${stack.prefix}/response`, { qos: 1 });
  await client.publishAsync(`${stack.prefix}/command`, input('command-unknown-kind.json'), { qos: 1 });
  const answer = await answered;
  await client.endAsync();
  assert.equal(answer.ok, false);
  assert.equal(answer.id, 'bad-1');
  assert.ok(answer.error.length > 0);
});

test('every file of the folder was looked at', { skip }, () => {
  const unknown = readdirSync(kFiles).filter((name) => !seen.has(name));
  assert.deepEqual(unknown, []);
});
