// SPDX-License-Identifier: Apache-2.0
// The phone page: offers, choices, data. Three tabs, nothing hidden.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Elsewhere, Icon, Languages, SignIn, Toasts, type IconName } from '../shared/parts';
import { savedAccount, saveAccount, type Account } from '../shared/session';
import { useStore } from '../shared/store';
import { Choices } from './choices';
import { Data } from './data';
import type { Phone } from './model';
import { Offers } from './offers';

const kTabs = { offers: 'gift', choices: 'sliders', data: 'file' } as const satisfies Record<
  string,
  IconName
>;
type Tab = keyof typeof kTabs;

export function App({ phone, signedIn: atStart }: { phone: Phone; signedIn: boolean }) {
  useStore(phone);
  useStore(i18n);
  const [signedIn, setSignedIn] = useState(atStart);
  const [rejected, setRejected] = useState(false);
  const [tab, setTab] = useState<Tab>('offers');
  const t = i18n.t.phone;
  document.title = t.title;
  const forgotten = phone.forgottenAt !== null;
  useEffect(() => {
    if (forgotten) saveAccount(null);
  }, [forgotten]);

  const signIn = (account: Account) => {
    const known = phone.signIn(account);
    setRejected(!known);
    setSignedIn(known);
    if (known) saveAccount(account);
  };
  const signOut = () => {
    saveAccount(null);
    phone.signOut();
    setSignedIn(false);
  };

  if (phone.forgottenAt !== null)
    return (
      <main class="plain">
        <Icon name="check" />
        <h1>{t.forgotten}</h1>
        <p>{t.forgottenHint(i18n.clock(phone.forgottenAt))}</p>
      </main>
    );
  if (!signedIn || phone.linkState === 'refused')
    return (
      <main class="plain">
        <Languages />
        <SignIn
          title={t.signInTitle}
          hint={t.signInHint}
          accountHint={t.accountHint}
          account={savedAccount()?.account}
          refused={rejected || (signedIn && phone.linkState === 'refused')}
          onSignIn={signIn}
        />
      </main>
    );
  return (
    <div class="phone">
      <Header phone={phone} />
      <main>
        {phone.linkState === 'lost' && (
          <p class="banner" role="status" data-banner="lost">
            <Icon name="away" />
            {t.lost}
          </p>
        )}
        {phone.linkState === 'elsewhere' && <Elsewhere onUseHere={() => phone.takeOver()} />}
        <Panel tab="offers" now={tab}>
          <Offers phone={phone} />
        </Panel>
        <Panel tab="choices" now={tab}>
          <Choices phone={phone} />
        </Panel>
        <Panel tab="data" now={tab}>
          <Data phone={phone} onSignOut={signOut} />
        </Panel>
      </main>
      <Tabs
        now={tab}
        onChange={setTab}
        news={phone.kept.offers.filter(({ opened, expiresAt }) => !opened && expiresAt > Date.now()).length}
      />
      <Toasts toasts={phone.toasts} />
    </div>
  );
}

function Header({ phone }: { phone: Phone }) {
  const t = i18n.t.phone;
  const online = phone.linkState === 'online';
  return (
    <header class="top">
      <h1>{t.title}</h1>
      <span class={`pill ${online ? 'good' : ''}`} data-link={phone.linkState}>
        <span class="dot" />
        {online ? t.online : i18n.t.common.connecting}
      </span>
      <Languages />
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
          <span>{i18n.t.phone.tabs[tab]}</span>
          {tab === 'offers' && news > 0 && <span class="news">{news}</span>}
        </button>
      ))}
    </div>
  );
}
