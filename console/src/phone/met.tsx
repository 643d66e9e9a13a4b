// SPDX-License-Identifier: Apache-2.0
// How they wish to be met: the choice that lasts, and a switch for today.

import { kFloorPromptMet as kWays } from '../contract';
import { i18n } from '../shared/i18n';
import type { Phone } from './model';
import { words } from './words';

export function MetView({ phone }: { phone: Phone }) {
  const t = words().met;
  const { met } = phone.customer;
  if (!met) return null;
  const until = met.notTodayUntil;
  return (
    <section class="block met" data-met={met.met}>
      <fieldset>
        <legend>
          <h2>{t.title}</h2>
        </legend>
        {kWays.map((way) => (
          <label key={way} class="way">
            <input
              type="radio"
              name="met"
              value={way}
              aria-describedby={`met-${way}`}
              checked={met.met === way}
              onChange={() => phone.meet(way)}
            />
            <span>
              {t[way]}
              <small id={`met-${way}`} class="soft">
                {t[`${way}Does`]}
              </small>
            </span>
          </label>
        ))}
      </fieldset>
      <label class="way today">
        <span>
          {t.notToday}
          <small id="met-today" class="soft">
            {t.notTodayDoes}
          </small>
        </span>
        <input
          type="checkbox"
          role="switch"
          class="switch"
          name="not_today"
          aria-describedby="met-today"
          checked={until !== null}
          onChange={(event) => phone.meet(event.currentTarget.checked ? 'not_today' : met.met)}
        />
      </label>
      {until !== null && until !== Infinity && (
        <p class="soft" role="status" data-not-today>
          {t.notTodayUntil(i18n.clock(until))}
        </p>
      )}
    </section>
  );
}
