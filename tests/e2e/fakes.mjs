// SPDX-License-Identifier: Apache-2.0
// A fake box and a fake CRM: publishers of the test, on the real brokers, in place of welcomed and
// welcome-crm. They speak the contract's messages and remember what the pages sent.

import { createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { kPin } from '../../demo/story.mjs';
import { assertFits, example } from './contract.mjs';

const kFloor = 'welcome/v1/floor';

// The published example, for a visit of just now.
export function examplePrompt(visit, changes = {}) {
  const now = Date.now();
  return {
    ...example('floor.prompt'),
    visit,
    decision: `decision-${visit}`,
    since: new Date(now - 60e3).toISOString(),
    expires_at: new Date(now + 600e3).toISOString(),
    ...changes,
  };
}

export function exampleStatus(changes = {}) {
  return { ...example('floor.status'), told_all: true, at: new Date().toISOString(), ...changes };
}

// A broker that is away must fail a test, not hold it up.
function publish(client, topic, payload, options) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`cannot publish on ${topic}`)), 30e3);
  });
  return Promise.race([client.publishAsync(topic, payload, options), late]).finally(() =>
    clearTimeout(timer),
  );
}

// Collects JSON messages and lets a test wait for one.
class Inbox {
  all = [];
  #waiting = new Set();
  #schema;

  constructor(schema) {
    this.#schema = schema;
  }

  push(message) {
    assertFits(this.#schema, message);
    this.all.push(message);
    for (const check of this.#waiting) check();
  }

  // The first that `accept` likes, now or later.
  next(accept, timeoutMs = 30000) {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.all.find(accept);
        if (!found) return;
        this.#waiting.delete(check);
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`no such message among ${JSON.stringify(this.all)}`));
      }, timeoutMs);
      this.#waiting.add(check);
      check();
    });
  }
}

export class FakeBox {
  actions = new Inbox('floor.action');
  enrolments = new Inbox('floor.enrol'); // each with `tablet`
  signIns = new Inbox('floor.sign_in');
  managed = new Inbox('floor.manage');
  today = example('floor.managed').today; // what a lead is answered
  staff = [
    { id: 'eva', name: 'Eva', pin: true },
    { id: 'tom', name: 'Tom', pin: true },
    { id: 'jörg', name: 'Jörg', pin: true },
    { id: 'ada', name: 'Ada', pin: false },
  ];
  sessions = new Map(); // by tablet
  prompts = new Map();
  hold = 0; // answers nothing before this many actions have come
  #held = [];

  static async start(stack) {
    const box = new FakeBox();
    // It speaks for every box of the store, which no account may.
    box.client = await stack.connect('floor', 'owner', { reconnectPeriod: 100 });
    box.client.on('message', (topic, payload) => {
      const json = JSON.parse(payload);
      const [tablet, what] = topic.slice(`${kFloor}/tablet/`.length).split('/');
      if (what === 'session') return box.#onSignIn(tablet, json);
      if (what === 'manage') return box.#onManage(tablet, json);
      if (what === 'enrol') {
        json.tablet = tablet;
        box.enrolments.push(json);
        // Everybody is a member, and what is agreed to is written down.
        if (json.kind === 'lookup') box.enrolment(json.session, { kind: 'member' });
        if (json.kind === 'consent') box.enrolment(json.session, { kind: 'confirmation' });
        return;
      }
      box.actions.push(json);
      json.staff = box.sessions.get(tablet)?.staff;
      box.#held.push(json);
      if (box.#held.length < box.hold) return;
      for (const action of box.#held.splice(0)) box.#onAction(action);
    });
    await box.client.subscribeAsync(`${kFloor}/tablet/#`, { qos: 1 });
    await box.tellStaff();
    // As a box does when the broker may have forgotten it all.
    box.client.on('connect', () => {
      box.tellStaff().catch(() => {});
      for (const tablet of box.sessions.keys()) box.session(tablet).catch(() => {});
    });
    return box;
  }

  tellStaff(staff = this.staff) {
    const said = { v: 1, box: 'box-1', staff, at: new Date().toISOString() };
    assertFits('floor.staff', said);
    return this.#tell(`${kFloor}/staff/box-1`, said, true);
  }

  #tell(topic, message, retain) {
    return publish(this.client, topic, JSON.stringify(message), { qos: 1, retain });
  }

  // Any member of staff with the PIN of all; `changes` to the session.
  session(tablet, changes = {}) {
    const session = { ...this.sessions.get(tablet), ...changes };
    if (session.state === 'over') this.sessions.delete(tablet);
    else this.sessions.set(tablet, session);
    assertFits('floor.session', session);
    return this.#tell(`${kFloor}/to/${tablet}/session`, session, true);
  }

  refuse(tablet, changes) {
    const message = { v: 1, id: randomUUID(), at: new Date().toISOString(), ...changes };
    assertFits('floor.refused', message);
    return this.#tell(`${kFloor}/to/${tablet}/refused`, message, false);
  }

  #onSignIn(tablet, said) {
    this.signIns.push(said);
    const session = this.sessions.get(tablet);
    if (said.kind === 'sign_out' && session?.sign_in === said.sign_in)
      return this.session(tablet, { state: 'over', why: 'signed_out' });
    if (said.kind !== 'sign_in') return;
    if (said.pin !== kPin) return this.refuse(tablet, { re: said.id, cause: 'wrong_pin', tries_left: 4 });
    const { name } = this.staff.find(({ id }) => id === said.staff);
    const again = session?.staff === said.staff;
    const now = new Date().toISOString();
    return this.session(tablet, {
      ...example('floor.session'),
      roles: ['staff', 'lead', 'technician'],
      staff: said.staff,
      name,
      sign_in: again ? session.sign_in : said.id,
      since: now,
      at: now,
    });
  }

