// SPDX-License-Identifier: Apache-2.0
// The door of the real welcome-crm over real HTTP, with a real box: a link opens one device, what is said on
// one is heard on the other and in the shop, and an erasure tells how far it is. Every answer is held against
// docs/openapi.yaml.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { kPin, Story } from '../../demo/story.mjs';
import { Authenticator } from '../../harness/authenticator.mjs';
import { Device } from '../../harness/door.mjs';
import { provisionRequest } from '../../harness/invitation.mjs';
import { filled } from '../../harness/stack.mjs';
import { StaffTablet } from '../../harness/tablet.mjs';
import { FakeEvents } from '../e2e/fakes.mjs';

const kDocs = fileURLToPath(new URL('../../docs/', import.meta.url));
const kDocument = JSON.parse(
  execFileSync('/usr/bin/python3', [
    '-c',
    'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)',
    path.join(kDocs, 'openapi.yaml'),
  ]),
);

const { campaigns: kCampaigns } = JSON.parse(
  readFileSync(new URL('../../demo/data/campaigns.json', import.meta.url), 'utf8'),
);

// What the document says of answers: a schema for each route and status.
class Document {
  answered = new Set();
  #ajv = new Ajv({ strict: false, allErrors: true });

  constructor() {
    this.#ajv.addSchema({ $id: 'openapi', ...this.#local(kDocument) });
  }

  // References of the document are to itself, or to docs/schemas.
  #local(node) {
    if (Array.isArray(node)) return node.map((one) => this.#local(one));
    if (typeof node !== 'object' || node === null) return node;
    if (node.$ref?.startsWith('#')) return { $ref: `openapi${node.$ref}` };
    if (node.$ref) {
      const [file, place = ''] = node.$ref.split('#');
      const id = file.replaceAll('/', '-');
      if (!this.#ajv.getSchema(id)) {
        const { $schema, ...schema } = JSON.parse(readFileSync(path.join(kDocs, file), 'utf8'));
        this.#ajv.addSchema({ ...schema, $id: id });
      }
      return { $ref: `${id}#${place}` };
    }
    return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, this.#local(value)]));
  }

  #path(target) {
    const words = target.split('/');
    const fits = (pattern) => {
      const wanted = pattern.split('/');
      return (
        wanted.length === words.length && wanted.every((word, i) => word[0] === '{' || word === words[i])
      );
    };
    return Object.keys(kDocument.paths).find(fits);
  }

  check(method, target, { status, body, headers }) {
    const name = this.#path(target);
    const operation = kDocument.paths[name]?.[method.toLowerCase()];
    assert.ok(operation, `${method} ${target} is not in docs/openapi.yaml`);
    this.answered.add(`${method} ${name}`);
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    if (status !== 204) assert.equal(headers.get('content-type'), type);
    let said = operation.responses[status];
    if (!said && status >= 400) said = { $ref: '#/components/responses/problem' };
    assert.ok(said, `${method} ${target}: ${status} is not in docs/openapi.yaml`);
    if (said.$ref) said = kDocument.components.responses[said.$ref.split('/').pop()];
    const schema = said.content?.[type]?.schema;
    assert.equal(body === null, !schema, `${method} ${target} ${status}: a body, or none`);
    if (!schema) return;
    const valid = this.#ajv.compile(this.#local(schema));
    assert.ok(
      valid(body),
      `${method} ${target}: ${this.#ajv.errorsText(valid.errors)} in ${JSON.stringify(body)}`,
    );
  }
}

