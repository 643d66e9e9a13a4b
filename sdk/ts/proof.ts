// SPDX-License-Identifier: Apache-2.0
// What a box proves with its key: that somebody's bytes are gone, that it holds nothing any more. For whoever has
// the box's events (docs/protocol.md, "Signatures"). sdk/vectors/proofs.json has numbers.

const kDeepest = 32;

export interface Signed {
  sig?: { key: string; value: string };
}

/** RFC 8785, of whole numbers alone. Throws where there is something else. */
export function canonical(value: unknown, depth = 0): string {
  if (depth > kDeepest) throw new RangeError('nested too deeply');
  switch (typeof value) {
    case 'string':
      if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value)) {
        throw new RangeError('half of a character');
      }
      return JSON.stringify(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw new RangeError('not a whole number of 53 bits');
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((one) => canonical(one, depth + 1)).join(',')}]`;
      const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)); // by UTF-16 units
      return `{${members.map(([name, of]) => `${canonical(name)}:${canonical(of, depth + 1)}`).join(',')}}`;
    }
  }
  throw new TypeError(`no JSON: ${typeof value}`);
}

function fromBase64(text: string, size: number): Uint8Array | null {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  try {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    return bytes.length === size ? bytes : null;
  } catch {
    return null;
  }
}

/** Whether `sig` of this object is by this key (base64, as a box says it in its state). */
export async function isSignedBy<T extends Signed>(object: T, publicKey: string): Promise<boolean> {
  const { sig, ...rest } = object;
  const key = fromBase64(publicKey, 32);
  const signature = typeof sig?.value === 'string' ? fromBase64(sig.value, 64) : null;
  if (!key || !signature) return false;
  let text: string;
  try {
    text = canonical(rest);
  } catch {
    return false;
  }
  const made = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
  return crypto.subtle.verify('Ed25519', made, signature, new TextEncoder().encode(text));
}

export interface ErasureReceipt extends Signed {
  command: string;
  box: string;
  customer: string;
  erased: Record<string, number>;
  bytes_gone?: boolean;
  at: string;
}

/** What was asked of which box. */
export interface AskedErasure {
  command: string;
  box: string;
  customer: string;
  /** the box's public key that you trust: base64 */
  key: string;
}

/**
 * Null where the receipt proves it, else why not: in the words of `welcome-crm erasure status`. It may come
 * without `customer`, as the CRM keeps it.
 */
export async function whyNoProof(
  receipt: Omit<ErasureReceipt, 'customer'>,
  { command, box, customer, key }: AskedErasure,
): Promise<string | null> {
  if (receipt.box !== box) return "it is another box's";
  if (receipt.command !== command) return 'it answers another command';
  if (!receipt.sig) return 'it is not signed';
  if (receipt.sig.key !== box || !(await isSignedBy({ ...receipt, customer }, key))) {
    return 'its signature is wrong';
  }
  if (receipt.bytes_gone === undefined) {
    return 'it does not say that the bytes are gone: the box is older than 0.2.0';
  }
  return receipt.bytes_gone === true ? null : 'the bytes are not gone yet';
}

/** Whether a box that was retired has proved it. `address` is TENANT/STORE/BOX. */
export async function provesRetired(
  said: Signed & { retires?: unknown },
  address: string,
  key: string,
): Promise<boolean> {
  return said.retires === address && said.sig?.key === address.split('/')[2] && (await isSignedBy(said, key));
}
