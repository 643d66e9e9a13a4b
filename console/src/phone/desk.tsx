// SPDX-License-Identifier: Apache-2.0
// What a desk wrote down in this customer's name waits here for a yes or a no; and a code to say there.

import { useEffect, useRef } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import type { Phone } from './model';
import type { DeskConsent } from './shown';
import { words } from './words';

export function DeskConsents({ phone }: { phone: Phone }) {
  return (
    <>
      {phone.customer.deskConsents.map((asked) => (
        <DeskConsentView key={asked.id} phone={phone} asked={asked} />
      ))}
    </>
  );
}

function DeskConsentView({ phone, asked }: { phone: Phone; asked: DeskConsent }) {
  const t = words();
  // Somebody stands at a desk and waits: wherever the page was scrolled to, this is seen.
  const place = useRef<HTMLElement>(null);
  useEffect(() => place.current?.scrollIntoView({ block: 'center' }), []);
  return (
    <section ref={place} class="question appear" role="alert" data-desk={asked.id}>
      <h2>{t.deskTitle}</h2>
      <p>{t.deskLead(asked.store, i18n.clock(asked.at))}</p>
      <ul>
        {asked.purposes.map((purpose) => (
          <li key={purpose}>
            <strong>{i18n.t.purposes[purpose].title}</strong>
            <p class="soft">{i18n.t.purposes[purpose].does}</p>
          </li>
        ))}
      </ul>
      <p class="soft">{t.deskUntil(i18n.clock(asked.expiresAt))}</p>
      <div class="offer-foot">
        <button type="button" class="button danger" onClick={() => phone.answerDesk(asked, false)}>
          {t.deskNo}
        </button>
        <button type="button" class="button primary" onClick={() => phone.answerDesk(asked, true)}>
          <Icon name="check" />
          {t.deskYes}
        </button>
      </div>
    </section>
  );
}

export function DeskCode({ phone }: { phone: Phone }) {
  const t = words();
  const { deskCode } = phone.customer;
  return (
    <section class="block" data-desk-code={deskCode ? 'shown' : 'none'}>
      <h2>{t.deskCodeTitle}</h2>
      <p class="soft">{t.deskCodeHint}</p>
      {deskCode ? (
        <figure class="code">
          <figcaption class="label">{t.deskUntil(i18n.clock(deskCode.expiresAt))}</figcaption>
          <output>{deskCode.code}</output>
        </figure>
      ) : (
        <button type="button" class="button" onClick={() => phone.askDeskCode()}>
          {t.deskCode}
        </button>
      )}
    </section>
  );
}
