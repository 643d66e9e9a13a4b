// SPDX-License-Identifier: Apache-2.0
import { i18n } from '../shared/i18n';
import { QrCode } from '../shared/qr';
import type { Phone } from './model';
import { words } from './words';

export function LinkView({ phone }: { phone: Phone }) {
  const t = words();
  const { link } = phone.customer;
  if (!link || link.until <= Date.now())
    return (
      <button type="button" class="button" onClick={() => phone.another()}>
        {t.deviceAdd}
      </button>
    );
  return (
    <div class="another">
      <p>{t.deviceScan(i18n.clock(link.until))}</p>
      <QrCode rows={link.rows} label={t.deviceCode} />
      <button type="button" class="button quiet" onClick={() => phone.closeLink()}>
        {t.deviceCodeClose}
      </button>
    </div>
  );
}
