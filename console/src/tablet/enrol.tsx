// SPDX-License-Identifier: Apache-2.0
// The pages of an enrolment. The guest holds the tablet: no other guest's card is to be seen.

import { useState } from 'preact/hooks';
import { kItemConsentsPurpose as kPurposes, type FloorRefusedCause } from '../contract';
import { rowsOf } from '../shared/code';
import { i18n } from '../shared/i18n';
import { Field, Icon, Languages, Pledge, PurposeRow } from '../shared/parts';
import { QrCode } from '../shared/qr';
import { useStore } from '../shared/store';
import type { Confirm, Enrolment } from './enrolment';
import type { Person } from './staffing';
import { words } from './words';

// `others`: of the store's staff, who may have seen it.
export function Enrol({
  enrolment,
  others,
  onClose,
}: {
  enrolment: Enrolment;
  others: Person[];
  onClose(): void;
}) {
  useStore(enrolment);
  const t = words().enrol;
  return (
    <main class={`enrol enrol-${enrolment.step}`}>
      <Languages />
      {enrolment.step === 'member' && <Member enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'looking' && <p role="status">{t.looking}</p>}
      {enrolment.step === 'check' && <Check enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'choices' && <ChoicesStep enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'how' && <How enrolment={enrolment} others={others} onClose={onClose} />}
      {enrolment.step === 'ending' && <Ending enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'ended' && <Ended enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'camera' && <Camera enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'done' && (
        <div class="enrol-end">
          <Icon name="check" />
          <h1>{t.done}</h1>
          <Confirmation enrolment={enrolment} />
          <p>{t.doneHint}</p>
          <button type="button" class="button primary" onClick={onClose}>
            {t.finish}
          </button>
        </div>
      )}
      {enrolment.step === 'failed' && (
        <div class="enrol-end">
          <Icon name="warn" />
          <h1>{t.failed}</h1>
          <p role="alert">{enrolment.reason}</p>
          {enrolment.canTryAgain && (
            <button type="button" class="button primary" onClick={() => void enrolment.again()}>
              {t.again}
            </button>
          )}
          <button type="button" class="button" onClick={onClose}>
            {t.finish}
          </button>
        </div>
      )}
    </main>
  );
}

function Cancel({ onClose }: { onClose(): void }) {
  return (
    <button type="button" class="button quiet" onClick={onClose}>
      {i18n.t.common.cancel}
    </button>
  );
}

// Digits alone, so many at least and at most.
function Digits({
  label,
  name,
  least,
  most,
  secret,
  value,
  onInput,
}: {
  label: string;
  name: string;
  least: number;
  most: number;
  secret?: boolean;
  value: string;
  onInput(value: string): void;
}) {
  return (
    <Field label={label}>
      <input
        name={name}
        type={secret ? 'password' : 'text'}
        inputMode="numeric"
        autocomplete={secret ? 'off' : 'one-time-code'}
        pattern={`[0-9]{${least},${most}}`}
        maxLength={most}
        required
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </Field>
  );
}

