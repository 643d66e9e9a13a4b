// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Field, Icon } from '../shared/parts';
import { QrCode } from '../shared/qr';
import { Complaint } from './complaint';
import { MetView } from './met';
import type { Phone } from './model';
import { StandingView } from './standing';
import { kScores, type Offer, type Survey } from './shown';
import { words } from './words';

export function Offers({ phone }: { phone: Phone }) {
  const t = words();
  const now = useNow();
  const { offers, surveys } = phone.customer;
  const open = offers.filter((offer) => !offer.redeemed && offer.expiresAt > now);
  const earlier = offers.filter((offer) => !open.includes(offer));
  return (
    <>
      {surveys.slice(0, 1).map((survey) => (
        <Question key={survey.id} phone={phone} survey={survey} />
      ))}
      {open.length === 0 && (
        <div class="nothing">
          <Icon name="gift" />
          <h2>{t.noOffers}</h2>
          <p class="soft">{t.noOffersHint}</p>
        </div>
      )}
      <ul class="offers">
        {open.map((offer) => (
          <OpenOffer key={offer.decision} phone={phone} offer={offer} now={now} />
        ))}
      </ul>
      <StandingView phone={phone} />
      <MetView phone={phone} />
      {earlier.length > 0 && (
        <section class="earlier">
          <h2>{t.earlier}</h2>
          <ul>
            {earlier.map((offer) => (
              <li key={offer.decision}>
                <span>{offer.title}</span>
                <span class="soft">{offer.redeemed ? t.used : t.expired(i18n.clock(offer.expiresAt))}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Complaint phone={phone} />
    </>
  );
}

function OpenOffer({ phone, offer, now }: { phone: Phone; offer: Offer; now: number }) {
  const t = words();
  const rows = useCode(offer.code);
  const minutes = Math.floor((offer.expiresAt - now) / 60000);
  return (
    <li class="offer appear" data-decision={offer.decision}>
      <h2>{offer.title}</h2>
      <p>{offer.text}</p>
      {offer.store && <p class="soft">{t.where(offer.store)}</p>}
      {offer.opened && offer.code && (
        <figure class="code">
          <figcaption class="label">{t.code}</figcaption>
          <output>{offer.code}</output>
          {rows && <QrCode rows={rows} label={t.codeQr} />}
        </figure>
      )}
      <div class="offer-foot">
        <span class="soft">
          {t.until(i18n.clock(offer.expiresAt))} · {minutes < 1 ? t.leftSeconds : t.left(minutes)}
        </span>
        {offer.opened ? (
          <button type="button" class="button" onClick={() => phone.redeem(offer)}>
            {t.redeemed}
          </button>
        ) : (
          <button type="button" class="button primary" onClick={() => phone.open(offer)}>
            {offer.code ? t.open : t.openNoCode}
          </button>
        )}
        <button type="button" class="button quiet" onClick={() => phone.dismiss(offer)}>
          {t.notInterested}
        </button>
      </div>
    </li>
  );
}

function Question({ phone, survey }: { phone: Phone; survey: Survey }) {
  const [score, setScore] = useState<number | null>(null);
  const [said, setSaid] = useState('');
  const t = words();
  const [low, high] = kScores[survey.kind];
  const scores = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  return (
    <form
      class="question appear"
      onSubmit={(event) => {
        event.preventDefault();
        if (score !== null) phone.answer(survey, score, said.trim());
      }}
    >
      <fieldset>
        <legend>{survey.question}</legend>
        <div class={`scores ${survey.kind}`}>
          {scores.map((value) => (
            <label key={value}>
              <input
                type="radio"
                name={survey.id}
                value={value}
                checked={score === value}
                onChange={() => setScore(value)}
              />
              <span>{value}</span>
            </label>
          ))}
        </div>
        <p class="scale soft">
          <span>{t.survey[survey.kind].low}</span>
          <span>{t.survey[survey.kind].high}</span>
        </p>
      </fieldset>
      {score !== null && (
        <Field label={t.surveyMore}>
          <textarea
            name="survey-text"
            maxLength={2000}
            value={said}
            onInput={(event) => setSaid(event.currentTarget.value)}
          />
        </Field>
      )}
      <div class="offer-foot">
        <button type="button" class="button quiet" onClick={() => phone.skip(survey)}>
          {t.surveySkip}
        </button>
        <button class="button primary" disabled={score === null}>
          {t.surveySend}
        </button>
      </div>
    </form>
  );
}

// What makes the code is loaded with the first offer that has one, and so is there when the line is not. Without it
// the code is shown in letters alone.
function useCode(code: string): string[] | null {
  const [rows, setRows] = useState<string[] | null>(null);
  useEffect(() => {
    if (code) void import('../shared/code').then(({ rowsOf }) => setRows(rowsOf(code))).catch(() => {});
  }, [code]);
  return rows;
}

// Offers end while the page is open.
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
