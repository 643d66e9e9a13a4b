// SPDX-License-Identifier: Apache-2.0
// The tablet page: its account, who uses it, and the guests who are here.

import { useEffect, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Elsewhere, Icon, Languages, SignIn, Toasts } from '../shared/parts';
import { savedAccount, saveAccount, type Account } from '../shared/session';
import { useStore } from '../shared/store';
import { Card } from './card';
import { Enrol } from './enrol';
import type { Tablet } from './model';
import { Who } from './who';

export function App({ tablet, signedIn: atStart }: { tablet: Tablet; signedIn: boolean }) {
  useStore(tablet);
  useStore(i18n);
  const [signedIn, setSignedIn] = useState(atStart);
  const t = i18n.t.tablet;
  document.title = t.title;
  useEffect(() => {
    const touched = () => tablet.staffing?.touched();
    const events = ['pointerdown', 'keydown', 'wheel'];
    for (const event of events) addEventListener(event, touched, { passive: true });
    return () => events.forEach((event) => removeEventListener(event, touched));
  }, [tablet]);

  const signIn = (account: Account) => {
    saveAccount(account);
    tablet.signIn(account);
    setSignedIn(true);
  };
  const signOut = () => {
    saveAccount(null);
    tablet.signOut();
    setSignedIn(false);
  };

  const { staffing } = tablet;
  if (!signedIn || !staffing || tablet.linkState === 'refused')
    return (
      <Welcome>
        <SignIn
          title={t.signInTitle}
          hint={t.signInHint}
          accountHint={t.accountHint}
          account={savedAccount()?.account}
          refused={signedIn && tablet.linkState === 'refused'}
          onSignIn={signIn}
        />
      </Welcome>
    );
  if (!staffing.open)
    return (
      <Welcome>
        {tablet.linkState === 'elsewhere' && <Elsewhere alert onUseHere={() => tablet.takeOver()} />}
        <Who staffing={staffing} online={tablet.linkState === 'online'} onAnotherAccount={signOut} />
      </Welcome>
    );
  if (tablet.enrolment)
    return (
      <Enrol enrolment={tablet.enrolment} others={tablet.witnesses} onClose={() => tablet.endEnrolment()} />
    );
  return (
    <div class="desk">
      <Header tablet={tablet} />
      <main>
        <Banners tablet={tablet} />
        <Guests tablet={tablet} />
      </main>
      <p class="sr" role="status" aria-live="polite">
        {tablet.announcement}
      </p>
      <Toasts toasts={tablet.toasts} />
    </div>
  );
}

function Welcome({ children }: { children: preact.ComponentChildren }) {
  return (
    <main class="welcome">
      <div class="welcome-card appear">
        <Languages />
        {children}
      </div>
    </main>
  );
}

function Header({ tablet }: { tablet: Tablet }) {
  const t = i18n.t.tablet;
  const online = tablet.linkState === 'online';
  const name = tablet.staffing?.session?.name ?? '';
  return (
    <header class="bar">
      <h1>{t.title}</h1>
      <span class="bar-store soft">{tablet.status?.store}</span>
      <span class="bar-gap" />
      {tablet.status && online && <span class="pill">{t.inStore(tablet.status.inStore)}</span>}
      <span class={`pill ${online ? 'good' : 'alert'}`} data-link={tablet.linkState}>
        <span class="dot" />
        {online ? t.online : tablet.linkState === 'connecting' ? i18n.t.common.connecting : t.lost}
      </span>
      <button type="button" class="button quiet" disabled={!online} onClick={() => tablet.enrol()}>
        <Icon name="plus" />
        {t.enrol}
      </button>
      <Languages />
      <span class="bar-who" title={t.signedInAs(name)}>
        <Icon name="person" />
        <span class="bar-staff">{name}</span>
      </span>
      <button type="button" class="button" onClick={() => void tablet.staffing?.signOut()}>
        {i18n.t.common.signOut}
      </button>
    </header>
  );
}

function Banners({ tablet }: { tablet: Tablet }) {
  const t = i18n.t.tablet;
  const { status } = tablet;
  return (
    <div class="banners" role="status" aria-live="polite">
      {tablet.linkState === 'elsewhere' && <Elsewhere alert onUseHere={() => tablet.takeOver()} />}
      {tablet.lostSince !== null && tablet.linkState !== 'elsewhere' && (
        <p class="banner alert" data-banner="lost">
          <Icon name="away" />
          {t.lostBanner(i18n.time(tablet.lostSince))}
        </p>
      )}
      {status?.rehearsal && (
        <p class="banner calm" data-banner="rehearsal">
          <Icon name="heart" />
          {t.rehearsal}
        </p>
      )}
      {status?.paused.map((name) => (
        <p key={name} class="banner" data-banner={`paused-${name}`}>
          <Icon name="pause" />
          {t.paused[name]}
        </p>
      ))}
      {status?.trouble.map((name) => (
        <p key={name} class="banner" data-banner={`trouble-${name}`}>
          <Icon name="away" />
          {t.trouble[name]}
        </p>
      ))}
      {status?.link === 'down' && (
        <p class="banner" data-banner="link-down">
          <Icon name="away" />
          {t.linkDown}
        </p>
      )}
    </div>
  );
}

function Guests({ tablet }: { tablet: Tablet }) {
  const t = i18n.t.tablet;
  const prompts = tablet.prompts.filter(({ visit }) => tablet.held.get(visit) !== 'not_this_person');
  if (prompts.length === 0)
    return (
      <div class="nobody">
        <svg viewBox="0 0 160 110" aria-hidden="true">
          <path class="door" d="M46 96V22a6 6 0 0 1 6-6h56a6 6 0 0 1 6 6v74" />
          <path class="leaf" d="M46 97V17l40 13v67z" />
          <path class="floor" d="M16 97h128" />
          <circle class="knob" cx="79" cy="64" r="2.600" />
        </svg>
        <h2>{t.nobody}</h2>
        <p class="soft">{t.nobodyHint}</p>
      </div>
    );
  return (
    <ul class={`cards${prompts.length === 1 ? ' single' : ''}`}>
      {prompts.map((prompt) => (
        <Card key={prompt.visit} tablet={tablet} prompt={prompt} />
      ))}
    </ul>
  );
}
