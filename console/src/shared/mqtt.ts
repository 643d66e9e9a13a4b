// SPDX-License-Identifier: Apache-2.0
// One MQTT 5 connection over a WebSocket, as far as a page needs it: it subscribes, publishes with QoS 1, and hears.
// It lives once: who wants the line back makes a new one. Whatever is no MQTT ends it.

export interface MqttOptions {
  url: string;
  clientId: string;
  username: string;
  password: string;
  keepAliveS: number;
  connectMs: number;
}

export interface MqttEvents {
  open(): void;
  // `reason`: the broker's, of CONNACK or DISCONNECT; 0: the line was lost.
  closed(reason: number): void;
  message(topic: string, payload: Uint8Array, expiresInS: number | null): void;
}

// The broker has it, and does not take it.
export class NotTaken extends Error {}

const kPublish = 3;
const kRefusedFrom = 0x80;
const kMostWaiting = 1000;
// How long the value of a property is, by its number; 's' is a string, 'v' a number of variable length.
const kLengths: Record<number, 1 | 2 | 4 | 's' | 'v' | 'ss'> = {
  0x01: 1, 0x02: 4, 0x03: 's', 0x08: 's', 0x09: 's', 0x0b: 'v', 0x11: 4, 0x12: 's', 0x13: 2, 0x15: 's', 0x16: 's',
  0x17: 1, 0x18: 4, 0x19: 1, 0x1a: 's', 0x1c: 's', 0x1f: 's', 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1,
  0x26: 'ss', 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1,
}; // prettier-ignore
const kExpiry = 0x02;
const kServerKeepAlive = 0x13;
const kReceiveMaximum = 0x21;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

const u16 = (value: number) => [value >> 8, value & 0xff];
const u32 = (value: number) => [...u16(value >>> 16), ...u16(value & 0xffff)];
const string = (text: string) => {
  const bytes = utf8.encode(text);
  return [...u16(bytes.length), ...bytes];
};

function variable(value: number): number[] {
  const bytes = [];
  do {
    const rest = value >> 7;
    bytes.push((value & 0x7f) | (rest ? 0x80 : 0));
    value = rest;
  } while (value);
  return bytes;
}

function packet(head: number, body: number[], payload: Uint8Array = new Uint8Array()): Uint8Array {
  const start = [head, ...variable(body.length + payload.length), ...body];
  const bytes = new Uint8Array(start.length + payload.length);
  bytes.set(start);
  bytes.set(payload, start.length);
  return bytes;
}

// Reads within its bounds, or throws.
class Reader {
  at = 0;
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new RangeError('a packet that is too short');
    return this.#bytes.subarray(this.at, (this.at += length));
  }

  number(length: number): number {
    return this.take(length).reduce((value, byte) => value * 256 + byte, 0);
  }

  string(): string {
    return fromUtf8.decode(this.take(this.number(2)));
  }

  variable(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.number(1);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a length without end');
  }

  // The numbers among the properties.
  properties(): Map<number, number> {
    const found = new Map<number, number>();
    const end = this.variable() + this.at;
    while (this.at < end) {
      const name = this.number(1);
      const length = kLengths[name];
      if (length === undefined) throw new RangeError('a property that does not exist');
      if (length === 's') this.take(this.number(2));
      else if (length === 'ss') for (const _ of 'ss') this.take(this.number(2));
      else found.set(name, length === 'v' ? this.variable() : this.number(length));
    }
    if (this.at !== end) throw new RangeError('properties of another length');
    return found;
  }
}

interface Unanswered {
  resolve(): void;
  reject(error: Error): void;
}

export class Mqtt {
  connected = false;
  #socket: WebSocket;
  #options: MqttOptions;
  #on: MqttEvents;
  #rest = new Uint8Array();
  #unanswered = new Map<number, Unanswered>(); // by packet id
  #waiting: (() => void)[] = []; // until the broker takes more at once
  #room = 65535;
  #lastId = 0;
  #timer = 0;
  #ponged = true;
  #over = false;

  constructor(options: MqttOptions, on: MqttEvents) {
    this.#options = options;
    this.#on = on;
    this.#socket = new WebSocket(options.url, 'mqtt');
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => this.#sayHello();
    this.#socket.onclose = () => this.close();
    this.#socket.onmessage = ({ data }) => this.#hear(data as ArrayBuffer);
    this.#timer = window.setTimeout(() => this.close(), options.connectMs);
  }

