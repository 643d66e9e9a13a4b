// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import type { Phone } from './model';

export function Data({ phone, onSignOut }: { phone: Phone; onSignOut(): void }) {
  const [sure, setSure] = useState(false);
  const t = i18n.t.phone;
  const forgetting = phone.kept.outbox.some(({ kind }) => kind === 'forget');
  return (
    <>
      <section class="block">
        <h2>{t.exportTitle}</h2>
        <p class="soft">{t.exportHint}</p>
        <button type="button" class="button" disabled={phone.exporting} onClick={() => phone.export()}>
          <Icon name="file" />
          {phone.exporting ? t.exporting : t.export}
        </button>
      </section>
      <section class="block">
        <h2>{t.forgetTitle}</h2>
        <p class="soft">{t.forgetHint}</p>
        {!sure && (
          <button type="button" class="button danger" disabled={forgetting} onClick={() => setSure(true)}>
            {t.forget}
          </button>
        )}
        {sure && (
          <div class="sure" role="alertdialog" aria-labelledby="sure-words">
            <p id="sure-words">{t.forgetSure}</p>
            <button
              type="button"
              class="button"
              ref={(button) => button?.focus()}
              onClick={() => setSure(false)}
            >
              {t.forgetNo}
            </button>
            <button
              type="button"
              class="button danger"
              onClick={() => {
                setSure(false);
                phone.forget();
              }}
            >
              {t.forgetYes}
            </button>
          </div>
        )}
      </section>
      <button type="button" class="button quiet" onClick={onSignOut}>
        {i18n.t.common.signOut}
      </button>
    </>
  );
}
