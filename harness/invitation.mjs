// SPDX-License-Identifier: Apache-2.0
// The invitation of a box as docs/protocol.md describes it, without our own code: what a box says for it, and what
// another CRM would seal.

import { createCipheriv, createPrivateKey, createPublicKey, hkdfSync, randomBytes, sign } from 'node:crypto';

// Ed25519 by its 32 bytes of seed (RFC 8410).
const kSeedBefore = Buffer.from('302e020100300506032b657004220420', 'hex');
function keyOf(seed) {
  const secret = createPrivateKey({
    key: Buffer.concat([kSeedBefore, Buffer.from(seed)]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return { secret, name: spki.subarray(-32).toString('base64') };
}

const derived = (code, what) =>
  Buffer.from(hkdfSync('sha256', code.replaceAll('-', ''), '', `welcomed invitation v1 ${what}`, 32));

// What stands in a file: `invitation` has the members of the document.
export function sealedFile(code, invitation) {
  const plain = Buffer.from(JSON.stringify({ v: 1, ...invitation }));
  const nonce = randomBytes(12);
  const cipher = createCipheriv('chacha20-poly1305', derived(code, 'seal'), nonce, { authTagLength: 16 });
  cipher.setAAD(Buffer.from('welcomed invitation v1'), { plaintextLength: plain.length });
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return JSON.stringify({ sealed: sealed.toString('base64') });
}

// `code` as `boxes invite` shows it; `seed`: of the box's key.
export function provisionRequest(code, seed) {
  const invitation = keyOf(derived(code, 'name'));
  const box = keyOf(seed);
  const text = Buffer.from(`welcomed provision v1\n${invitation.name}\n${box.name}\n`);
  const by = (key) => sign(null, text, key.secret).toString('base64');
  return {
    invitation: invitation.name,
    box_key: box.name,
    proof: by(invitation),
    box_proof: by(box),
  };
}
