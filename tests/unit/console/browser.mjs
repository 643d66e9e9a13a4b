// SPDX-License-Identifier: Apache-2.0
// What a page's model needs of a browser, in node: a few globals, a clock that the test turns, and a
// link that the test holds both ends of.

import { build } from 'esbuild';
import { webcrypto } from 'node:crypto';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { kRoot } from '../../../harness/places.mjs';
import { assertFits, example } from '../../e2e/contract.mjs';

// Debian 12's node (18) has it, and not as a global.
globalThis.crypto ??= webcrypto;

class Storage {
  #items = new Map();
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => void this.#items.set(key, String(value));
  removeItem = (key) => void this.#items.delete(key);
}

// Timers in order of their time; a page never sees another clock.
export class Clock {
  now = Date.parse('2026-05-04T08:00:00Z');
  #timers = new Map();
  #last = 0;

  install() {
    globalThis.setTimeout = (call, ms = 0) => (
      this.#timers.set(++this.#last, { at: this.now + ms, call }), this.#last
    );
    globalThis.clearTimeout = (timer) => void this.#timers.delete(timer);
    globalThis.Date.now = () => this.now;
  }

  get waiting() {
    return this.#timers.size;
  }

  // Lets the time pass, and what was promised happen.
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at);
      if (!next || next[1].at > end) break;
      this.#timers.delete(next[0]);
      this.now = next[1].at;
      next[1].call();
    }
    this.now = end;
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

export const clock = new Clock();
clock.install();
Object.assign(globalThis, {
  window: globalThis,
  localStorage: new Storage(),
  sessionStorage: new Storage(),
  document: { documentElement: {} },
  BroadcastChannel: class {
    postMessage() {}
  },
});
Object.defineProperty(globalThis, 'navigator', {
  value: { language: 'en-GB', languages: ['en-GB'] },
  configurable: true,
});

// A module of console/src, as the page has it.
export async function load(module) {
  const outfile = path.join(kRoot, 'build/test/console', module.replace(/\.tsx?$/, '.mjs'));
  const entryPoints = [path.join(kRoot, 'console/src', module)];
  await build({
    entryPoints,
    outfile,
    bundle: true,
    format: 'esm',
    packages: 'external',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  });
  return import(pathToFileURL(outfile));
}

// In place of the CRM's door: what the model asked for, what the test answers, and the streams that it hears.
export class FakeDoor {
  asked = []; // { method, path, body }
  answers = {}; // by path: a body, or { status, problem }
  online = true;
  stream = null;

  async ask(method, path, body) {
    if (!this.online) throw new TypeError('no line');
    this.asked.push({ method, path, body });
    const answer = this.answers[path];
    const said = typeof answer === 'function' ? await answer(body) : answer;
    if (said?.problem) return { status: said.status, body: {}, problem: said.problem };
    if (said === undefined) return { status: 204, body: {}, problem: '' };
    return { status: path === '/v1/forget' ? 202 : 200, body: said, problem: '' };
  }

  listen(path, onEvent) {
    const stream = { path, open: true, say: onEvent, end: () => (stream.open = false) };
    this.stream = stream;
    return stream;
  }

  sent(path) {
    return this.asked.filter((one) => one.method === 'POST' && one.path === path).map(({ body }) => body);
  }
}

// In place of the page's connection: what the model subscribed to and sent, and what the test says.
export class FakeLink {
  sent = [];
  online = false;

  connect = (options) => {
    this.options = options;
    this.topics = new Set(options.topics);
    return this;
  };

  async publish(topic, message) {
    if (!this.online) throw new Error('offline');
    this.sent.push({ topic, message });
  }
  subscribe(topic) {
    this.topics.add(topic);
  }
  unsubscribe(topic) {
    this.topics.delete(topic);
  }
  end() {
    this.online = false;
  }

  up() {
    this.online = true;
    this.options.onState('online');
    this.options.onSubscribed?.();
  }
  down() {
    this.online = false;
    this.options.onState('lost');
  }
  // The id of what a lead asked last.
  asked() {
    return this.sent.filter(({ topic }) => topic.endsWith('/manage')).at(-1)?.message.id ?? '';
  }
  say(topic, message, expiryS = null) {
    this.options.onMessage(topic, message, expiryS);
  }
}

// Somebody signs in on a tablet model that has its account: what the box says of her.
export function signedIn(link, account, staff = 'eva', changes = {}) {
  const session = {
    ...example('floor.session'),
    staff,
    name: staff[0].toUpperCase() + staff.slice(1),
    ...changes,
  };
  assertFits('floor.session', session);
  link.say(`welcome/v1/floor/to/${account}/session`, session);
  return session;
}