  // Resolves when the broker has it.
  publish(topic: string, payload: string, expiresInS = 0): Promise<void> {
    const properties = expiresInS ? [kExpiry, ...u32(expiresInS)] : [];
    return this.#ask((id) =>
      packet(0x32, [...string(topic), ...u16(id), properties.length, ...properties], utf8.encode(payload)),
    );
  }

  subscribe(topics: string[], qos: 0 | 1): Promise<void> {
    return this.#ask((id) =>
      packet(0x82, [...u16(id), 0, ...topics.flatMap((topic) => [...string(topic), qos])]),
    );
  }

  unsubscribe(topic: string): Promise<void> {
    return this.#ask((id) => packet(0xa2, [...u16(id), 0, ...string(topic)]));
  }

  close(reason = 0) {
    if (this.#over) return;
    this.#over = true;
    this.connected = false;
    clearTimeout(this.#timer);
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(packet(0xe0, []));
    this.#socket.close();
    for (const { reject } of this.#unanswered.values()) reject(new Error('the line is gone'));
    this.#unanswered.clear();
    for (const start of this.#waiting.splice(0)) start();
    this.#on.closed(reason);
  }

  #sayHello() {
    const { clientId, username, password, keepAliveS } = this.#options;
    const head = [...string('MQTT'), 5, 0xc2, ...u16(keepAliveS), 0];
    this.#socket.send(packet(0x10, [...head, ...string(clientId), ...string(username), ...string(password)]));
  }

  #ask(make: (id: number) => Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        if (!this.connected) return reject(new Error('the line is gone'));
        const id = this.#freeId();
        this.#unanswered.set(id, { resolve, reject });
        this.#socket.send(make(id));
      };
      if (this.#unanswered.size < this.#room) start();
      else if (this.#waiting.length < kMostWaiting) this.#waiting.push(start);
      else reject(new Error('too much at once'));
    });
  }

  #freeId(): number {
    do this.#lastId = (this.#lastId % 0xffff) + 1;
    while (this.#unanswered.has(this.#lastId));
    return this.#lastId;
  }

  #hear(data: ArrayBuffer) {
    // A packet may come in pieces, and several in one.
    const bytes = new Uint8Array(this.#rest.length + data.byteLength);
    bytes.set(this.#rest);
    bytes.set(new Uint8Array(data), this.#rest.length);
    let from = 0;
    try {
      for (;;) {
        const length = wholeLength(bytes.subarray(from));
        if (length === null || this.#over) break;
        this.#take(bytes.subarray(from, from + length));
        from += length;
      }
    } catch {
      return this.close();
    }
    this.#rest = bytes.slice(from);
  }

  #take(bytes: Uint8Array) {
    const read = new Reader(bytes);
    const head = read.number(1);
    read.variable();
    switch (head >> 4) {
      case 2:
        return this.#onHello(read);
      case kPublish:
        return this.#onMessage(read, (head >> 1) & 3);
      case 4: // of a publish: nothing behind the id says that all is well
        return this.#answered(read.number(2), read.left ? read.number(1) : 0);
      case 9:
      case 11:
        return this.#onSubscribed(read);
      case 13:
        this.#ponged = true;
        return;
      case 14:
        return this.close(read.left ? read.number(1) : 0);
      default:
        throw new RangeError('a packet that no broker sends');
    }
  }

  #onHello(read: Reader) {
    read.number(1); // a session is never kept
    const reason = read.number(1);
    if (reason >= kRefusedFrom) return this.close(reason);
    const properties = read.properties();
    this.#room = properties.get(kReceiveMaximum) ?? this.#room;
    clearTimeout(this.#timer);
    this.#ping((properties.get(kServerKeepAlive) ?? this.#options.keepAliveS) * 1000);
    this.connected = true;
    this.#on.open();
  }

  #onMessage(read: Reader, qos: number) {
    const topic = read.string();
    const id = qos > 0 ? read.number(2) : 0;
    const expiry = read.properties().get(kExpiry) ?? null;
    const payload = read.take(read.left);
    if (id) this.#socket.send(packet(0x40, u16(id)));
    this.#on.message(topic, payload, expiry);
  }

  #onSubscribed(read: Reader) {
    const id = read.number(2);
    read.properties();
    this.#answered(id, Math.max(0, ...read.take(read.left)));
  }

  #answered(id: number, reason: number) {
    const asked = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (reason < kRefusedFrom) asked?.resolve();
    else asked?.reject(new NotTaken(`reason ${reason}`));
    if (this.#unanswered.size < this.#room) this.#waiting.shift()?.();
  }

  // A line that answers nothing between two pings is dead.
  #ping(everyMs: number) {
    if (everyMs <= 0) return;
    this.#timer = window.setTimeout(() => {
      if (!this.#ponged) return this.close();
      this.#ponged = false;
      this.#socket.send(packet(0xc0, []));
      this.#ping(everyMs);
    }, everyMs);
  }
}

// Of the first packet; null: it has not come whole.
function wholeLength(bytes: Uint8Array): number | null {
  for (let i = 1, length = 0; i < Math.min(bytes.length, 5); ++i) {
    length += (bytes[i] & 0x7f) * 2 ** (7 * (i - 1));
    if (bytes[i] < 0x80) return bytes.length >= i + 1 + length ? i + 1 + length : null;
    if (i === 4) throw new RangeError('a length without end');
  }
  return null;
}
