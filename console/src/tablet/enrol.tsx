// SPDX-License-Identifier: Apache-2.0
// The pages of an enrolment. The guest holds the tablet: no other guest's card is to be seen.

import { useState } from 'preact/hooks';
import { kItemConsentsPurpose as kPurposes } from '../contract';
import { i18n } from '../shared/i18n';
import { Field, Icon, Languages, Pledge, Purposes } from '../shared/parts';
import { useStore } from '../shared/store';
import type { Enrolment } from './enrolment';

export function Enrol({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  useStore(enrolment);
  const t = i18n.t.enrol;
  return (
    <main class={`enrol enrol-${enrolment.step}`}>
      <Languages />
      {enrolment.step === 'member' && <Member enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'choices' && <ChoicesStep enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'ending' && <Ending enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'ended' && <Ended enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'camera' && <Camera enrolment={enrolment} onClose={onClose} />}
      {enrolment.step === 'done' && (
        <div class="enrol-end">
          <Icon name="check" />
          <h1>{t.done}</h1>
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

function Member({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const [customer, setCustomer] = useState('');
  const t = i18n.t.enrol;
  return (
    <form
      class="enrol-narrow"
      onSubmit={(event) => {
        event.preventDefault();
        if (customer.trim()) enrolment.chooseMember(customer);
      }}
    >
      <h1>{i18n.t.tablet.enrol}</h1>
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
      <p class="soft">{t.lead}</p>
      <div class="actions">
        <button class="button primary wide">{t.next}</button>
        <button
          type="button"
          class="button"
          onClick={(event) => {
            if (event.currentTarget.form?.reportValidity() && customer.trim())
              enrolment.chooseMember(customer, 'ending');
          }}
        >
          {t.withdraw}
        </button>
        <button type="button" class="button quiet" onClick={onClose}>
          {i18n.t.common.cancel}
        </button>
      </div>
    </form>
  );
}

function ChoicesStep({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = i18n.t.enrol;
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
          <Purposes
            given={enrolment.purposes}
            disabled={enrolment.agreeing}
            onChange={(purpose, given) => enrolment.choose(purpose, given)}
          />
          <div class="actions">
            <button
              type="button"
              class="button primary wide"
              disabled={!enrolment.anyChosen || enrolment.agreeing}
              onClick={() => void enrolment.agree()}
            >
              {t.agree}
            </button>
            <button type="button" class="button quiet" onClick={onClose}>
              {i18n.t.common.cancel}
            </button>
          </div>
        </section>
      </div>
    </>
  );
}

function Ending({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = i18n.t.enrol;
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
        <button type="button" class="button quiet" onClick={onClose}>
          {i18n.t.common.cancel}
        </button>
      </div>
    </section>
  );
}

// The receipt: what is written here stands in the customer's own record, too.
function Ended({ enrolment, onClose }: { enrolment: Enrolment; onClose(): void }) {
  const t = i18n.t.enrol;
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
  const t = i18n.t.enrol;
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
