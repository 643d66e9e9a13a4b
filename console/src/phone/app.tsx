// SPDX-License-Identifier: Apache-2.0
// The phone page: offers, choices, data. Three tabs, nothing hidden.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon, Languages, Toasts, type IconName } from '../shared/parts';
import { useStore } from '../shared/store';
import { Choices } from './choices';
import { Data } from './data';
import { DeskConsents } from './desk';
import { ErasureView } from './erasure';
import type { Phone } from './model';
import { Offers } from './offers';
import { SignInByPasskey } from './passkeys';
import { words } from './words';

const kTabs = { offers: 'gift', choices: 'sliders', data: 'file' } as const satisfies Record<
  string,
  IconName
>;
type Tab = keyof typeof kTabs;

export function App({ phone }: { phone: Phone }) {
  useStore(phone);
  useStore(i18n);
  const [tab, setTab] = useState<Tab>('offers');
  const t = words();
  document.title = t.title;
  if (phone.stage === 'erasure') return <ErasureView phone={phone} />;
  if (phone.stage !== 'in') return <Outside phone={phone} />;
  return (
    <div class="phone">
      <Header phone={phone} />
      <main>
        {phone.line === 'lost' && (
          <p class="banner" role="status" data-banner="lost">
            <Icon name="away" />
            {t.lost}
          </p>
        )}
        {phone.linkProblem && (
          <p class="banner" role="status" data-banner="link">
            {linkWords(phone.linkProblem)}
          </p>
        )}
        <DeskConsents phone={phone} />
        <Panel tab="offers" now={tab}>
          <Offers phone={phone} />
        </Panel>
        <Panel tab="choices" now={tab}>
          <Choices phone={phone} />
        </Panel>
        <Panel tab="data" now={tab}>
          <Data phone={phone} />
        </Panel>
      </main>
      <Tabs
        now={tab}
        onChange={setTab}
        news={
          phone.customer.offers.filter(({ opened, expiresAt }) => !opened && expiresAt > Date.now()).length
        }
      />
      <Toasts toasts={phone.toasts} />
    </div>
  );
}

function linkWords(problem: string): string {
  const t = words();
  if (problem === 'link-used') return t.linkUsed;
  return problem === 'link-over' ? t.linkOver : t.linkUnknown;
}

// Not signed in, or not yet.
function Outside({ phone }: { phone: Phone }) {
  const t = words();
  if (phone.stage === 'starting')
    return (
      <main class="plain" data-stage="starting">
        <p class="soft" role="status">
          {phone.line === 'lost' ? t.noLine : i18n.t.common.connecting}
        </p>
      </main>
    );
  if (phone.stage === 'other')
    return (
      <main class="plain" data-stage="other">
        <h1>{t.otherTitle}</h1>
        <p>{t.otherHint}</p>
        <button type="button" class="button" onClick={() => phone.keep()}>
          {t.otherKeep}
        </button>
        <button type="button" class="button danger" onClick={() => phone.replace()}>
          {t.otherReplace}
        </button>
      </main>
    );
  return (
    <main class="plain" data-stage="out">
      <Languages />
      <h1>{t.signInTitle}</h1>
      {phone.linkProblem && (
        <p class="banner alert" role="alert">
          {linkWords(phone.linkProblem)}
        </p>
      )}
      <p>{t.signInHint}</p>
      <SignInByPasskey phone={phone} />
    </main>
  );
}

function Header({ phone }: { phone: Phone }) {
  const t = words();
  const online = phone.line === 'online';
  return (
    <header class="top">
      <h1>{t.title}</h1>
      <span class={`pill ${online ? 'good' : ''}`} data-link={phone.line}>
        <span class="dot" />
        {online ? t.online : i18n.t.common.connecting}
      </span>
      <Languages menu />
    </header>
  );
}

function Panel(props: { tab: Tab; now: Tab; children: ComponentChildren }) {
  return (
    <div
      id={`panel-${props.tab}`}
      role="tabpanel"
      aria-labelledby={`tab-${props.tab}`}
      class="panel"
      hidden={props.tab !== props.now}
    >
      {props.children}
    </div>
  );
}

function Tabs({ now, news, onChange }: { now: Tab; news: number; onChange(tab: Tab): void }) {
  const tabs = Object.keys(kTabs) as Tab[];
  const go = (tab: Tab) => {
    onChange(tab);
    scrollTo(0, 0);
  };
  return (
    <nav aria-label={words().title}>
      <div class="tabs" role="tablist">
        {tabs.map((tab, i) => (
          <button
            key={tab}
            id={`tab-${tab}`}
            type="button"
            role="tab"
            aria-selected={tab === now}
            aria-controls={`panel-${tab}`}
            tabIndex={tab === now ? 0 : -1}
            onClick={() => go(tab)}
            onKeyDown={(event) => {
              const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? tabs.length - 1 : 0;
              if (!step) return;
              const next = tabs[(i + step) % tabs.length];
              go(next);
              document.getElementById(`tab-${next}`)?.focus();
            }}
          >
            <Icon name={kTabs[tab]} />
            <span>{words().tabs[tab]}</span>
            {tab === 'offers' && news > 0 && <span class="news">{news}</span>}
          </button>
        ))}
      </div>
    </nav>
  );
}
