// SPDX-License-Identifier: Apache-2.0
// The page's MQTT link: one WebSocket to the origin that served the page, MQTT 5. Comes back by
// itself; says which state it is in; never sends what was written while the line was away without
// its caller knowing.

import { Mqtt, NotTaken } from './mqtt';
import { parse, type Json } from './read';

export { NotTaken };

export type LinkState = 'connecting' | 'online' | 'lost' | 'refused' | 'elsewhere';

export interface LinkOptions {
  path: string; // of the broker at this origin
  account: string;
  password: string;
  topics: string[];
  qos: 0 | 1;
  onState(state: LinkState): void;
  // `json` is null for an empty payload; what is not JSON never arrives here.
  onMessage(topic: string, json: Json | null, expiresInS: number | null): void;
  // Subscribed (again): retained messages follow.
  onSubscribed?(): void;
}

const kBadLogin = [134, 135]; // MQTT 5 reason codes
const kTakenOver = 142;
const kBackoffMs = [500, 1000, 2000, 4000, 8000, 15000];
const kSteadyMs = 10000;
// Mosquitto 2.0 gives a session to whoever came last without telling the other: let in and thrown out this
// often, it looks like that. A flaky line looks alike, so the page looks again by itself.
const kTakingTurns = 3;
const kLookAgainMs = 60000;
const kPublishTimeoutMs = 8000;

export class Link {
  #mqtt: Mqtt | null = null;
  #options: LinkOptions;
  #topics: Set<string>;
  #attempt = 0;
  #brief = 0; // connections in a row that ended soon
  #steady = 0;
  #again = 0;
  #ended = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#topics = new Set(options.topics);
    options.onState('connecting');
    this.#connect();
    // A tablet that slept has a dead socket that nobody told it about.
    addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
  }

  #connect() {
    clearTimeout(this.#again);
    const old = this.#mqtt;
    this.#mqtt = null;
    old?.close();
    const { path, account, password } = this.#options;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    let up = false;
    const mqtt = new Mqtt(
      {
        url: `${scheme}://${location.host}${path}`,
        // The account is the session: brokers bind the two, so that nobody takes another's away.
        clientId: account,
        username: account,
        password,
        keepAliveS: 15,
        connectMs: 5000,
      },
      {
        open: () => {
          up = true;
          this.#onOpen(mqtt);
        },
        closed: (reason) => this.#mqtt === mqtt && this.#onClosed(up, reason),
        message: (topic, payload, expiresInS) => {
          const json = payload.length ? parse(payload) : null;
          if (!payload.length || json) this.#options.onMessage(topic, json, expiresInS);
        },
      },
    );
    this.#mqtt = mqtt;
  }

  #onOpen(mqtt: Mqtt) {
    // Two that take one session from each other must not do so at full speed.
    this.#steady = window.setTimeout(() => (this.#attempt = this.#brief = 0), kSteadyMs);
    this.#options.onState('online');
    mqtt.subscribe([...this.#topics], this.#options.qos).then(
      () => this.#options.onSubscribed?.(),
      () => {}, // the line went, or the account may not: nothing follows
    );
  }

  #onClosed(up: boolean, reason: number) {
    clearTimeout(this.#steady);
    if (this.#ended) return;
    if (kBadLogin.includes(reason)) return this.#stop('refused');
    if (reason === kTakenOver) return this.#stop('elsewhere');
    if (up) ++this.#brief;
    const turns = this.#brief >= kTakingTurns;
    this.#options.onState(turns ? 'elsewhere' : 'lost');
    const wait = turns ? kLookAgainMs * (0.5 + Math.random()) : backoff(this.#attempt++);
    this.#again = window.setTimeout(() => this.#connect(), wait);
  }

  #stop(state: LinkState) {
    this.end();
    this.#options.onState(state);
  }

  #wake = () => {
    if (this.#ended || document.visibilityState !== 'visible' || this.#mqtt?.connected) return;
    clearTimeout(this.#again);
    this.#again = window.setTimeout(() => this.#connect(), 0);
  };

  // Resolves when the broker has it. Rejects at once when the line is away: nothing is sent late
  // behind the user's back. NotTaken: the broker has it, and will never take it.
  async publish(topic: string, message: object, expiryS?: number): Promise<void> {
    const mqtt = this.#mqtt;
    if (!mqtt?.connected) throw new Error('offline');
    // Without an answer the line is dead, whatever the socket says.
    const late = window.setTimeout(() => mqtt.close(), kPublishTimeoutMs);
    await mqtt.publish(topic, JSON.stringify(message), expiryS).finally(() => clearTimeout(late));
  }

  // Now and after each time the line comes back.
  subscribe(topic: string) {
    this.#topics.add(topic);
    if (this.#mqtt?.connected) void this.#mqtt.subscribe([topic], this.#options.qos).catch(() => {});
  }

  unsubscribe(topic: string) {
    if (this.#topics.delete(topic) && this.#mqtt?.connected)
      void this.#mqtt.unsubscribe(topic).catch(() => {});
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#again);
    clearTimeout(this.#steady);
    removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
    this.#mqtt?.close();
  }
}

// What a model needs of a link, and how it comes by one: its tests have one without a broker.
export type PageLink = Pick<Link, 'publish' | 'subscribe' | 'unsubscribe' | 'end'>;
export type Connect = (options: LinkOptions) => PageLink;
export const connect: Connect = (options) => new Link(options);

function backoff(attempt: number): number {
  const ms = kBackoffMs[Math.min(attempt, kBackoffMs.length - 1)];
  return ms * (0.5 + Math.random());
}
