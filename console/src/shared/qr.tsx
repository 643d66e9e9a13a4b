// SPDX-License-Identifier: Apache-2.0
// A QR code, dark on white in every colour scheme, or no scanner reads it.

const kQuiet = 4; // light modules around a code

// `rows`: '1' is a dark module.
export function QrCode({ rows, label }: { rows: string[]; label: string }) {
  const size = rows.length + 2 * kQuiet;
  const dark = rows.flatMap((row, y) =>
    [...row].map((module, x) => (module === '1' ? `M${x + kQuiet} ${y + kQuiet}h1v1h-1z` : '')),
  );
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={dark.join('')} fill="#000" />
    </svg>
  );
}
