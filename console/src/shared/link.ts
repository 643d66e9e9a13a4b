// SPDX-License-Identifier: Apache-2.0
// The page's MQTT link: one WebSocket to the origin that served the page, MQTT 5. Comes back by
// itself; says which state it is in; never sends what was written while the line was away without
// its caller knowing.

import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { parse, type Json } from './read';

export type LinkState = 'connecting' | 'online' | 'lost' | 'refused' | 'elsewhere';

export interface LinkOptions {
  path: string; // of the broker at this origin
  account: string;
  password: string;
  sessionExpiryS?: number; // 0 or missing: the broker forgets us when we leave
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
  #client: MqttClient;
  #topics: Set<string>;
  #qos: 0 | 1;
  #ended = false;

  constructor(options: LinkOptions) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    let attempt = 0;
    this.#topics = new Set(options.topics);
    this.#qos = options.qos;
    const settings: IClientOptions = {
      protocolVersion: 5,
      username: options.account,
      password: options.password,
      // The account is the session: brokers bind the two, so that nobody takes another's away.
      clientId: options.account,
      clean: !options.sessionExpiryS,
      properties: { sessionExpiryInterval: options.sessionExpiryS ?? 0 },
      keepalive: 15,
      connectTimeout: 5000,
      reconnectPeriod: backoff(0),
      resubscribe: false,
      timerVariant: 'native',
    };
    const client = mqtt.connect(`${scheme}://${location.host}${options.path}`, settings);
    this.#client = client;

    const stop = (state: LinkState) => {
      this.#ended = true;
      client.end(true);
      options.onState(state);
    };
    let steady = 0;
    let brief = 0; // connections in a row that ended soon
    let up = false;
    client.on('connect', () => {
      up = true;
      // Two that take one session from each other must not do so at full speed.
      steady = window.setTimeout(() => (attempt = brief = 0), kSteadyMs);
      options.onState('online');
      client.subscribe([...this.#topics], { qos: options.qos }, (error) => {
        if (!error) options.onSubscribed?.();
      });
    });
    client.on('close', () => {
      clearTimeout(steady);
      if (this.#ended) return;
      if (up) ++brief;
      up = false;
      const turns = brief >= kTakingTurns;
      options.onState(turns ? 'elsewhere' : 'lost');
      client.options.reconnectPeriod = turns ? kLookAgainMs * (0.5 + Math.random()) : backoff(attempt++);
    });
    client.on('disconnect', (packet) => {
      if (packet.reasonCode === kTakenOver) stop('elsewhere');
    });
    client.on('error', (error) => {
      if (kBadLogin.includes((error as { code?: number }).code ?? 0)) stop('refused');
    });
    client.on('message', (topic, payload, packet) => {
      const json = payload.length ? parse(payload) : null;
      if (payload.length && !json) return;
      options.onMessage(topic, json, packet.properties?.messageExpiryInterval ?? null);
    });
    options.onState('connecting');
    // A tablet or phone that slept has a dead socket that nobody told it about.
    addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
  }

  #wake = () => {
    if (!this.#ended && document.visibilityState === 'visible' && !this.#client.connected)
      this.#client.reconnect();
  };

  // Resolves when the broker has it. Rejects at once when the line is away: nothing is sent late
  // behind the user's back.
  async publish(topic: string, message: object, expiryS?: number): Promise<void> {
    if (!this.#client.connected) throw new Error('offline');
    let timer = 0;
    const late = new Promise<never>((_, reject) => {
      timer = window.setTimeout(() => reject(new Error('timeout')), kPublishTimeoutMs);
    });
    const sent = this.#client.publishAsync(topic, JSON.stringify(message), {
      qos: 1,
      properties: expiryS ? { messageExpiryInterval: expiryS } : {},
    });
    await Promise.race([sent, late]).finally(() => clearTimeout(timer));
  }

  // Now and after each time the line comes back.
  subscribe(topic: string) {
    this.#topics.add(topic);
    if (this.#client.connected) this.#client.subscribe(topic, { qos: this.#qos });
  }

  unsubscribe(topic: string) {
    if (this.#topics.delete(topic) && this.#client.connected) this.#client.unsubscribe(topic);
  }

  end() {
    this.#ended = true;
    removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
    this.#client.end(true);
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