  #onManage(tablet, said) {
    this.managed.push(said);
    const { today } = this;
    const only = (keep) => today.paused.filter((pause) => !pause.here || pause.function !== keep);
    const at = new Date().toISOString();
    if (said.kind === 'pause') {
      const { staff } = this.sessions.get(tablet);
      today.paused.push({ function: said.function, here: { staff, reason: said.reason, since: at } });
    }
    if (said.kind === 'resume') today.paused = only(said.function);
    if (said.kind.startsWith('rehearsal')) today.rehearsal = said.kind === 'rehearsal_start';
    const more = ['lights', 'signal'].includes(said.kind) ? example(`floor.managed.${said.kind}`) : { today };
    const answer = { ...more, v: 1, id: randomUUID(), re: said.id, box: 'box-1', kind: said.kind, at };
    assertFits('floor.managed', answer);
    return this.#tell(`${kFloor}/to/${tablet}/managed`, answer, false);
  }

  async prompt(visit, changes) {
    const prompt = examplePrompt(visit, changes);
    assertFits('floor.prompt', prompt);
    this.prompts.set(visit, prompt);
    await this.publishPrompt(prompt);
    return prompt;
  }

  publishPrompt(prompt, expiryS = 600) {
    return publish(this.client, `${kFloor}/prompt/${prompt.visit}`, JSON.stringify(prompt), {
      qos: 1,
      retain: true,
      properties: { messageExpiryInterval: expiryS },
    });
  }

  // The guest has left: a note is still taken for a while.
  leaveShop(visit) {
    return this.prompt(visit, { ...this.prompts.get(visit), left_at: new Date().toISOString() });
  }

  async endVisit(visit) {
    this.prompts.delete(visit);
    await publish(this.client, `${kFloor}/prompt/${visit}`, '', { qos: 1, retain: true });
  }

  status(changes) {
    const status = exampleStatus(changes);
    assertFits('floor.status', status);
    return publish(this.client, `${kFloor}/status/${status.box}`, JSON.stringify(status), {
      qos: 1,
      retain: true,
    });
  }

  leave(box) {
    return publish(this.client, `${kFloor}/status/${box}`, '', { qos: 1, retain: true });
  }

  enrolment(session, message) {
    const at = new Date().toISOString();
    const json = { ...example(`floor.enrol.${message.kind}`), id: randomUUID(), session, at, ...message };
    assertFits('floor.enrol', json);
    const { tablet } = this.enrolments.all.find((said) => said.session === session);
    return publish(this.client, `${kFloor}/to/${tablet}/enrol/${session}`, JSON.stringify(json), { qos: 1 });
  }

  // The first claim wins, as on the box; the prompt is updated in place.
  #onAction({ visit, kind, staff }) {
    const prompt = this.prompts.get(visit);
    if (!prompt) return;
    if (kind === 'claim' && !prompt.claimed_by)
      Object.assign(prompt, { state: 'claimed', claimed_by: staff });
    else if (kind === 'release') Object.assign(prompt, { state: 'new', claimed_by: null });
    else if (['greeted', 'served', 'declined'].includes(kind)) prompt.state = kind;
    else if (kind === 'reopen') prompt.state = prompt.claimed_by ? 'claimed' : 'new';
    else if (kind === 'not_this_person') return void this.endVisit(visit);
    else return;
    this.publishPrompt(prompt);
  }

  stop() {
    this.client.end(true);
  }
}

// What a box tells the real CRM.
export class FakeEvents {
  #key = generateKeyPairSync('ed25519').privateKey;

  static async start(stack) {
    const events = new FakeEvents();
    events.stack = stack;
    events.client = await stack.connect('uplink', 'owner', { reconnectPeriod: 100 });
    return events;
  }

  // `address`: of another box than the shop's own.
  send(type, subject, data, address = this.stack.address) {
    const event = {
      specversion: '1.0',
      id: randomUUID(),
      source: `/${address}`,
      type: `com.welcomed.${type}.v1`,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      subject,
      data,
    };
    return publish(this.client, `welcome/v1/${address}/event`, JSON.stringify(event), { qos: 1 });
  }

  arrive(subject, visit) {
    return this.send('visit.started', subject, { visit, zone: 'door', level: 'near' });
  }

  // The words are the campaign's, whatever the box says. Returns the decision.
  async offer(subject, visit, campaign, variant, lifeMs = 600e3) {
    const decision = randomUUID();
    await this.send('decision.offer', subject, {
      decision,
      visit,
      campaign,
      variant,
      language: 'en',
      title: 'x',
      text: 'x',
      expires_at: new Date(Date.now() + lifeMs).toISOString(),
    });
    return decision;
  }

  // What the desk of the box `address` wrote down, signed with the key that it was admitted with.
  deskGrant(address, subject, purpose) {
    // In canonical form: sorted, and nothing but words.
    const data = { at: new Date().toISOString(), box: address, customer: subject, how: 'desk', purpose };
    const said = { ...data, state: 'given' };
    const value = sign(null, Buffer.from(JSON.stringify(said)), this.#key).toString('base64');
    const sig = { key: address.split('/').at(-1), value };
    return this.send('consent.changed', subject, { ...said, sig }, address);
  }

  get boxKey() {
    const { x } = createPublicKey(this.#key).export({ format: 'jwk' });
    return Buffer.from(x, 'base64url').toString('base64');
  }

  survey(subject, visit, survey) {
    return this.send('decision.survey', subject, {
      ...example('event.decision.survey').data,
      decision: randomUUID(),
      visit,
      survey,
      expires_at: new Date(Date.now() + 600e3).toISOString(),
    });
  }

  stop() {
    this.client.end(true);
  }
}
