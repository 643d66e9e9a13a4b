// SPDX-License-Identifier: Apache-2.0
// The privacy centre: a row per purpose, with its switch and the whole record of it.

import { kItemConsentsPurpose as kPurposes, type ItemConsentsPurpose as Purpose } from '../contract';
import { i18n } from '../shared/i18n';
import { Icon, Pledge, PurposeRow } from '../shared/parts';
import { DeskCode } from './desk';
import type { Phone } from './model';
import { isGiven, type Receipt } from './shown';
import { words } from './words';

export function Choices({ phone }: { phone: Phone }) {
  const t = words();
  const { customer } = phone;
  return (
    <>
      <Pledge />
      <section class="choices">
        <h2>{t.tabs.choices}</h2>
        <p class="soft">{customer.choices ? t.choicesLead : t.notKnown}</p>
        <ul class="purposes">
          {kPurposes.map((purpose) => (
            <PurposeView key={purpose} phone={phone} purpose={purpose} />
          ))}
        </ul>
        <button
          type="button"
          class="button danger"
          disabled={!customer.choices || kPurposes.every((purpose) => !customer.wanted(purpose))}
          onClick={() => {
            for (const purpose of kPurposes) if (customer.wanted(purpose)) phone.choose(purpose, false);
            phone.toast(t.allOffDone);
          }}
        >
          {t.allOff}
        </button>
      </section>
      <DeskCode phone={phone} />
    </>
  );
}

function PurposeView({ phone, purpose }: { phone: Phone; purpose: Purpose }) {
  const t = words();
  const { customer } = phone;
  const receipt = customer.receipts.find((one) => one.purpose === purpose);
  const since = receipt && isGiven(receipt) ? receipt.history[0].at : null;
  return (
    <PurposeRow
      purpose={purpose}
      given={customer.wanted(purpose)}
      disabled={!customer.choices}
      beside={since !== null && <small class="soft">{t.since(i18n.clock(since))}</small>}
      more={<p class="soft">{t.never[purpose]}</p>}
      onChange={(given) => phone.choose(purpose, given)}
    >
      {customer.pending(purpose) && (
        <p class="purpose-note" role="status">
          {phone.line === 'online' ? t.waitingForAnswer : t.waitingForLine}
        </p>
      )}
      <details class="receipt" data-purpose={purpose}>
        <summary>{t.who}</summary>
        {receipt ? <ReceiptView receipt={receipt} /> : <p class="soft">{t.neverGiven}</p>}
      </details>
    </PurposeRow>
  );
}

function ReceiptView({ receipt }: { receipt: Receipt }) {
  const t = words();
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
    <>
      <span class={`pill ${given ? 'good' : ''}`}>
        <Icon name={given ? 'check' : 'pause'} />
        {given ? t.given : t.withdrawn}
      </span>
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
      <h3>{t.history}</h3>
      <ol class="history">
        {receipt.history.map((entry, i) => (
          <li key={i}>
            {entry.given ? t.given : t.withdrawn} {entry.how && t.how[entry.how]} · {i18n.clock(entry.at)}
          </li>
        ))}
      </ol>
    </>
  );
}