function Member({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const [customer, setCustomer] = useState(enrolment.customer);
  const t = words().enrol;
  return (
    <form
      class="enrol-narrow"
      onSubmit={(event) => {
        event.preventDefault();
        if (customer.trim()) void enrolment.chooseMember(customer);
      }}
    >
      <h1>{words().tablet.enrol}</h1>
      <Field label={t.customer} hint={t.customerHint}>
        <input
          name="customer"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          maxLength={128}
          required
          value={customer}
          onInput={(event) => setCustomer(event.currentTarget.value)}
        />
      </Field>
      {enrolment.known === 'no' && <p role="alert">{t.nobody}</p>}
      <div class="actions">
        <button class="button primary wide">{t.next}</button>
        <button
          type="button"
          class="button"
          onClick={(event) => {
            if (event.currentTarget.form?.reportValidity() && customer.trim())
              void enrolment.chooseMember(customer, 'ending');
          }}
        >
          {t.withdraw}
        </button>
        <Cancel onClose={onClose} />
      </div>
    </form>
  );
}

// Staff still hold the tablet: the name of somebody else is not for the guest's eyes.
function Check({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = words().enrol;
  const checked = enrolment.known === 'yes';
  return (
    <section class="enrol-narrow">
      <h1>{checked ? t.isIt(enrolment.name) : t.notChecked}</h1>
      {!checked && <p role="alert">{enrolment.known === 'too_often' ? t.tooOften : t.noLine}</p>}
      <p class="soft">{t.lead}</p>
      <div class="actions">
        <button type="button" class="button primary wide" onClick={() => enrolment.itIsThem()}>
          {checked ? t.itIs : t.goOn}
        </button>
        <button type="button" class="button" onClick={() => enrolment.anotherNumber()}>
          {t.otherNumber}
        </button>
        <Cancel onClose={onClose} />
      </div>
    </section>
  );
}

function ChoicesStep({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = words().enrol;
  return (
    <>
      <h1>{t.title}</h1>
      <div class="enrol-columns">
        <div class="enrol-side">
          <Pledge />
          <p class="soft">{t.withoutFace}</p>
        </div>
        <section>
          <p class="soft">{t.choose}</p>
          <ul class="purposes">
            {kPurposes.map((purpose) => (
              <PurposeRow
                key={purpose}
                purpose={purpose}
                given={enrolment.purposes[purpose] === true}
                disabled={enrolment.agreeing}
                onChange={(given) => enrolment.choose(purpose, given)}
              />
            ))}
          </ul>
          <div class="actions">
            <button
              type="button"
              class="button primary wide"
              disabled={!enrolment.anyChosen || enrolment.agreeing}
              onClick={() => enrolment.agree()}
            >
              {t.agree}
            </button>
            <Cancel onClose={onClose} />
          </div>
        </section>
      </div>
    </>
  );
}

function How({ enrolment, others, onClose }: { enrolment: Enrolment; others: Person[]; onClose(): void }) {
  const [by, setBy] = useState<Confirm['by']>(enrolment.by);
  const [code, setCode] = useState('');
  const [witness, setWitness] = useState('');
  const [pin, setPin] = useState('');
  const t = words().enrol;
  const ways = {
    phone: [t.byPhone, t.byPhoneHint],
    code: [t.byCode, t.byCodeHint],
    witness: [t.byWitness, t.byWitnessHint],
  } as const;
  const confirm = (): Confirm =>
    by === 'code' ? { by, code } : by === 'witness' ? { by, staff: witness, pin } : { by };
  return (
    <form
      class="enrol-narrow"
      onSubmit={(event) => {
        event.preventDefault();
        void enrolment.confirm(confirm());
        setPin('');
      }}
    >
      <h1>{t.how}</h1>
      <p class="soft">{t.howLead}</p>
      <ul class="endings">
        {(Object.keys(ways) as Confirm['by'][])
          .filter((way) => way !== 'witness' || others.length > 0)
          .map((way) => (
            <li key={way}>
              <label>
                <input type="radio" name="how" checked={by === way} onChange={() => setBy(way)} />
                <span>
                  {ways[way][0]}
                  <small class="soft">{ways[way][1]}</small>
                </span>
              </label>
            </li>
          ))}
      </ul>
      {by === 'code' && (
        <Digits label={t.code} name="code" least={6} most={6} value={code} onInput={setCode} />
      )}
      {by === 'witness' && (
        <>
          <Field label={t.witness}>
            <select required value={witness} onChange={(event) => setWitness(event.currentTarget.value)}>
              <option value="" />
              {others.map((person) => (
                <option key={person.id} value={person.id}>
                  {person.name}
                </option>
              ))}
            </select>
          </Field>
          <Digits label={t.pin} name="pin" least={4} most={12} secret value={pin} onInput={setPin} />
        </>
      )}
      {enrolment.refused && <p role="alert">{notTaken(enrolment.refused)}</p>}
      <div class="actions">
        <button class="button primary wide" disabled={enrolment.agreeing}>
          {t.confirmNow}
        </button>
        <button type="button" class="button" onClick={() => enrolment.backToChoices()}>
          {t.back}
        </button>
        <Cancel onClose={onClose} />
      </div>
    </form>
  );
}

function notTaken(cause: FloorRefusedCause): string {
  const { enrol, tablet } = words();
  const others: Partial<Record<FloorRefusedCause, string>> = tablet.refusedBecause;
  return enrol.notWitnessed[cause] ?? others[cause] ?? enrol.notTaken;
}

// Whether it is confirmed already; what is taken back ends the enrolment.
function Confirmation({ enrolment }: { enrolment: Enrolment }) {
  const t = words().enrol;
  if (enrolment.confirmed === 'yes') return <p role="status">{t.confirmedNow}</p>;
  if (enrolment.by === 'witness') return null;
  if (enrolment.by === 'code') return <p role="status">{t.waitingCode}</p>;
  return (
    <>
      <p role="status">{t.waitingPhone}</p>
      {enrolment.page && (
        <figure>
          <QrCode rows={rowsOf(enrolment.page)} label={t.pageCode} />
          <figcaption>{enrolment.page}</figcaption>
        </figure>
      )}
    </>
  );
}

function Ending({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = words().enrol;
  return (
    <section class="enrol-narrow">
      <h1>{t.endTitle}</h1>
      <p class="soft">{t.endLead}</p>
      <ul class="endings">
        {kPurposes.map((purpose) => (
          <li key={purpose}>
            <label>
              <input
                type="checkbox"
                name={purpose}
                disabled={enrolment.agreeing}
                checked={enrolment.purposes[purpose] === true}
                onChange={(event) => enrolment.choose(purpose, event.currentTarget.checked)}
              />
              {i18n.t.purposes[purpose].title}
            </label>
          </li>
        ))}
      </ul>
      <div class="actions">
        <button
          type="button"
          class="button"
          disabled={enrolment.agreeing}
          onClick={() => enrolment.chooseAll()}
        >
          {t.endAll}
        </button>
        <button
          type="button"
          class="button primary wide"
          disabled={!enrolment.anyChosen || enrolment.agreeing}
          onClick={() => void enrolment.withdraw()}
        >
          {t.endNow}
        </button>
        <Cancel onClose={onClose} />
      </div>
    </section>
  );
}

// The receipt: what is written here stands in the customer's own record, too.
function Ended({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = words().enrol;
  return (
    <div class="enrol-end">
      <Icon name="check" />
      <h1>{t.ended}</h1>
      <dl class="receipt">
        <dt>{t.customer}</dt>
        <dd>{enrolment.customer}</dd>
        <dt>{t.endedAt}</dt>
        <dd>
          <time datetime={new Date(enrolment.endedAt).toISOString()}>{i18n.moment(enrolment.endedAt)}</time>
        </dd>
        <dt>{t.endedWhat}</dt>
        {enrolment.chosen.map((purpose) => (
          <dd key={purpose}>{i18n.t.purposes[purpose].title}</dd>
        ))}
        <dt>{t.endedBy}</dt>
        <dd>{enrolment.staff}</dd>
      </dl>
      <p>{t.endedHint}</p>
      <button type="button" class="button primary" onClick={onClose}>
        {t.finish}
      </button>
    </div>
  );
}

function Camera({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = words().enrol;
  const { views, viewsNeeded, hint } = enrolment;
  const share = viewsNeeded ? Math.min(1, views / viewsNeeded) : 0;
  return (
    <div class="enrol-end">
      <svg class={`ring ${hint ?? ''}`} viewBox="0 0 120 120" aria-hidden="true">
        <circle class="ring-track" cx="60" cy="60" r="54" />
        <circle class="ring-share" cx="60" cy="60" r="54" pathLength={1} stroke-dasharray={`${share} 1`} />
        <g class="ring-face">
          <path d="M60 30c14 0 22 10 22 26S73 88 60 88 38 72 38 56s8-26 22-26z" />
          <path class="ring-looks" d="M51 54v3M69 54v3M60 56v9M53 73c4 4 10 4 14 0" />
        </g>
      </svg>
      <div role="status" aria-live="polite">
        <h1>{hint ? t.hints[hint] : viewsNeeded ? t.camera : t.waiting}</h1>
        <p class="soft">{viewsNeeded ? t.views(views, viewsNeeded) : t.cameraLead}</p>
      </div>
      <button type="button" class="button" onClick={onClose}>
        {t.stop}
      </button>
    </div>
  );
}
