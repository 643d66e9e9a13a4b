// SPDX-License-Identifier: Apache-2.0
// The real programs of a shop on free loopback ports: central broker, floor broker, nginx with the
// pages, and whatever else the caller runs beside them (welcome-crm, welcomed). Used by the demo,
// the browser tests and the kill tests. Node 18 or newer.
//
//   const stack = await startStack({ run: '/some/empty/directory' });
//   const crm = await stack.start({ name: 'crm', file: 'build/release/bin/welcome-crm', args: [...],
//                                   ready: { retained: ['uplink', 'topic'] } });
//   await crm.stop();      // SIGTERM, waits for the end
//   await stack.stop();    // everything, last started first
//
// Every file lies in the run directory, which belongs to the caller. A program is stopped through
// its own process handle only, and ends by itself when this process is killed.

import { spawn, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import mqtt from 'mqtt';
import { kRoot } from './places.mjs';

// Debian keeps servers in sbin, which is not in everybody's PATH.
const kPath = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;

// A running program. `log` is the file with both of its outputs.
class Program {
  #child;
  #listeners = new Set();
  #kept = [];

  constructor({ name, file, args = [], env = {}, cwd, log }) {
    this.name = name;
    this.log = log;
    // A session of its own: Ctrl-C in the terminal reaches the caller alone, who stops things in
    // order. setpriv makes the kernel end the program should the caller be killed.
    this.#child = spawn('setpriv', ['--pdeathsig', 'TERM', file, ...args], {
      cwd,
      detached: true,
      env: { ...process.env, PATH: kPath, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const sink = createWriteStream(log, { flags: 'a' });
    let open = 2;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        sink.write(text);
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) this.#line(line);
      });
      stream.on('close', () => {
        if (rest) this.#line(rest);
        if (--open === 0) sink.end();
      });
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve({ code: null, signal: null, error }));
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.running = true;
    this.exited.then(() => (this.running = false));
  }

  get pid() {
    return this.#child.pid;
  }

  #line(line) {
    this.#kept.push(line);
    if (this.#kept.length > 2000) this.#kept.shift();
    for (const listener of this.#listeners) listener(line);
  }

  // Calls `listener` with each line of output from now on; returns the function that ends it.
  onLine(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // The first line that matches, also of those already written.
  line(pattern, timeoutMs = 30000) {
    const seen = this.#kept.find((line) => pattern.test(line));
    if (seen !== undefined) return Promise.resolve(seen);
    let off;
    const wanted = new Promise((resolve) => {
      off = this.onLine((line) => pattern.test(line) && resolve(line));
    });
    return within(this.whileRunning(wanted), timeoutMs, `${this.name}: no line ${pattern}`).finally(() =>
      off(),
    );
  }

  // `promise`, or an error with the last words of the program as soon as it ends.
  whileRunning(promise) {
    const ended = this.exited.then(({ code, signal, error }) => {
      const why = error ? error.message : signal ? `signal ${signal}` : `exit code ${code}`;
      const last = this.#kept.slice(-8).join('\n  ');
      throw new Error(`${this.name} ended (${why})${last ? `:\n  ${last}` : ''}`);
    });
    return Promise.race([promise, ended]);
  }

  // How it ends by itself, in time.
  ends(timeoutMs = 30000) {
    return within(this.exited, timeoutMs, `${this.name} does not end`);
  }

  signal(name) {
    return this.running && this.#child.kill(name);
  }

  kill() {
    this.signal('SIGKILL');
    return this.exited;
  }

  // SIGTERM, and SIGKILL when it does not end in time. Says how it ended.
  async stop(timeoutMs = 10000) {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }
}

// run       directory for every file of this stack; made when it is missing
// pages     built pages (`npm run build`); null = brokers only, without nginx
// tenant, store, box, tablets: who has an account at which broker
// host      of the pages' address; a name where browsers are to make passkeys, for a number they make none
// ports     { web, uplink, floor, floorWs }; what is not named is a free port
export const startStack = (options) => Stack.create(options);

class Stack {
  ports = {};
  accounts = {}; // name → password
  programs = []; // in the order of their start

  static async create({
    run,
    pages = path.join(kRoot, 'build/console'),
    tenant = 'demo',
    store = 'aroma-1',
    box = 'box-1',
    tablets = ['tablet-1', 'tablet-2'],
    host = '127.0.0.1',
    ports = {},
  } = {}) {
    if (!run) throw new Error('startStack needs a run directory');
    if (pages && !existsSync(path.join(pages, 'tablet/index.html')))
      throw new Error(`no pages in ${pages}: build them with "npm run build"`);
    const stack = new Stack({ run: path.resolve(run), tenant, store, box, host });
    const names = ['web', 'door', 'uplink', 'uplinkOwner', 'floor', 'floorWs', 'floorOwner'];
    const free = await freePorts(names.length);
    names.forEach((name, i) => (stack.ports[name] = ports[name] ?? free[i]));
    const account = (name) => (stack.accounts[name] = randomBytes(12).toString('base64url'));
    for (const name of [box, stack.address, 'crm', 'owner', ...tablets]) account(name);

    try {
      mkdirSync(stack.run, { recursive: true });
      await stack.#start({ box, tablets, pages });
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  constructor({ run, tenant, store, box, host }) {
    Object.assign(this, { run, tenant, store, box, host });
    this.address = `${tenant}/${store}/${box}`; // the box's account at the central broker
    this.prefix = `welcome/v1/${this.address}`;
  }

  // { host, port, ws } of 'uplink' or 'floor'; WebSockets are for tablets alone
  broker(link) {
    return { host: '127.0.0.1', port: this.ports[link], ws: this.ports[`${link}Ws`] };
  }

  get web() {
    return `http://${this.host}:${this.ports.web}`;
  }

  // The account travels in the fragment, which no browser sends to the server.
  tabletLink(account = 'tablet-1') {
    return `${this.web}/tablet/#${account}:${this.accounts[account]}`;
  }

  // Starts a program beside the brokers and waits until it is ready:
  //   ready: { port } accepts | { line: /regex/ } is written | { retained: [link, topic, accept?] }
  // A `conf` (sections of keys) is written to `<run>/<name>/<name>.conf`; `credentials` become files in
  // a directory that the program finds as CREDENTIALS_DIRECTORY, as under systemd. Both may be named
  // in `args` as {conf} and {dir}, the latter also in values of `conf`.
  async start({ name, file, args = [], env = {}, conf, credentials, cwd, ready = {}, timeoutMs = 30000 }) {
    const dir = path.join(this.run, name);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const confFile = path.join(dir, `${name}.conf`);
    if (conf) writeFileSync(confFile, ini(conf).replaceAll('{dir}', dir));
    const all = { ...env };
    if (credentials) {
      all.CREDENTIALS_DIRECTORY = path.join(dir, 'credentials');
      mkdirSync(all.CREDENTIALS_DIRECTORY, { recursive: true, mode: 0o700 });
      for (const [key, value] of Object.entries(credentials))
        writeFileSync(path.join(all.CREDENTIALS_DIRECTORY, key), value, { mode: 0o600 });
    }
    const program = new Program({
      name,
      file,
      args: args.map((arg) => arg.replaceAll('{conf}', confFile).replaceAll('{dir}', dir)),
      env: all,
      cwd,
      log: path.join(this.run, `${name}.log`),
    });
    this.programs.push(program);
    program.exited.then(() => this.programs.splice(this.programs.indexOf(program), 1));
    if (ready.port) await program.whileRunning(accepts(ready.port, timeoutMs, name));
    if (ready.line) await program.line(ready.line, timeoutMs);
    if (ready.retained) {
      const [link, topic, accept] = ready.retained;
      await program.whileRunning(this.message(link, topic, accept, timeoutMs));
    }
    return program;
  }

  // Starts welcomed (`file`) as this stack's box, in `<run>/welcomed`. `conf`: sections beside those that
  // every box here has, or other keys of these.
  startBox({ file, conf = {}, boxKey = '11'.repeat(32) }) {
    const sections = {
      box: {
        tenant: this.tenant,
        store: this.store,
        id: this.box,
        state_dir: '{dir}',
        control_socket: '{dir}/control.sock',
      },
      uplink: { port: this.ports.uplink, user: this.address },
      floor: { port: this.ports.floor, user: this.box },
      vision: { models_dir: path.join(kRoot, 'build/models') },
    };
    for (const [name, keys] of Object.entries(conf)) sections[name] = { ...sections[name], ...keys };
    return this.start({
      name: 'welcomed',
      file,
      args: ['--config', '{conf}'],
      conf: sections,
      credentials: {
        'box-key': boxKey,
        'uplink-password': this.accounts[this.address],
        'floor-password': this.accounts[this.box],
      },
      ready: { line: /is ready/ },
    });
  }

  // A client of 'uplink' or 'floor', connected, as one of `accounts`: the same account connects once. Only
  // 'owner', who has the broker and so hears and says everything, does so as often as they like.
  async connect(link, account, options = {}) {
    const door = account === 'owner' ? { port: this.ports[`${link}Owner`] } : { clientId: account };
    const client = mqtt.connect({
      protocol: 'mqtt',
      ...this.broker(link),
      ...door,
      protocolVersion: 5,
      username: account,
      password: this.accounts[account],
      reconnectPeriod: 0,
      ...options,
    });
    client.on('error', () => {});
    await within(
      new Promise((resolve, reject) => {
        client.once('connect', resolve);
        client.once('error', reject);
      }),
      30000,
      `${account} cannot connect to ${link}`,
    );
    return client;
  }

  // The first message on `topic`, retained or new, whose JSON `accept` likes.
  async message(link, topic, accept = () => true, timeoutMs = 30000) {
    const client = await this.connect(link, 'owner');
    try {
      const wanted = new Promise((resolve) =>
        client.on('message', (_, payload) => {
          const json = payload.length ? JSON.parse(payload) : null;
          if (json !== null && accept(json)) resolve(json);
        }),
      );
      await client.subscribeAsync(topic, { qos: 1 });
      return await within(wanted, timeoutMs, `nothing on ${topic}`);
    } finally {
      client.end(true);
    }
  }

  // Starts one of the brokers (again, on the same port): 'uplink' or 'floor'.
  startBroker(link) {
    const name = link === 'floor' ? 'mosquitto-floor' : 'mosquitto-central';
    return this.start({
      name,
      file: 'mosquitto',
      args: ['-c', `{dir}/mosquitto.conf`],
      ready: { port: this.ports[`${link}Owner`] }, // the last that it opens
    });
  }

  startNginx() {
    return this.start({
      name: 'nginx',
      file: 'nginx',
      args: ['-e', 'stderr', '-p', '{dir}', '-c', '{dir}/nginx.conf'],
      ready: { port: this.ports.web },
    });
  }

  // Where the broker has its accounts and rules.
  brokerFiles(link) {
    return path.join(this.run, link === 'floor' ? 'mosquitto-floor' : 'mosquitto-central');
  }

  // The broker reads them again; it has when `account` comes in.
  async reloadBroker(link, account) {
    const name = link === 'floor' ? 'mosquitto-floor' : 'mosquitto-central';
    this.program(name).signal('SIGHUP');
    for (const end = Date.now() + 10000; ; ) {
      const client = await this.connect(link, account).catch(() => null);
      if (client) return client.endAsync();
      if (Date.now() > end) throw new Error(`${account} does not come in`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  program(name) {
    return this.programs.find((program) => program.name === name);
  }

  async stop() {
    for (const program of [...this.programs].reverse()) await program.stop();
  }

  async #start({ box, tablets, pages }) {
    const user = process.getuid() === 0 ? 'user root' : '';
    this.#broker('uplink', {
      accounts: [this.address, 'crm', 'owner'],
      rules: [
        ['central.acl', {}],
        ['central-tenant.acl.in', { TENANT: this.tenant, CRM: 'crm' }],
        ['central-box.acl.in', { TENANT: this.tenant, STORE: this.store, BOX: box }],
      ],
      user,
    });
    this.#broker('floor', {
      accounts: [box, 'owner', ...tablets],
      rules: [
        ['floor.acl', {}],
        ['floor-box.acl.in', { BOX: box }],
      ],
      user,
    });
    const starting = [this.startBroker('uplink'), this.startBroker('floor')];
    if (pages) {
      // A copy: the pages may be built again while this stack runs.
      cpSync(pages, path.join(this.run, 'pages'), { recursive: true });
      for (const dir of ['nginx', 'nginx/tmp'])
        mkdirSync(path.join(this.run, dir), { recursive: true, mode: 0o700 });
      const conf = filled('nginx/nginx.conf.in', {
        RUN: path.join(this.run, 'nginx'),
        USER: user && `${user};`,
        SITE: path.join(this.run, 'nginx/floor-site.conf'),
      });
      const site = filled('nginx/floor-site.conf.in', {
        LISTEN: `listen 127.0.0.1:${this.ports.web};`,
        PAGES: path.join(this.run, 'pages'),
        FLOOR_WS: this.ports.floorWs,
        MORE: `location /phone/ { index index.html; }
          include "${path.join(this.run, 'nginx/door-location.conf')}";`,
      });
      const location = filled('nginx/door-location.conf.in', { DOOR: this.ports.door });
      writeFileSync(path.join(this.run, 'nginx/door-location.conf'), location);
      writeFileSync(path.join(this.run, 'nginx/floor-site.conf'), site);
      writeFileSync(path.join(this.run, 'nginx/nginx.conf'), conf, { mode: 0o600 });
      starting.push(this.startNginx());
    }
    const failed = (await Promise.allSettled(starting)).find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #broker(link, { accounts, rules, user }) {
    const name = link === 'floor' ? 'floor' : 'central';
    const dir = path.join(this.run, `mosquitto-${name}`);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const { port, ws } = this.broker(link);
    const conf = filled(`broker/${name}.conf.in`, { USER: user, DIR: dir, TCP: port, WS: ws });
    const door = `\n# The owner's.\nlistener ${this.ports[`${link}Owner`]} 127.0.0.1\n`;
    writeFileSync(path.join(dir, 'mosquitto.conf'), conf + door, { mode: 0o600 });
    const passwords = path.join(dir, 'passwords');
    const lines = accounts.map((account) => `${account}:${this.accounts[account]}\n`);
    writeFileSync(passwords, lines.join(''), { mode: 0o600 });
    execFileSync('mosquitto_passwd', ['-U', passwords]); // hashes in place
    const acl = rules.map(([file, values]) => filled(`broker/${file}`, values));
    writeFileSync(path.join(dir, 'acl'), [...acl, kOwnerRules].join('\n'), { mode: 0o600 });
  }
}

const kOwnerRules = 'user owner\ntopic readwrite #\n';

// A template of packaging/ with its @NAMES@ filled in.
export function filled(template, values) {
  const text = readFileSync(path.join(kRoot, 'packaging', template), 'utf8');
  return text.replace(/@([A-Z_]+)@/g, (_, key) => {
    if (!(key in values)) throw new Error(`${template}: nothing for @${key}@`);
    return String(values[key]);
  });
}

function ini(sections) {
  return Object.entries(sections)
    .map(([section, keys]) => {
      const lines = Object.entries(keys).map(([key, value]) => `${key} = ${value}`);
      return [`[${section}]`, ...lines, ''].join('\n');
    })
    .join('\n');
}

async function freePorts(count) {
  const servers = [];
  for (let i = 0; i < count; i++) {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}

async function accepts(port, timeoutMs, name) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const open = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    if (Date.now() > end) throw new Error(`${name}: nothing accepts on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function within(promise, timeoutMs, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
