// SPDX-License-Identifier: Apache-2.0
// The invitation of a box as docs/protocol.md describes it, without our own code: what a box says for it.

import { createPrivateKey, createPublicKey, hkdfSync, sign } from 'node:crypto';

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

// `code` as `boxes invite` shows it; `seed`: of the box's key.
export function provisionRequest(code, seed) {
  const symbols = code.replaceAll('-', '');
  const invitation = keyOf(hkdfSync('sha256', symbols, '', 'welcomed invitation v1 name', 32));
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
