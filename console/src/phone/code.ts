// SPDX-License-Identifier: Apache-2.0
// A one-time link for another device, as a QR code.

import { list, time, type Json } from '../shared/read';

export interface LinkCode {
  rows: string[]; // '1' is a dark module
  until: number;
}

// Modules in a row (ISO/IEC 18004).
const kSmallest = 21;
const kLargest = 177;

export function readCode(json: Json): LinkCode | null {
  const rows = list(json.qr, (row) => (typeof row === 'string' ? row : null), kLargest + 1);
  const until = time(json.expires_at);
  const size = rows.length;
  if (until === null || size < kSmallest || size > kLargest) return null;
  return rows.every((row) => row.length === size && /^[01]+$/.test(row)) ? { rows, until } : null;
}
