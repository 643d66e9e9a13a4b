// SPDX-License-Identifier: Apache-2.0
import { i18n } from '../shared/i18n';
import type { Phone } from './model';

const kQuiet = 4; // light modules around a code

export function LinkView({ phone }: { phone: Phone }) {
  const t = i18n.t.phone;
  const { link } = phone;
  if (!link || link.until <= Date.now())
    return (
      <button type="button" class="button" onClick={() => phone.another()}>
        {t.deviceAdd}
      </button>
    );
  const size = link.rows.length + 2 * kQuiet;
  const dark = link.rows.flatMap((row, y) =>
    [...row].map((module, x) => (module === '1' ? `M${x + kQuiet} ${y + kQuiet}h1v1h-1z` : '')),
  );
  return (
    <div class="another">
      <p>{t.deviceScan(i18n.clock(link.until))}</p>
      <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={t.deviceCode} shape-rendering="crispEdges">
        <rect width={size} height={size} fill="#fff" />
        <path d={dark.join('')} fill="#000" />
      </svg>
      <button type="button" class="button quiet" onClick={() => phone.closeLink()}>
        {t.deviceCodeClose}
      </button>
    </div>
  );
}
