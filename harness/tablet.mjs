// SPDX-License-Identifier: Apache-2.0
// A tablet of the staff without a page: what it says goes below its own account, as the broker demands.

import { randomUUID } from 'node:crypto';

const kFloor = 'welcome/v1/floor';
const kAnswerMs = 30000;
const kNobodyListens = 16; // MQTT 5: no matching subscribers

export class StaffTablet {
  told = []; // { topic (below to/ACCOUNT/), ...message }
  #waiting = new Set();

  static async connect(stack, account, options = {}) {
    const tablet = new StaffTablet();
    tablet.account = account;
    tablet.client = await stack.connect('floor', account, options);
    tablet.client.on('message', (topic, payload) => tablet.#hear(topic, payload));
    await tablet.client.subscribeAsync(`${kFloor}/to/${account}/#`, { qos: 1 });
    return tablet;
  }

  #hear(topic, payload) {
    const own = `${kFloor}/to/${this.account}/`;
    if (!topic.startsWith(own) || !payload.length) return;
    this.told.push({ topic: topic.slice(own.length), ...JSON.parse(payload) });
    for (const look of this.#waiting) look();
  }

  // The first word that `accept` likes, from the `from`th on.
  word(accept, from = 0, timeoutMs = kAnswerMs) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.told.slice(from).find(accept);
        if (!found) return;
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`${this.account} was told no such thing: ${JSON.stringify(this.told.slice(from))}`));
      }, timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  // `what`: action/VISIT, enrol/SESSION, session. The id of the message.
  async say(what, message) {
    const stamped = { v: 1, id: randomUUID(), at: new Date().toISOString(), ...message };
    const topic = `${kFloor}/tablet/${this.account}/${what}`;
    const patience = Date.now() + kAnswerMs;
    // A box that starts is ready before it has met the floor's broker; nobody would hear this.
    for (;;) {
      const ack = await this.client.publishAsync(topic, JSON.stringify(stamped), { qos: 1 });
      if (ack?.reasonCode !== kNobodyListens || Date.now() > patience) return stamped.id;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  // The box's answer to a PIN: a session, or a refusal.
  async tryPin(staff, pin, timeoutMs = kAnswerMs) {
    const from = this.told.length;
    const id = await this.say('session', { kind: 'sign_in', staff, pin });
    const answer = await this.word(
      (word) => word.re === id || (word.topic === 'session' && word.state === 'on' && word.staff === staff),
      from,
      timeoutMs,
    );
    if (answer.topic === 'session') this.signIn = answer.sign_in;
    return answer;
  }

  // As somebody does it at a box that has just been started: once more, when it does not answer or does not
  // know yet who works here.
  async signedIn(staff, pin) {
    const patience = Date.now() + kAnswerMs;
    for (;;) {
      const answer = await this.tryPin(staff, pin, kAnswerMs / 6).catch((error) => ({
        cause: error.message,
      }));
      if (answer.topic === 'session') return this;
      const later = answer.cause === 'no_staff' || answer.cause.includes('was told no such thing');
      if (!later || Date.now() > patience) throw new Error(`${staff} is not let in: ${answer.cause}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  act(visit, action) {
    return this.say(`action/${visit}`, { visit, sign_in: this.signIn, ...action });
  }

  enrol(session, message) {
    return this.say(`enrol/${session}`, { session, from: 'tablet', sign_in: this.signIn, ...message });
  }

  end() {
    this.client.end(true);
  }
}
