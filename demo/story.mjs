// SPDX-License-Identifier: Apache-2.0
// The story of a shop, played on the real programs: who comes, what staff and customers do, and
// what must come out. `playStory` is used by the demo and by the tests that kill, listen and look.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Device } from '../harness/door.mjs';
import { startStack } from '../harness/stack.mjs';
import { StaffTablet } from '../harness/tablet.mjs';

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kRoot = path.dirname(kHere);
const run = promisify(execFile);

export const kStorySeconds = 205;
const kWithdrawn = 136; // when Bruno switches face recognition off
const kTail = 30; // story seconds after it, for the last visit to end
const kEva = 'tablet-eva'; // the tablet of her who is played here
// Who works in the shop, and how they sign in on its tablets.
export const kPin = '273910';
const kStaff = { eva: 'Eva', tom: 'Tom' };
export const kNote = 'Asked about the Ethiopian beans; wants to hear how to grind them.';

const kPrompts = 'welcome/v1/floor/prompt/';
const names = { 'c-paul': 'Paul', 'c-mia': 'Mia', 'c-bruno': 'Bruno' };
const who = (customer) => names[customer] ?? 'somebody';

// The shop of the demo lies where it is morning now, so that its quiet hours never hush the story.
function morningZone() {
  const offset = ((10 - new Date().getUTCHours() + 36) % 24) - 12; // hours east of Greenwich
  return offset === 0 ? 'Etc/GMT' : `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`;
}

export class Story {
  // dir       run directory, made by us
  // bin       where the programs are
  // speed     story seconds per real second
  // say       called with each line of the timeline
  // crmEnv    environment of welcome-crm, beside this process's own
  constructor({
    dir,
    bin = process.env.WELCOME_BIN ?? path.join(kRoot, 'build/release/bin'),
    speed = 1,
    say = () => {},
    pages,
    host,
    ports,
    crmEnv,
    seed = 1,
  }) {
    Object.assign(this, { dir: path.resolve(dir), bin, speed, say, pages, host, ports, crmEnv, seed });
    this.inbox = { paul: [], mia: [], bruno: [] }; // what the phones got, in order
    this.prompts = []; // every version of every prompt that tablets saw
    this.events = []; // what went to the CRM, repeats included
    this.waiting = [];
    this.open = new Set(); // streams of the phones
    this.over = false;
  }

  program(name) {
    const file = path.join(this.bin, name);
    if (!existsSync(file)) throw new Error(`${file} is missing: run ./dev build first`);
    return file;
  }

  now() {
    return ((Date.now() - this.epoch) / 1000) * this.speed;
  }

