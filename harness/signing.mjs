// SPDX-License-Identifier: Apache-2.0
// A key that signs batches of the feed as a CRM does (docs/protocol.md, "Signatures").

import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

export class FeedKey {
  #key = generateKeyPairSync('ed25519').privateKey;

  constructor(id) {
    this.id = id;
  }

  // The line by which a box pins it.
  get line() {
    const { x } = createPublicKey(this.#key).export({ format: 'jwk' });
    return `${this.id} ${Buffer.from(x, 'base64url').toString('base64')}\n`;
  }

  // The last member, over every byte before it. `as`: under another key's name.
  sign(object, as = this.id) {
    const text = JSON.stringify(object);
    const value = sign(null, Buffer.from(text), this.#key).toString('base64');
    return `${text.slice(0, -1)},"sig":${JSON.stringify({ key: as, value })}}`;
  }
}
