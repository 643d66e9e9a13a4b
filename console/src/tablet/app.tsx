// SPDX-License-Identifier: Apache-2.0
// The tablet page: sign-in, who uses it, and the guests who are here.

import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Elsewhere, Field, Icon, Languages, SignIn, Toasts } from '../shared/parts';
import { savedAccount, saveAccount, type Account } from '../shared/session';
import { useStore } from '../shared/store';
import { Card } from './card';
import { Enrol } from './enrol';
import type { Tablet } from './model';

export function App({ tablet, signedIn: atStart }: { tablet: Tablet; signedIn: boolean }) {
  useStore(tablet);
  useStore(i18n);
  const [signedIn, setSignedIn] = useState(atStart);
  const t = i18n.t.tablet;
  document.title = t.title;

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

  if (!signedIn || tablet.linkState === 'refused')
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
  if (!tablet.staff)
    return (
      <Welcome>
        <ChooseStaff tablet={tablet} onSignOut={signOut} />
      </Welcome>
    );
  if (tablet.enrolment) return <Enrol enrolment={tablet.enrolment} onClose={() => tablet.endEnrolment()} />;
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

function ChooseStaff({ tablet, onSignOut }: { tablet: Tablet; onSignOut(): void }) {
  const [name, setName] = useState('');
  const t = i18n.t.tablet;
  return (
    <form
      class="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        tablet.useStaff(name);
      }}
    >
      <h1>{t.signInTitle}</h1>
      {tablet.knownStaff.length > 0 && (
        <div class="field">
          <span class="label">{t.usedBefore}</span>
          <div class="chips">
            {tablet.knownStaff.map((known) => (
              <button key={known} type="button" class="button" onClick={() => tablet.useStaff(known)}>
                {known}
              </button>
            ))}
          </div>
        </div>
      )}
      <Field label={t.whoAreYou} hint={t.whoHint}>
        <input
          name="staff"
          autocomplete="off"
          maxLength={64}
          required
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </Field>
      <button class="button primary">{t.start}</button>
      <button type="button" class="button quiet" onClick={onSignOut}>
        {i18n.t.common.signOut}
      </button>
    </form>
  );
}

function Header({ tablet }: { tablet: Tablet }) {
  const t = i18n.t.tablet;
  const online = tablet.linkState === 'online';
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
      <button type="button" class="button" title={t.changeStaff} onClick={() => tablet.useStaff('')}>
        <Icon name="person" />
        <span class="bar-staff">{tablet.staff}</span>
        <span class="sr">{t.changeStaff}</span>
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