  #tell(text, at = this.now()) {
    const seconds = Math.max(0, at);
    const stamp = `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
    this.say(`${stamp}  ${text}`);
  }

  // The CRM's.
  get database() {
    return path.join(this.dir, 'crm', 'crm.db');
  }

  crm(...args) {
    return run(this.program('welcome-crm'), ['-d', this.database, ...args]);
  }

  // With a line on its stdin.
  async crmWith(line, ...args) {
    const done = this.crm(...args);
    done.child.stdin.end(`${line}\n`);
    return done;
  }

  async ctl(...args) {
    const { stdout } = await run(
      this.program('welcomectl'),
      ['--socket', path.join(this.dir, 'welcomed', 'control.sock'), '--json', ...args],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    return JSON.parse(stdout);
  }

  // The brokers, the pages and the CRM with its data; then these members are enrolled.
  async prepare({ enrol = ['c-paul', 'c-bruno'] } = {}) {
    for (const name of ['welcomed', 'welcomectl', 'welcome-crm', 'welcome-shop']) this.program(name);
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    this.stack = await startStack({
      run: this.dir,
      tablets: ['tablet-1', 'tablet-2', kEva],
      ...(this.pages === undefined ? {} : { pages: this.pages }),
      ...(this.host ? { host: this.host } : {}),
      ...(this.ports ? { ports: this.ports } : {}),
    });
    await this.#fillCrm();
    await this.serveCrm();
    await this.#listen();
    if (enrol) await this.#enrol(enrol);
  }

  async #fillCrm() {
    const dir = path.join(this.dir, 'crm');
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const policy = JSON.parse(readFileSync(path.join(kHere, 'data/policy.json'), 'utf8'));
    policy.policy.time_zone = morningZone();
    writeFileSync(path.join(dir, 'policy.json'), JSON.stringify(policy));
    writeFileSync(path.join(dir, 'password'), this.stack.accounts.crm, { mode: 0o600 });
    await this.crm('init', '--tenant', 'demo', '--controller', 'Aroma Ltd');
    await this.admit(this.stack.box);
    // What the CRM signs with is pinned on the box, as a technician does it.
    await this.crm('sign-keys', '--new');
    await this.pinKeys();
    const data = (name) => path.join(kHere, 'data', name);
    await this.crm(
      'import',
      data('customers.csv'),
      data('consents.csv'),
      data('campaigns.json'),
      path.join(dir, 'policy.json'),
      path.join(kHere, 'members.json'),
    );
    for (const [id, name] of Object.entries(kStaff)) await this.addStaff(id, name);
  }

  async addStaff(id, name, pin = kPin) {
    await this.crm('staff', 'add', id, '--name', name, '--store', this.stack.store);
    if (pin) await this.crmWith(pin, 'staff', 'pin', id);
  }

  // A box of this store, as an operator takes it in: the CRM makes its account, in the broker's files.
  async admit(box) {
    const { stack } = this;
    const account = `${stack.tenant}/${stack.store}/${box}`;
    const files = ['--broker-files', stack.brokerFiles('uplink')];
    const { stdout } = await this.crm('--json', 'boxes', 'admit', `${stack.store}/${box}`, ...files);
    stack.accounts[account] = JSON.parse(stdout).password;
    await stack.reloadBroker('uplink', account);
    return account;
  }

  // The CRM on the line, also after it was stopped or killed.
  async serveCrm() {
    this.crmProgram = await this.stack.start({
      name: 'crm',
      ...(this.crmEnv ? { env: this.crmEnv } : {}),
      file: this.program('welcome-crm'),
      args: [
        '-d',
        '{dir}/crm.db',
        'serve',
        '--broker',
        `mqtt://127.0.0.1:${this.stack.ports.uplink}`,
        '--password-file',
        '{dir}/password',
        '--heartbeat-s',
        '5',
        '--door',
        `127.0.0.1:${this.stack.ports.door}`,
        '--door-page',
        `${this.stack.web}/phone/`,
      ],
      ready: { line: /connected/i },
    });
    return this.crmProgram;
  }

  // A new one-time link to a customer's page, and a device that has opened one.
  async link(customer) {
    return JSON.parse((await this.crm('--json', 'link', customer)).stdout).url;
  }
  async device(customer, name) {
    return Device.signedIn(`http://127.0.0.1:${this.stack.ports.door}`, await this.link(customer), name);
  }

  // Writes the CRM's public keys where the box reads them.
  async pinKeys() {
    const { stdout } = await this.crm('sign-keys');
    mkdirSync(path.join(this.dir, 'welcomed'), { recursive: true, mode: 0o700 });
    writeFileSync(path.join(this.dir, 'welcomed', 'crm-keys'), stdout);
  }

  // Starts the daemon; with `replay` its radio and camera play the story, with `film` only a camera
  // plays that recording, from now on. `box`, `camera`: keys of that section, where they differ.
  startDaemon({ replay = false, film, box = {}, camera = {} } = {}) {
    const { stack } = this;
    const conf = {
      box,
      consent: { crm_keys: '{dir}/crm-keys' },
      // A short story: who goes out of reach has left after seconds, not minutes.
      visits: { end_after_s: 12 },
      recording: { days: 7 },
    };
    conf.radio = { leave_after_s: 8 };
    if (replay) {
      conf.radio = { ...conf.radio, source: 'btsnoop', file: path.join(this.dir, 'shop.btsnoop') };
      conf.camera = { source: 'file', path: path.join(kRoot, 'build/demo/scene.mp4') };
      conf.replay = { epoch_ms: this.epoch, start_ms: this.epoch, speed: this.speed };
    }
    if (film) {
      conf.camera = { source: 'file', path: film, ...camera };
      conf.replay = { epoch_ms: Date.now(), start_ms: Date.now() };
    }
    this.boxKey ??= randomBytes(32).toString('hex');
    return stack.startBox({ file: this.program('welcomed'), conf, boxKey: this.boxKey });
  }

  async #enrol(members) {
    const daemon = await this.startDaemon();
    await this.until(async () => {
      const { crm } = await this.ctl('status');
      return (
        crm.feed.consents?.items >= 11 &&
        crm.feed.identities?.items >= 3 &&
        crm.feed.policy?.items >= 1 &&
        crm.feed.campaigns?.items >= 1
      );
    }, 'the CRM has sent profiles and consents');
    for (const member of members) {
      const clip = member.replace('c-', 'enrol-') + '.mp4';
      const done = await this.ctl('enrol', member, '--clip', path.join(kRoot, 'build/demo', clip));
      this.say(`       ${who(member)} is enrolled: ${done.templates} views; the clip is forgotten`);
    }
    await daemon.stop();
  }

  // Polls a program of ours for a state that it does not announce.
  async until(state, what, timeoutMs = 30000) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      if (await state()) return;
      if (Date.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  // ---- playing ----

  async play() {
    this.epoch = Date.now() + 2500;
    const phones = this.followPhones();
    await run(this.program('welcome-shop'), [
      '--out',
      path.join(this.dir, 'shop.btsnoop'),
      '--start',
      String(this.epoch),
      '--seed',
      String(this.seed),
    ]);
    this.daemon = await this.startDaemon({ replay: true });
    await this.tablet.signedIn('eva', kPin);
    await phones;
    this.#direct();
    await this.at(kStorySeconds + kTail);
    await this.until(async () => {
      const { outbox } = await this.ctl('status');
      return outbox.uplink === 0 && outbox.floor === 0;
    }, 'everything was sent');
    return this.result();
  }

  // Resolves at this second of the story.
  at(second) {
    const wait = this.epoch + (second * 1000) / this.speed - Date.now();
    return new Promise((resolve) => this.waiting.push(setTimeout(resolve, Math.max(0, wait))));
  }

  // What people do. Staff and customer are played here; everything else happens by itself.
  #direct() {
    this.#nextPrompt((p) => p.greet.name.startsWith('Paul') && p.level === 'confirmed').then(async (p) => {
      await this.#act(p.visit, { kind: 'claim' });
      await this.#act(p.visit, { kind: 'greeted' });
      await this.at(Math.max(this.now() + 3, 80));
      await this.#act(p.visit, { kind: 'served' });
      await this.#act(p.visit, { kind: 'note', text: kNote });
    });
    this.at(kWithdrawn).then(async () => {
      this.#tell('Bruno switches face recognition off on his phone');
      const phone = await this.device('c-bruno', 'Bruno’s phone');
      await phone.choose('face_recognition', false);
    });
  }

  async #act(visit, action) {
    this.#tell(`staff (eva): ${action.kind}${action.text ? ` "${action.text}"` : ''}`);
    const at = new Date(this.epoch + this.now() * 1000).toISOString();
    await this.tablet.act(visit, { at, ...action });
  }

  #nextPrompt(wanted) {
    return new Promise((resolve) => {
      (this.promptListeners ??= []).push((prompt) => wanted(prompt) && resolve(prompt));
    });
  }

  // ---- listening ----

  async #listen() {
    this.clients = [];
    const listen = async (link, account, topic, on) => {
      const client = await this.stack.connect(link, account, { reconnectPeriod: 300 });
      this.clients.push(client);
      client.on('message', (name, payload) => on(name, payload.length ? JSON.parse(payload) : null));
      await client.subscribeAsync(topic, { qos: 1 });
      return client;
    };
    this.tablet = await StaffTablet.connect(this.stack, kEva, { reconnectPeriod: 300 });
    this.clients.push(this.tablet.client);
    this.tablet.client.on('message', (topic, payload) => {
      if (topic.startsWith(kPrompts) && payload.length) this.#onPrompt(JSON.parse(payload));
    });
    await this.tablet.client.subscribeAsync(`${kPrompts}+`, { qos: 1 });
    await listen('uplink', 'owner', `${this.stack.prefix}/event`, (_, event) => this.#onEvent(event));
  }

  // Everybody has their page open from now on.
  async followPhones() {
    const follow = async (name) => void this.#follow(name, await this.device(`c-${name}`, 'Phone'));
    await Promise.all(Object.keys(this.inbox).map(follow));
  }

  // The customer's page, left open: comes back by itself when the CRM was away, and then has what it missed.
  async #follow(name, device) {
    const look = async () => {
      const { status, body } = await device.ask('GET', '/v1/offers');
      const known = new Set(this.inbox[name].map(({ decision }) => decision));
      for (const offer of status === 200 ? body.offers.reverse() : []) {
        if (known.has(offer.decision)) continue;
        this.inbox[name].push({ kind: 'offer', ...offer });
        this.#tell(`phone of ${names[`c-${name}`]} buzzes: "${offer.title}" ${offer.text}`);
      }
    };
    while (!this.over) {
      try {
        const heard = await device.listen(
          '/v1/events',
          (event) => event === 'offers' && look().catch(() => {}),
        );
        this.open.add(heard);
        await look();
        await heard.over;
        this.open.delete(heard);
      } catch {
        // the CRM is away
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  #onPrompt(prompt) {
    const last = this.prompts.filter((p) => p.visit === prompt.visit).at(-1);
    this.prompts.push({ ...prompt, shown: this.epoch ? this.now() : 0 });
    if (this.epoch && (!last || last.level !== prompt.level)) {
      const likes = prompt.preferences.map((p) => p.text).join('; ');
      const note = prompt.last_conversation ? `; last time: "${prompt.last_conversation.text}"` : '';
      this.#tell(
        `tablet: ${prompt.headline} [${prompt.by.join(' + ')}]${likes ? `, likes ${likes}` : ''}${note}`,
      );
    }
    for (const listener of this.promptListeners ?? []) listener(prompt);
  }

  #onEvent(event) {
    this.events.push(event);
    if (!this.epoch) return;
    const kind = event.type.replace(/^com\.welcomed\.|\.v1$/g, '');
    const at = (Date.parse(event.time) - this.epoch) / 1000;
    const { data } = event;
    const name = who(event.subject);
    if (kind === 'decision.suppressed') {
      this.#tell(`${name}: ${data.kind} suppressed, ${data.reason}`, at);
    } else if (kind === 'decision.offer') {
      this.#tell(`${name}: offer decided, campaign ${data.campaign}, variant ${data.variant}`, at);
      this.#explain(data.decision);
    } else if (kind.startsWith('visit.')) {
      this.#tell(`${name}: visit ${kind.slice(6)}, ${data.zone}`, at);
    }
  }

  async #explain(decision) {
    const { lines } = await this.ctl('why', decision).catch(() => ({ lines: [] }));
    for (const line of lines.slice(2)) this.say(`           ${line.trim()}`);
  }

  // ---- the end ----

  async result() {
    const status = await this.ctl('status');
    const decisions = await this.ctl('decisions');
    // The day once more, from the recording of the newest start.
    const session = ({ recording }) => Number(recording.split('-').at(-1));
    const newest = (await this.ctl('recordings')).sort((a, b) => session(a) - session(b)).at(-1);
    const replayed = await this.ctl('replay', newest.recording);
    const { stdout } = await this.crm('--json', 'ledger');
    const ledger = stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const inLedger = new Map();
    for (const entry of ledger) inLedger.set(entry.id, (inLedger.get(entry.id) ?? 0) + 1);

    // Every offer that the box decided stands in the ledger once, and reached its phone once.
    const offers = decisions.filter((d) => d.kind === 'offer' && d.reason === 'made');
    const received = Object.values(this.inbox)
      .flat()
      .filter((m) => m.kind === 'offer');
    const times = (decision) => received.filter((m) => m.decision === decision).length;
    const sent = new Set(this.events.map((event) => event.id));
    const lost =
      [...sent].filter((id) => !inLedger.has(id)).length +
      offers.filter((d) => !inLedger.has(d.id) || times(d.id) === 0).length;
    const duplicated =
      [...inLedger.values()].filter((n) => n > 1).length + offers.filter((d) => times(d.id) > 1).length;
    return {
      offers: offers.length,
      prompts: new Set(this.prompts.map((p) => p.visit)).size,
      suppressed: decisions
        .filter((d) => d.reason !== 'made')
        .reduce((by, d) => {
          by[d.reason] = (by[d.reason] ?? 0) + 1;
          return by;
        }, {}),
      faces_seen: status.faces.seen,
      faces_discarded: status.faces.discarded,
      identities_heard: status.radio.identified,
      adverts_discarded: status.radio.discarded,
      replayed_events: replayed.events,
      replayed_otherwise: replayed.differences,
      messages_lost: lost,
      messages_duplicated: duplicated,
      latency_ms_p50: status.latency_ms.p50,
      latency_ms_p95: status.latency_ms.p95,
    };
  }

  // What did not come out as the story goes; empty = all is well.
  complaints(result) {
    const wrong = [];
    const want = (good, text) => good || wrong.push(text);
    const of = (name) => this.prompts.filter((p) => p.greet.name.startsWith(name));
    const withFace = (name) => of(name).filter((p) => p.by.includes('face'));
    const seconds = (p) => (Date.parse(p.since) - this.epoch) / 1000;

    want(
      this.inbox.paul.filter((m) => m.kind === 'offer').length === 1,
      'Paul should have got exactly one offer, for walking by',
    );
    want(
      Object.keys(result.suppressed).some((reason) => reason.startsWith('cap') || reason === 'min_gap'),
      "Paul's second walk-by should have been suppressed by a cap",
    );
    want(
      withFace('Paul').some((p) => p.level === 'confirmed' && p.preferences.length > 0),
      'the tablet should have shown Paul, confirmed by his face, with what he likes',
    );
    want(withFace('Bruno').length > 0, 'Bruno should have been recognised before he withdrew');
    want(!withFace('Bruno').some((p) => p.shown > kWithdrawn + 4), 'Bruno was recognised after he withdrew');
    want(of('Mia').length === 0, 'Mia agreed to offers only: no prompt may show her');
    const paulVisits = new Set(of('Paul').map((p) => p.visit));
    want(paulVisits.size === 2, `Paul should have had two visits with a prompt, not ${paulVisits.size}`);
    want(
      of('Paul').some((p) => seconds(p) > 140 && p.last_conversation?.text === kNote),
      "Paul's second prompt should have started from the note",
    );
    want(result.faces_discarded > 0, 'faces of strangers should have been seen and discarded');
    want(result.adverts_discarded > result.identities_heard, "strangers' adverts should have been discarded");
    want(
      result.replayed_events > 100 && result.replayed_otherwise === 0,
      `${result.replayed_otherwise} decisions came out otherwise when the recording was replayed`,
    );
    want(result.messages_lost === 0, `${result.messages_lost} messages were lost`);
    want(result.messages_duplicated === 0, `${result.messages_duplicated} messages came twice`);
    return wrong;
  }

  async stop() {
    this.over = true;
    for (const heard of this.open) heard.end();
    for (const timer of this.waiting) clearTimeout(timer);
    for (const client of this.clients ?? []) await client.endAsync(true).catch(() => {});
    await this.stack?.stop();
  }
}
