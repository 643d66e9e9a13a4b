// SPDX-License-Identifier: Apache-2.0
// How far being forgotten is, until the last box: what is asked is not done yet.

import { i18n } from '../shared/i18n';
import { Icon, Languages } from '../shared/parts';
import type { Phone } from './model';
import { words } from './words';

export function ErasureView({ phone }: { phone: Phone }) {
  const t = words();
  const { erasure } = phone;
  const done = erasure?.doneAt ?? null;
  return (
    <main class="plain" data-erasure={done === null ? 'asked' : 'done'}>
      <Languages />
      {done !== null && <Icon name="check" />}
      <h1>{done === null ? t.forgetting : t.forgotten}</h1>
      {erasure && (
        <>
          <p role="status">
            {done === null
              ? t.forgettingHint(erasure.done, erasure.boxes, clock(erasure.askedAt))
              : t.forgottenHint(clock(done))}
          </p>
          <ul class="boxes">
            {erasure.receipts.map(({ box, doneAt, revoked }) => (
              <li key={box}>
                <span>{box}</span>
                <span class="soft">
                  {doneAt !== null ? t.boxErased(clock(doneAt)) : revoked ? t.boxRevoked : t.boxWaits}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {phone.line === 'lost' && done === null && <p class="soft">{t.noLine}</p>}
      {done === null ? (
        <p class="soft">{t.forgettingKeep}</p>
      ) : (
        <button type="button" class="button" onClick={() => phone.endErasure()}>
          {t.forgottenClose}
        </button>
      )}
    </main>
  );
}

const clock = (at: number | null) => (at === null ? '' : i18n.clock(at));
