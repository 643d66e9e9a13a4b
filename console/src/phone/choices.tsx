// SPDX-License-Identifier: Apache-2.0
import { i18n } from '../shared/i18n';
import { Icon, Pledge, Purposes } from '../shared/parts';
import { kItemConsentsPurpose as kPurposes, type ItemConsentsPurpose as Purpose } from '../contract';
import { DeskCode } from './desk';
import type { Phone } from './model';
import { isGiven, type Receipt } from './shown';

export function Choices({ phone }: { phone: Phone }) {
  const t = i18n.t.phone;
  const { choices } = phone;
  const wanted = Object.fromEntries(kPurposes.map((purpose) => [purpose, phone.wanted(purpose)]));
  const note = (purpose: Purpose) => {
    if (!phone.pending(purpose)) return null;
    return phone.line === 'online' ? t.waitingForAnswer : t.waitingForLine;
  };
  return (
    <>
      <Pledge />
      <section class="choices">
        <h2>{t.tabs.choices}</h2>
        <p class="soft">{choices ? t.choicesLead : t.notKnown}</p>
        <Purposes
          given={wanted}
          disabled={!choices}
          note={note}
          onChange={(purpose, given) => phone.choose(purpose, given)}
        />
        <button
          type="button"
          class="button danger"
          disabled={!choices || kPurposes.every((purpose) => !wanted[purpose])}
          onClick={() => {
            for (const purpose of kPurposes) if (wanted[purpose]) phone.choose(purpose, false);
            phone.toast(t.allOffDone);
          }}
        >
          {t.allOff}
        </button>
      </section>
      <DeskCode phone={phone} />
      <section class="receipts">
        <h2>{t.receipts}</h2>
        {phone.receipts.length === 0 && <p class="soft">{t.noReceipts}</p>}
        {phone.receipts.map((receipt) => (
          <ReceiptView key={receipt.record} receipt={receipt} />
        ))}
      </section>
    </>
  );
}

function ReceiptView({ receipt }: { receipt: Receipt }) {
  const t = i18n.t.phone;
  const d = t.receiptDetails;
  const given = isGiven(receipt);
  const facts: [string, string][] = [
    [d.controller, receipt.controller],
    [d.categories, receipt.categories.join(', ')],
    [d.storage, receipt.storage],
    [d.retention, receipt.retentionDays === null ? '' : d.days(receipt.retentionDays)],
    [d.recipients, receipt.recipients.join(', ') || d.nobody],
    [d.withdraw, receipt.withdrawHow],
    [d.notice, receipt.notice],
    [d.record, receipt.record],
  ];
  return (
    <details class="receipt" data-purpose={receipt.purpose}>
      <summary>
        <span>
          {i18n.t.purposes[receipt.purpose].title}
          <small class="soft">{receipt.history[0] && i18n.clock(receipt.history[0].at)}</small>
        </span>
        <span class={`pill ${given ? 'good' : ''}`}>
          <Icon name={given ? 'check' : 'pause'} />
          {given ? t.given : t.withdrawn}
        </span>
      </summary>
      <dl>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      <ol class="history">
        {receipt.history.map((entry, i) => (
          <li key={i}>
            {entry.given ? t.given : t.withdrawn} {entry.how && t.how[entry.how]} · {i18n.clock(entry.at)}
          </li>
        ))}
      </ol>
    </details>
  );
}
