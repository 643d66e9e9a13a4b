// SPDX-License-Identifier: Apache-2.0
// An authenticator and its browser (Web Authentication Level 2) with a real P-256 key, for a Device of door.mjs:
// what they say can be said wrongly.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const base64url = (bytes) => Buffer.from(bytes).toString('base64url');
const sha256 = (words) => createHash('sha256').update(words).digest();
const kVerified = 0x05; // somebody was there, and it was who may
const kAttested = 0x40;

// CBOR of what is short.
const head = (kind, size) => Buffer.from(size < 24 ? [(kind << 5) | size] : [(kind << 5) | 24, size]);
const bytes = (of) => Buffer.concat([head(2, of.length), of]);
const text = (of) => Buffer.concat([head(3, of.length), Buffer.from(of)]);

export class Authenticator {
  counter = 0;
  handle = '';
  id = randomBytes(32);
  #key = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  // `origin`: of the page; the host of a passkey is the one that the door says.
  constructor(origin) {
    this.origin = origin;
  }

  // A new passkey of who is signed in on `device`.
  async create(device, name = 'Phone') {
    const { status, body } = await device.ask('POST', '/v1/passkeys/challenge', { for: 'create' });
    if (status !== 200) return { status, body };
    this.handle = body.handle;
    return device.ask('POST', '/v1/passkeys', { name, ...this.made(body) });
  }
  // It is still them.
  async confirm(device, wrong) {
    const { status, body } = await device.ask('POST', '/v1/passkeys/challenge', { for: 'confirm' });
    if (status !== 200) return { status, body };
    return device.ask('POST', '/v1/passkeys/confirm', this.used(body, wrong));
  }
  // Signs `device` in.
  async enter(device, wrong) {
    const { status, body } = await device.ask('POST', '/v1/session/challenge', {});
    if (status !== 200) return { status, body };
    return device.ask('POST', '/v1/session/passkey', this.used(body, wrong));
  }

  made({ challenge, host }, wrong = {}) {
    const data = this.#data(wrong.host ?? host, (wrong.flags ?? kVerified) | kAttested, this.#credential());
    const attestation = [head(5, 3), text('fmt'), text('none'), text('attStmt'), head(5, 0)];
    return {
      client_data: base64url(this.#clientData('webauthn.create', challenge, wrong)),
      attestation: base64url(Buffer.concat([...attestation, text('authData'), bytes(data)])),
    };
  }

  used({ challenge, host }, wrong = {}) {
    this.counter = wrong.counter ?? this.counter + 1;
    const data = this.#data(wrong.host ?? host, wrong.flags ?? kVerified);
    const said = this.#clientData('webauthn.get', challenge, wrong);
    return {
      passkey: base64url(this.id),
      handle: wrong.handle ?? this.handle,
      client_data: base64url(said),
      authenticator_data: base64url(data),
      signature: base64url(sign('sha256', Buffer.concat([data, sha256(said)]), this.#key.privateKey)),
    };
  }

  #clientData(type, challenge, { origin = this.origin, crossOrigin = false }) {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin }));
  }

  #data(host, flags, credential = Buffer.alloc(0)) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    return Buffer.concat([sha256(host), Buffer.from([flags]), counter, credential]);
  }

  #credential() {
    const { x, y } = this.#key.publicKey.export({ format: 'jwk' });
    const key = [Buffer.from('a5010203262001', 'hex')]; // EC2, ES256, P-256
    for (const [label, part] of [
      ['21', x],
      ['22', y],
    ])
      key.push(Buffer.from(label, 'hex'), bytes(Buffer.from(part, 'base64url')));
    return Buffer.concat([Buffer.alloc(16), Buffer.from([0, this.id.length]), this.id, ...key]);
  }
}
