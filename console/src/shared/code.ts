// SPDX-License-Identifier: Apache-2.0
// A text as a QR code. Apart from what draws it (qr.tsx): it is loaded where there is something to be shown.

import { encode } from 'uqr';

// '1' is a dark module.
export function rowsOf(text: string): string[] {
  return encode(text, { border: 0 }).data.map((row) => row.map((dark) => (dark ? '1' : '0')).join(''));
}
