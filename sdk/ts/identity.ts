// SPDX-License-Identifier: Apache-2.0
// What a customer's phone sends, and what it hears of a box: docs/ble.md. The same two steps as in
// beacon/key_schedule.cpp; sdk/vectors/identity.json has numbers that both come to.

const kEidSalt = 0xff;
const kUuidSalt = 0xfe;
export const kLongestRotationExponent = 15;

/** One of the feed's `identities`, as far as a phone needs it to say who it is. */
export interface RotatingKey {
  /** 16 bytes */
  key: Uint8Array;
  /** `rotation_exponent`: the identity changes every 2^exponent seconds */
  exponent: number;
  /** when the clock of this key said 0 */
  clockZero: Date;
}

// One block by AES-128. Web Crypto has no mode without chaining: from zeros, the first block of CBC is that one.
async function encrypt(key: Uint8Array, block: Uint8Array): Promise<Uint8Array> {
  const made = await crypto.subtle.importKey('raw', key, 'AES-CBC', false, ['encrypt']);
  const iv = new Uint8Array(16);
  const chained = await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, made, block);
  return new Uint8Array(chained, 0, 16);
}

async function rotate(key: Uint8Array, exponent: number, clock: number, salt: number): Promise<Uint8Array> {
  if (key.length !== 16) throw new RangeError('a key has 16 bytes');
  if (!Number.isInteger(exponent) || exponent < 0 || exponent > kLongestRotationExponent) {
    throw new RangeError(`a rotation exponent is 0 … ${kLongestRotationExponent}`);
  }
  if (!Number.isInteger(clock) || clock < 0 || clock >= 2 ** 32) {
    throw new RangeError('a clock is a whole number of seconds, of 32 bits');
  }
  const first = new Uint8Array(16);
  first[11] = salt;
  new DataView(first.buffer).setUint16(14, Math.floor(clock / 2 ** 16));
  const second = new Uint8Array(16);
  second[11] = exponent;
  new DataView(second.buffer).setUint32(12, clock - (clock % 2 ** exponent));
  return encrypt(await encrypt(key, first), second);
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** 16 bytes of the 32 signs by which the feed says them. */
export function keyFromHex(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{32}$/.test(text)) throw new RangeError('a key has 32 hexadecimal signs');
  return Uint8Array.from(text.match(/../g)!, (pair) => parseInt(pair, 16));
}

/** The service UUID of this second of the key's clock: what an iPhone can send, and an Android phone too. */
export async function rotatingUuid(key: Uint8Array, exponent: number, clock: number): Promise<string> {
  const bytes = await rotate(key, exponent, clock, kUuidSalt);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The same with the bit that says that the phone moves. */
export function moving(uuid: string): string {
  return uuid.slice(0, -1) + (parseInt(uuid.slice(-1), 16) ^ 1).toString(16);
}

/** The 8 bytes of Eddystone-EID, as hex: what a fob sends, and an Android phone can. */
export async function eddystoneEid(key: Uint8Array, exponent: number, clock: number): Promise<string> {
  return hex((await rotate(key, exponent, clock, kEidSalt)).subarray(0, 8));
}

export interface OnAir {
  uuid: string;
  /** the moment at which the next one begins: set it then, and not later */
  until: Date;
}

/** What to advertise now. */
export async function onAir({ key, exponent, clockZero }: RotatingKey, now = new Date()): Promise<OnAir> {
  const clock = Math.floor((now.getTime() - clockZero.getTime()) / 1000);
  const uuid = await rotatingUuid(key, exponent, clock);
  const next = (Math.floor(clock / 2 ** exponent) + 1) * 2 ** exponent;
  return { uuid, until: new Date(clockZero.getTime() + next * 1000) };
}

/** The EID in a box's service data for 0xFEAA, as hex; null where that is another frame. */
export function boxEid(serviceData: Uint8Array): string | null {
  return serviceData.length >= 10 && serviceData[0] === 0x30 ? hex(serviceData.subarray(2, 10)) : null;
}
