// SPDX-License-Identifier: Apache-2.0
// What every message of a page begins with, and what is left to say of a message T.

export function stamp() {
  return { v: 1 as const, id: newId(), at: new Date().toISOString() };
}
export type Draft<T, Known extends string = never> = T extends unknown
  ? Omit<T, 'v' | 'id' | 'at' | Known> & { id?: string }
  : never;

export function newId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Browsers offer randomUUID to secure origins only; a box on a shop's network may be plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