describe('the door', () => {
  const document = new Document();
  let story, phone, tablet, dir;

  const checked = (device) => {
    const ask = device.ask.bind(device);
    device.ask = async (method, target, ...rest) => {
      const answer = await ask(method, target, ...rest);
      document.check(method, target, answer);
      return answer;
    };
    return device;
  };
  const device = async (customer, name) => checked(await story.device(customer, name));
  const until = (what, why) => story.until(async () => what(), why);

  before(async () => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-door-'));
    story = new Story({ dir, pages: null });
    await story.prepare({ enrol: false });
    story.daemon = await story.startDaemon();
    await story.until(
      async () => (await story.ctl('status')).crm.feed.consents?.items >= 11,
      'the box has its consents',
    );
  });
  after(async () => {
    await story?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('lets a device in by a link, once', async () => {
    const url = await story.link('c-paul');
    assert.match(url, /\/phone\/#link=[\w-]{43}$/);
    const base = `http://127.0.0.1:${story.stack.ports.door}`;
    phone = checked(new Device(base, story.stack.web));
    assert.equal((await phone.ask('GET', '/v1/me')).status, 401);
    assert.equal((await phone.open(url, { device: 'My phone' })).status, 204);
    const { body } = await phone.ask('GET', '/v1/me');
    assert.equal(body.name, 'Paul Moreau');
    assert.deepEqual(
      body.devices.map(({ name }) => name),
      ['My phone'],
    );
    const thief = checked(new Device(base, story.stack.web));
    const again = await thief.open(url);
    assert.deepEqual([again.status, again.body.type], [410, 'urn:welcomed:problem:link-used']);
    assert.equal(thief.cookie, '');
  });

  it('says what no browser may do with its answers', async () => {
    const { headers } = await phone.ask('GET', '/v1/me');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(headers.get('content-security-policy'), /default-src 'none'/);
  });

  it('tells the other device, and the shop, what was switched off on one', async () => {
    tablet = await device('c-paul', 'Kitchen');
    const heard = await tablet.listen();
    const answer = await phone.choose('proximity_offers', false);
    assert.equal(answer.body.purposes.proximity_offers, false);
    await until(() => heard.events.includes('consents'), 'the other device hears it');
    assert.equal((await tablet.ask('GET', '/v1/me')).body.purposes.proximity_offers, false);
    await story.until(async () => {
      const held = JSON.stringify(await story.ctl('customer', 'export', 'c-paul'));
      return held.includes('"how":"app"') && held.includes('"state":"withdrawn"');
    }, 'the box has the withdrawal');
    assert.equal((await phone.choose('proximity_offers', true)).status, 200);
    heard.end();
  });

  it('takes how they wish to be met and what is known of them, and the other device hears it', async () => {
    for (const [path, body] of [
      ['/v1/met', { met: 'not_today' }],
      ['/v1/details', { details: { pronunciation: 'mo-RO', preferences: [{ key: 'seat', value: '' }] } }],
    ])
      assert.equal((await phone.ask('POST', path, { id: randomUUID(), ...body })).status, 204);
    const { body } = await tablet.ask('GET', '/v1/me');
    assert.ok(Date.parse(body.not_today_until) > Date.now());
    assert.equal(body.pronunciation, 'mo-RO');
    assert.ok(!body.preferences.some(({ key }) => key === 'seat'));
    assert.equal((await phone.ask('POST', '/v1/met', { id: randomUUID(), met: 'by_name' })).status, 204);
    assert.equal((await phone.ask('POST', '/v1/met', { id: randomUUID(), met: 'loudly' })).status, 400);
  });

  it('shows an offer on every device, as what came of it', async () => {
    const events = await FakeEvents.start(story.stack);
    const { campaign, variants } = kCampaigns[0];
    const heard = await tablet.listen();
    await events.arrive('c-paul', 'v-door');
    const decision = await events.offer('c-paul', 'v-door', campaign, variants[0].id);
    await until(() => heard.events.includes('offers'), 'the offer is there');
    heard.end();
    events.stop();
    const offers = async (one) => (await one.ask('GET', '/v1/offers')).body.offers;
    assert.equal((await offers(phone))[0].decision, decision);
    const path = `/v1/offers/${decision}/opened`;
    assert.equal((await phone.ask('POST', path, { id: randomUUID() })).status, 204);
    assert.ok((await offers(tablet))[0].opened_at);
    assert.equal((await tablet.ask('POST', '/v1/offers/nobodys/opened', { id: 'x' })).status, 404);
    const words = { text: 'It was loud.' };
    assert.equal((await tablet.ask('POST', '/v1/complaints', { id: randomUUID(), ...words })).status, 204);
    const answer = { id: randomUUID(), survey_kind: 'nps', score: 9 };
    assert.equal((await tablet.ask('POST', '/v1/surveys/s-visit/answer', answer)).status, 204);
    assert.equal((await tablet.ask('POST', '/v1/surveys/s-none/dismiss', {})).status, 404);
  });

  it('tells nobody anything while the page is closed, as nobody has set that up', async () => {
    const where = { endpoint: 'https://fcm.googleapis.com/a', p256dh: 'AAAA', auth: 'AAAA' };
    const { status, body } = await tablet.ask('POST', '/v1/push', where);
    assert.deepEqual([status, body.type], [409, 'urn:welcomed:problem:no-push']);
    assert.equal((await tablet.ask('DELETE', '/v1/push')).status, 204);
  });

  it('asks whether what a desk wrote down was them, and gives a code to say there', async () => {
    const desk = await StaffTablet.connect(story.stack, 'tablet-1');
    await desk.signedIn('eva', kPin);
    const said = readFileSync(path.join(kDocs, 'examples/floor.enrol.consent.json'), 'utf8');
    const { notice } = JSON.parse(said);
    const purposes = { visit_analytics: true };
    await desk.enrol('s-door', { kind: 'consent', customer: 'c-paul', purposes, notice });
    await desk.word(({ kind, confirmed }) => kind === 'confirmation' && confirmed === 'waiting');
    const asked = async (one) => (await one.ask('GET', '/v1/me')).body.desk_consents;
    await story.until(async () => (await asked(phone)).length === 1, 'it is asked');
    const [{ id, store, purposes: named }] = await asked(tablet);
    assert.deepEqual([store, named], [story.stack.store, ['visit_analytics']]);
    const answer = (confirmed) => phone.ask('POST', `/v1/desk-consents/${id}`, { confirmed });
    assert.equal((await answer('maybe')).status, 400);
    assert.equal((await answer(true)).status, 204);
    await desk.word(({ kind, confirmed }) => kind === 'confirmation' && confirmed === 'yes');
    desk.end();
    assert.equal((await answer(true)).status, 404);
    assert.deepEqual(await asked(tablet), []);
    const { status, body } = await phone.ask('POST', '/v1/desk-code', {});
    assert.equal(status, 200);
    assert.match(body.code, /^\d{6}$/);
  });

  it('lets another device in from one that is signed in', async () => {
    const { status, body } = await phone.ask('POST', '/v1/link', {});
    assert.equal(status, 200);
    const watch = checked(new Device(phone.base, phone.origin));
    assert.equal((await watch.open(body.url)).status, 204);
    assert.equal((await watch.ask('GET', '/v1/me')).body.name, 'Paul Moreau');
    assert.equal((await watch.ask('DELETE', '/v1/session')).status, 204);
  });

  it('takes a passkey in the place of a link, until it is removed', async () => {
    const key = new Authenticator(phone.origin);
    assert.equal((await key.create(phone, 'My phone')).status, 204);
    assert.equal((await key.confirm(phone)).status, 204);
    assert.equal((await key.confirm(phone, { origin: 'https://evil.example' })).status, 403);
    const watch = checked(new Device(phone.base, phone.origin));
    assert.equal((await key.enter(watch)).status, 204);
    const { passkeys } = (await watch.ask('GET', '/v1/me')).body;
    assert.deepEqual(
      passkeys.map(({ name, used_at }) => [name, !!used_at]),
      [['My phone', true]],
    );
    const { stdout } = await story.crm('--json', 'passkey', 'list', 'c-paul');
    assert.deepEqual(JSON.parse(stdout), passkeys);
    assert.equal((await phone.ask('DELETE', `/v1/passkeys/${passkeys[0].passkey}`)).status, 204);
    assert.equal((await key.confirm(phone)).status, 404);
    assert.equal((await watch.ask('DELETE', '/v1/session')).status, 204);
  });

  it('ends a device that is sent away, while its page is open', async () => {
    const heard = await tablet.listen();
    const { devices } = (await phone.ask('GET', '/v1/me')).body;
    const other = devices.find((one) => !one.this).device;
    assert.equal((await phone.ask('DELETE', `/v1/devices/${other}`)).status, 204);
    await until(() => heard.closed, 'the stream ends');
    assert.equal((await tablet.ask('GET', '/v1/me')).status, 401);
    assert.equal((await tablet.ask('DELETE', '/v1/session')).status, 401);
  });

  it('is reached through the proxy of head office, with TLS and its limits', async () => {
    const run = path.join(dir, 'my');
    for (const part of ['pages/phone', 'tmp'])
      mkdirSync(path.join(run, part), { recursive: true, mode: 0o700 });
    writeFileSync(path.join(run, 'pages/phone/index.html'), 'the page');
    const [CERT, KEY, conf] = ['cert.pem', 'key.pem', 'my.conf'].map((name) => path.join(run, name));
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
        ...['-subj', '/CN=my.example.com', '-keyout', KEY, '-out', CERT],
      ],
      { stdio: 'ignore' },
    );
    const PORT = story.stack.ports.web; // nobody else's here
    const DOOR_LOCATION = path.join(run, 'door-location.conf');
    const USER = process.getuid() === 0 ? 'user root;' : '';
    writeFileSync(DOOR_LOCATION, filled('nginx/door-location.conf.in', { DOOR: story.stack.ports.door }));
    const PAGES = path.join(run, 'pages');
    writeFileSync(
      conf,
      filled('nginx/my.conf.in', { RUN: run, USER, PORT, CERT, KEY, PAGES, DOOR_LOCATION }),
    );
    const nginx = await story.stack.start({
      name: 'my',
      file: 'nginx',
      args: ['-e', 'stderr', '-p', run, '-c', conf],
      ready: { port: PORT },
    });
    const ask = (target, headers = {}) =>
      new Promise((resolve, reject) => {
        const options = { port: PORT, path: target, headers, rejectUnauthorized: false };
        const request = https.get(options, (response) => {
          let body = '';
          response.on('data', (bytes) => (body += bytes));
          response.on('end', () => resolve({ status: response.statusCode, body, headers: response.headers }));
        });
        request.on('error', reject);
      });
    const page = await ask('/phone/');
    assert.deepEqual([page.status, page.body], [200, 'the page']);
    assert.match(page.headers['content-security-policy'], /connect-src 'self'/);
    const me = await ask('/v1/me', { cookie: phone.cookie });
    assert.equal(JSON.parse(me.body).name, 'Paul Moreau');
    assert.match(me.headers['strict-transport-security'], /max-age/);
    assert.equal(me.headers['cache-control'], 'no-store');
    assert.equal((await ask('/v1/me')).status, 401);
    // Whoever floods the door from one address waits, whatever address they say.
    const flood = await Promise.all(
      Array.from({ length: 700 }, (_, i) => ask('/v1/none', { 'x-forwarded-for': `10.0.0.${i % 256}` })),
    );
    assert.ok(flood.some(({ status }) => status === 429));
    assert.ok(flood.every(({ status }) => status === 404 || status === 429));
    await nginx.stop();
  });

  it('takes nothing from another site', async () => {
    const { status } = await phone.ask(
      'POST',
      '/v1/consents',
      { id: 'x', purpose: 'proximity_offers', given: false },
      { origin: 'https://evil.example' },
    );
    assert.equal(status, 403);
  });

  it('ends what is too large, too slow or no HTTP', async () => {
    const say = (...parts) =>
      new Promise((resolve) => {
        const socket = net.connect(story.stack.ports.door, '127.0.0.1');
        let heard = '';
        socket.on('data', (bytes) => (heard += bytes));
        socket.on('close', () => resolve(heard));
        socket.on('error', () => {});
        for (const part of parts) socket.write(part);
      });
    assert.match(await say('nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(await say(`GET /v1/me HTTP/1.1\r\nCookie: ${'a'.repeat(9000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
    const large = `POST /v1/consents HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n`;
    assert.match(await say(large), /^HTTP\/1\.1 413 /);
    assert.equal(await say('GET /v1/me HTT'), '', 'who does not finish in ten seconds is cut off');
  });

  it('hands out everything', async () => {
    const { status, body } = await phone.ask('POST', '/v1/export', {});
    assert.equal(status, 200);
    assert.equal(body.customer, 'c-paul');
  });

  it('tells the truth about an erasure, until the last box', async () => {
    const second = await device('c-paul', 'Second');
    const open = await second.listen();
    await story.daemon.stop();
    const { status, body } = await phone.ask('POST', '/v1/forget', {});
    assert.equal(status, 202);
    assert.deepEqual([body.erasure.done, body.erasure.boxes, body.erasure.done_at], [0, 1, null]);
    assert.equal((await second.ask('GET', '/v1/me')).status, 401);
    await until(() => open.closed, 'the page on the other device ends');
    // Nobody is signed in any more, and whoever has the link sees how far it is.
    const anybody = checked(new Device(phone.base, phone.origin));
    const target = `/v1/erasures/${body.url.split('#status=')[1]}`;
    assert.equal((await anybody.ask('GET', target)).body.done, 0);
    const heard = await anybody.listen(`${target}/events`);
    assert.equal(heard.response.headers.get('content-type'), 'text/event-stream');
    story.daemon = await story.startDaemon();
    await until(() => heard.events.includes('erasure'), 'the box has erased');
    const state = (await anybody.ask('GET', target)).body;
    assert.equal(state.done, 1);
    assert.ok(state.done_at);
    assert.deepEqual(
      state.receipts.map(({ store, box }) => `${store}/${box}`),
      [`${story.stack.store}/${story.stack.box}`],
    );
    assert.ok(!JSON.stringify(state).includes('paul'));
    heard.end();
  });

  // What is asked and answered here is made by the words of docs/protocol.md alone.
  it('gives a box its invitation, and says of a wrong one no more than of none', async () => {
    const { code } = JSON.parse(
      (
        await story.crm(
          ...['--json', 'boxes', 'invite', 'aroma-1/box-9', '--broker', 'mqtts://broker.example'],
          ...['--door', 'https://my.example.com'],
        )
      ).stdout,
    );
    const box = checked(new Device(phone.base, ''));
    const asks = (body) => box.ask('POST', '/v1/provision', body);
    const { status, body } = await asks(provisionRequest(code, Buffer.alloc(32, 1)));
    assert.equal(status, 200);
    assert.deepEqual((await asks(provisionRequest(code, Buffer.alloc(32, 1)))).body, body);
    const other = await asks(provisionRequest(code, Buffer.alloc(32, 2)));
    const none = await asks(provisionRequest(`${code}0`, Buffer.alloc(32, 1)));
    assert.equal(other.status, 403);
    assert.deepEqual(other.body, none.body);
    assert.equal((await asks({ invitation: 'x' })).status, 400);
  });

  it('was asked everything that its document describes', () => {
    for (const stream of ['GET /v1/events', 'GET /v1/erasures/{token}/events']) document.answered.add(stream);
    const described = Object.entries(kDocument.paths).flatMap(([name, item]) =>
      ['get', 'post', 'delete'].filter((verb) => item[verb]).map((verb) => `${verb.toUpperCase()} ${name}`),
    );
    assert.deepEqual([...document.answered].sort(), described.sort());
  });
});
