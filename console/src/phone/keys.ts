// SPDX-License-Identifier: Apache-2.0
// Passkeys as the browser has them (Web Authentication): bytes become base64url, as the door wants them.

import { list, text, type Json } from '../shared/read';
import { bytesOf, textOf } from './base64url';
import { words } from './words';

export interface Keys {
  readonly there: boolean; // this browser knows passkeys
  // With what the door said; what is to be sent to it. Reject with a KeyProblem as the error's message.
  create(asked: Json, who: string): Promise<Json>;
  use(asked: Json): Promise<Json>;
}

const kKeyProblems = ['cancelled', 'too-slow', 'here-already', 'not-possible'] as const;
type KeyProblem = (typeof kKeyProblems)[number];

// Why nothing came of a passkey: what the browser says, or the door.
export const kNoKeyBecause = [
  ...kKeyProblems,
  'passkey-unknown',
  'passkey-refused',
  'passkey-known',
  'too-many-passkeys',
  'challenge-over',
] as const;
export type NoKeyBecause = (typeof kNoKeyBecause)[number];

const kTimeoutMs = 120000;
const kAlgorithms = [-7, -8, -257]; // ES256, EdDSA, RS256

// Of a host that is a number no browser makes one.
const kNumber = /^[\d.]+$|:/;

export const keys: Keys = {
  there: 'PublicKeyCredential' in globalThis && !kNumber.test(location.hostname),

  async create(asked, who) {
    const credential = await said(
      navigator.credentials.create({
        publicKey: {
          challenge: bytesOf(asked.challenge),
          rp: { id: text(asked.host), name: words().title },
          user: { id: bytesOf(asked.handle), name: who, displayName: who },
          pubKeyCredParams: kAlgorithms.map((alg) => ({ type: 'public-key', alg })),
          excludeCredentials: credentials(asked.passkeys),
          authenticatorSelection: {
            residentKey: 'required',
            requireResidentKey: true,
            userVerification: 'required',
          },
          attestation: 'none',
          timeout: kTimeoutMs,
        },
      }),
    );
    const { clientDataJSON, attestationObject } = credential.response as AuthenticatorAttestationResponse;
    return { client_data: textOf(clientDataJSON), attestation: textOf(attestationObject) };
  },

  async use(asked) {
    const credential = await said(
      navigator.credentials.get({
        publicKey: {
          challenge: bytesOf(asked.challenge),
          rpId: text(asked.host),
          allowCredentials: credentials(asked.passkeys),
          userVerification: 'required',
          timeout: kTimeoutMs,
        },
      }),
    );
    const { clientDataJSON, authenticatorData, signature, userHandle } =
      credential.response as AuthenticatorAssertionResponse;
    return {
      passkey: textOf(credential.rawId),
      client_data: textOf(clientDataJSON),
      authenticator_data: textOf(authenticatorData),
      signature: textOf(signature),
      ...(userHandle ? { handle: textOf(userHandle) } : {}),
    };
  },
};

async function said(asking: Promise<Credential | null>): Promise<PublicKeyCredential> {
  const began = Date.now();
  try {
    const credential = await asking;
    if (credential) return credential as PublicKeyCredential;
  } catch (error) {
    throw new Error(problemOf((error as Error).name, Date.now() - began));
  }
  throw new Error('not-possible' satisfies KeyProblem);
}

// A browser does not tell a cancelled dialog from one that nobody answered, nor from a device without a passkey.
function problemOf(name: string, tookMs: number): KeyProblem {
  if (name === 'NotAllowedError' || name === 'AbortError')
    return tookMs < kTimeoutMs ? 'cancelled' : 'too-slow';
  return name === 'InvalidStateError' ? 'here-already' : 'not-possible';
}

const credentials = (ids: unknown) =>
  list(ids, (id) => (typeof id === 'string' ? { type: 'public-key' as const, id: bytesOf(id) } : null));
