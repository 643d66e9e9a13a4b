// SPDX-License-Identifier: Apache-2.0
// The page's MQTT client against another implementation of the protocol, in place of a broker: mqtt-packet.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { beforeEach, describe, it } from 'node:test';
import { clock, load } from './browser.mjs';

// Of mqtt, which the tests have for their brokers.
const { generate, parser } = createRequire(createRequire(import.meta.url).resolve('mqtt'))('mqtt-packet');
const kFive = { protocolVersion: 5 };

let socket;
globalThis.WebSocket = class {
  static OPEN = 1;
  readyState = 0;
  packets = []; // what the page said
  #parser = parser(kFive);

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    socket = this;
    this.#parser.on('packet', (packet) => this.packets.push(packet));
  }
  send(bytes) {
    this.#parser.parse(Buffer.from(bytes));
  }
  close() {
    this.readyState = 3;
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  // In pieces of `size` bytes.
  say(packets, size = Infinity) {
    const bytes = Buffer.concat([packets].flat().map((packet) => generate(packet, kFive)));
    for (let at = 0; at < bytes.length; at += size) {
      const piece = Uint8Array.from(bytes.subarray(at, at + size));
      this.onmessage({ data: piece.buffer });
    }
  }
  raw(...bytes) {
    this.onmessage({ data: Uint8Array.from(bytes).buffer });
  }
  get last() {
    return this.packets.at(-1);
  }
};
const { Mqtt, NotTaken } = await load('shared/mqtt.ts');

const kHello = { cmd: 'connack', reasonCode: 0, sessionPresent: false };
const message = (changes) => ({
  cmd: 'publish', topic: 'a/b', payload: 'x', qos: 1, messageId: 7, dup: false, retain: true, ...changes,
}); // prettier-ignore
let mqtt, heard, closed, opened;

beforeEach(() => {
  mqtt?.close();
  heard = [];
  closed = [];
  opened = 0;
  mqtt = new Mqtt(
    {
      url: 'ws://x/floor/mqtt',
      clientId: 't-1',
      username: 't-1',
      password: 'ß',
      keepAliveS: 15,
      connectMs: 5000,
    },
    {
      open: () => ++opened,
      closed: (reason) => closed.push(reason),
      message: (topic, payload, expiry) => heard.push([topic, Buffer.from(payload).toString(), expiry]),
    },
  );
  socket.open();
});

