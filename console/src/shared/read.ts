// SPDX-License-Identifier: Apache-2.0
// Reads JSON that came from outside. A field of another type or beyond its limit is as if it were
// missing: what reaches the page has the type that it says, and a length that fits the screen.

export type Json = { [key: string]: unknown };

export function parse(payload: Uint8Array): Json | null {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return record(json);
  } catch {
    return null;
  }
}

export function record(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

// Control and direction-changing characters could make a line say something else than it does.
const kHidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

// Half of a character: it shows nothing, and no address may hold it.
const kHalf = /\p{Surrogate}/gu;

export function text(value: unknown, max = 500): string {
  if (typeof value !== 'string') return '';
  const clean = value.replace(kHidden, '').trim();
  return (clean.length > max ? `${clean.slice(0, max - 1)}…` : clean).replace(kHalf, '');
}

export function integer(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

export function list<T>(value: unknown, each: (item: unknown) => T | null, max = 50): T[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, max).flatMap((item) => each(item) ?? []);
}

export function one<T extends string>(value: unknown, of: readonly T[]): T | null {
  return of.find((word) => word === value) ?? null;
}

// Milliseconds since 1970, or null.
export function time(value: unknown): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? null : ms;
}
