// SPDX-License-Identifier: Apache-2.0
// For whoever leads the shop: the day in numbers, what is paused, the rehearsal, who is signed in. For a technician:
// technician.tsx.

import { useState } from 'preact/hooks';
import type { FloorManageFunction } from '../contract';
import { kFloorManageFunction, kFloorManageReason } from '../contract';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import { useStore } from '../shared/store';
import './manage.css';
import type { Count, Managing, Today } from './managing';
import type { Tablet } from './model';
import { Technician } from './technician';
import { words } from './words';

// In a sentence of the other direction it stays in one piece.
const apart = (words: string) => `\u2068${words}\u2069`;

export function Manage({ tablet, managing }: { tablet: Tablet; managing: Managing }) {
  useStore(managing);
  const t = words().manage;
  const { today, refusal, boxes } = managing;
  return (
    <div class="manage" data-manage={managing.role}>
      <div class="manage-top">
        <h2>{t[managing.role]}</h2>
        <button type="button" class="button" onClick={() => tablet.endManaging()}>
          {t.back}
        </button>
      </div>
      <p role="status" class="manage-said" data-refused={refusal}>
        {managing.asked ? t.asking : refusal ? (t.refused[refusal] ?? t.refused.no_answer) : ''}
      </p>
      {managing.role === 'technician' ? (
        <Technician managing={managing} />
      ) : today ? (
        <>
          <Numbers today={today} />
          <Pauses tablet={tablet} managing={managing} today={today} />
          <Rehearsal managing={managing} today={today} />
          <Experiments today={today} />
          <SignedIn tablet={tablet} today={today} />
          {boxes.length > 1 && (
            <p class="soft">
              {t.boxes} <bdi>{boxes.join(', ')}</bdi>
            </p>
          )}
        </>
      ) : (
        <p class="soft" role="status">
          {t.waiting}
        </p>
      )}
    </div>
  );
}

const kShown: Count[] = [
  'arrivals',
  'greeted',
  'greeted_at_once',
  'served',
  'offers',
  'opened',
  'redeemed',
  'surveys',
];

function Numbers({ today }: { today: Today }) {
  const t = words().manage;
  const whyNot = [...today.whyNot].filter(([, n]) => n > 0);
  return (
    <section aria-labelledby="manage-numbers">
      <h3 id="manage-numbers">{t.today}</h3>
      <p class="soft">
        {today.since !== null && t.since(i18n.clock(today.since))} {t.whoCounts}
      </p>
      <dl class="numbers">
        {kShown.map((name) => (
          <div key={name} data-count={name}>
            <dt>{t.counts[name]}</dt>
            <dd>{i18n.number(today.counts[name])}</dd>
          </div>
        ))}
      </dl>
      {whyNot.length > 0 && (
        <>
          <h4>{t.whyNot}</h4>
          <ul class="plain">
            {whyNot.map(([reason, n]) => (
              <li key={reason}>
                {t.reasons[reason] ?? reason} <span class="soft">{i18n.number(n)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Pauses(props: { tablet: Tablet; managing: Managing; today: Today }) {
  const t = words().manage;
  return (
    <section aria-labelledby="manage-pauses">
      <h3 id="manage-pauses">{t.pauses}</h3>
      <p class="soft">{t.pausesHint}</p>
      <ul class="plain">
        {kFloorManageFunction.map((name) => (
          <Switch key={name} {...props} name={name} />
        ))}
      </ul>
    </section>
  );
}

function Switch(props: { tablet: Tablet; managing: Managing; today: Today; name: FloorManageFunction }) {
  const { tablet, managing, today, name } = props;
  const [asking, setAsking] = useState(false);
  const t = words().manage;
  const held = today.paused.filter((pause) => pause.function === name);
  const here = held.find((pause) => pause.here)?.here;
  const said = [
    held.some((pause) => !pause.here) && t.byHeadOffice,
    here &&
      t.pausedHere(
        apart(tablet.nameOf(here.staff)),
        here.since === null ? '' : apart(i18n.clock(here.since)),
        t.pauseReasons[here.reason],
      ),
  ].filter(Boolean);
  return (
    <li class="switched" data-function={name}>
      <span>
        <strong>{t.functions[name]}</strong>
        <small class={said.length ? 'warm' : 'soft'}>{said.length ? said.join(' ') : t.runs}</small>
      </span>
      {here ? (
        <button
          type="button"
          class="button"
          aria-label={`${t.resume}: ${t.functions[name]}`}
          onClick={() => managing.resume(name)}
        >
          {t.resume}
        </button>
      ) : (
        <button
          type="button"
          class="button"
          aria-expanded={asking}
          aria-label={`${t.pause}: ${t.functions[name]}`}
          onClick={() => setAsking(!asking)}
        >
          <Icon name="pause" />
          {t.pause}
        </button>
      )}
      {asking && !here && (
        <div class="chips" role="group" aria-label={t.why}>
          {kFloorManageReason.map((reason) => (
            <button
              key={reason}
              type="button"
              class="button"
              data-reason={reason}
              onClick={() => {
                setAsking(false);
                managing.pause(name, reason);
              }}
            >
              {t.pauseReasons[reason]}
            </button>
          ))}
        </div>
      )}
    </li>
  );
}

function Rehearsal({ managing, today }: { managing: Managing; today: Today }) {
  const t = words().manage;
  return (
    <section aria-labelledby="manage-rehearsal">
      <h3 id="manage-rehearsal">{t.rehearsal}</h3>
      <p class="soft">{t.rehearsalHint}</p>
      <button
        type="button"
        class="button"
        data-rehearsal={today.rehearsal}
        onClick={() => managing.rehearse(!today.rehearsal)}
      >
        {today.rehearsal ? t.rehearsalStop : t.rehearsalStart}
      </button>
    </section>
  );
}

function Experiments({ today }: { today: Today }) {
  const t = words().manage;
  return (
    <section aria-labelledby="manage-experiments">
      <h3 id="manage-experiments">{t.experiments}</h3>
      {today.experiments.length === 0 && <p class="soft">{t.noExperiment}</p>}
      <ul class="plain">
        {today.experiments.map((one) => (
          <li key={one.campaign}>
            <bdi>{one.name}</bdi>{' '}
            <small class="soft">
              {one.variants.length > 1 && <bdi>{one.variants.join(', ')}</bdi>}{' '}
              {one.holdout > 0 && t.holdout(i18n.number(one.holdout))}
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}

function SignedIn({ tablet, today }: { tablet: Tablet; today: Today }) {
  const t = words().manage;
  return (
    <section aria-labelledby="manage-signed-in">
      <h3 id="manage-signed-in">{t.signedIn}</h3>
      <ul class="plain">
        {today.signedIn.map((one) => (
          <li key={one.tablet}>
            <bdi>{tablet.nameOf(one.staff)}</bdi>{' '}
            <small class="soft">
              <bdi>{one.tablet}</bdi>
              {one.since !== null && `, ${words().tablet.since(i18n.clock(one.since))}`}
              {one.locked && `, ${t.locked}`}
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}