describe('the page’s MQTT', () => {
  it('says hello as itself, and keeps no session', () => {
    const { cmd, protocolVersion, clean, keepalive, clientId, username, password } = socket.last;
    assert.deepEqual(
      [cmd, protocolVersion, clean, keepalive, clientId, username, password.toString()],
      ['connect', 5, true, 15, 't-1', 't-1', 'ß'],
    );
    assert.equal(socket.protocol, 'mqtt');
    socket.say(kHello);
    assert.equal(opened, 1);
  });

  it('says why it was not let in, and why it was sent away', () => {
    socket.say({ ...kHello, reasonCode: 135 });
    assert.deepEqual([closed, opened], [[135], 0]);
    socket.say({ cmd: 'disconnect', reasonCode: 142 });
    assert.deepEqual(closed, [135], 'it is over once');
  });

  it('publishes with an expiry, and knows whether the broker has it', async () => {
    socket.say(kHello);
    const sent = mqtt.publish('a/ü', '{"x":"☕"}', 600);
    const { topic, payload, qos, messageId, properties } = socket.last;
    assert.deepEqual(
      [topic, payload.toString(), qos, properties.messageExpiryInterval],
      ['a/ü', '{"x":"☕"}', 1, 600],
    );
    socket.say({ cmd: 'puback', messageId, reasonCode: 0 });
    await sent;
    const refused = mqtt.publish('a', 'x');
    socket.say({ cmd: 'puback', messageId: socket.last.messageId, reasonCode: 135 });
    await assert.rejects(refused, NotTaken);
    const lost = mqtt.publish('a', 'x');
    mqtt.close();
    await assert.rejects(lost, (error) => !(error instanceof NotTaken));
  });

  it('publishes what is long', async () => {
    socket.say(kHello);
    const long = 'ä'.repeat(100_000);
    void mqtt.publish('a', long).catch(() => {});
    assert.equal(socket.last.payload.toString(), long);
  });

  it('has no more on the way than the broker takes at once', async () => {
    socket.say({ ...kHello, properties: { receiveMaximum: 2 } });
    const all = ['1', '2', '3', '4'].map((text) => mqtt.publish('a', text));
    const on = () => socket.packets.filter(({ cmd }) => cmd === 'publish');
    assert.equal(on().length, 2);
    for (let i = 0; i < 4; ++i) socket.say({ cmd: 'puback', messageId: on()[i].messageId, reasonCode: 0 });
    await Promise.all(all);
    assert.deepEqual(
      on().map(({ payload }) => payload.toString()),
      ['1', '2', '3', '4'],
    );
  });

  it('subscribes and unsubscribes', async () => {
    socket.say(kHello);
    const done = mqtt.subscribe(['a/+', 'b'], 1);
    assert.deepEqual(
      socket.last.subscriptions.map(({ topic, qos }) => [topic, qos]),
      [['a/+', 1], ['b', 1]],
    ); // prettier-ignore
    socket.say({ cmd: 'suback', messageId: socket.last.messageId, granted: [1, 0] });
    await done;
    const refused = mqtt.subscribe(['c'], 1);
    socket.say({ cmd: 'suback', messageId: socket.last.messageId, granted: [135] });
    await assert.rejects(refused, NotTaken);
    const gone = mqtt.unsubscribe('b');
    assert.deepEqual(socket.last.unsubscriptions, ['b']);
    socket.say({ cmd: 'unsuback', messageId: socket.last.messageId, granted: [0] });
    await gone;
  });

  it('hears messages in pieces of any size, with every property, and answers each once', () => {
    const properties = {
      payloadFormatIndicator: true, messageExpiryInterval: 90, contentType: 'json', responseTopic: 'r',
      correlationData: Buffer.from('c'), subscriptionIdentifier: 300, userProperties: { a: 'b', c: 'd' },
    }; // prettier-ignore
    const all = [
      message({ payload: 'ä'.repeat(300), properties }),
      message({ qos: 0, messageId: undefined, payload: '' }),
    ];
    for (const size of [1, 2, 3, 7, 128, Infinity]) {
      socket.packets = [];
      heard = [];
      if (!opened) socket.say(kHello);
      socket.say(all, size);
      assert.deepEqual(
        heard,
        [
          ['a/b', 'ä'.repeat(300), 90],
          ['a/b', '', null],
        ],
        `pieces of ${size}`,
      );
      assert.deepEqual(
        socket.packets.map(({ cmd, messageId }) => [cmd, messageId]),
        [['puback', 7]],
      );
    }
  });

  it('pings, and takes a line that answers nothing for dead', async () => {
    socket.say({ ...kHello, properties: { serverKeepAlive: 10 } });
    await clock.pass(10e3);
    assert.equal(socket.last.cmd, 'pingreq');
    socket.say({ cmd: 'pingresp' });
    await clock.pass(10e3);
    assert.deepEqual(closed, []);
    await clock.pass(10e3);
    assert.deepEqual(closed, [0]);
  });

  it('waits for a broker that says nothing no longer than it was told to', async () => {
    await clock.pass(5e3);
    assert.deepEqual([closed, opened], [[0], 0]);
  });

  it('ends at whatever is no MQTT', () => {
    for (const bytes of [
      [0x00, 0x00],
      [0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
      [0x32, 0x03, 0x00, 0x05, 0x61],
      [0x30, 0x05, 0x00, 0x01, 0x61, 0x01, 0x77],
      [0x30, 0x06, 0x00, 0x01, 0x61, 0x02, 0x02, 0x00],
    ]) {
      const before = closed.length;
      new Mqtt(
        { url: 'ws://x', clientId: 't', username: 't', password: 'p', keepAliveS: 15, connectMs: 5000 },
        { open() {}, message() {}, closed: (reason) => closed.push(reason) },
      );
      socket.open();
      socket.raw(...bytes);
      assert.equal(closed.length, before + 1, `${bytes}`);
    }
  });
});
