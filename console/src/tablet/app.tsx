// SPDX-License-Identifier: Apache-2.0
// The tablet page: its account, who uses it, and the guests who are here.

import { useEffect, useRef, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon, Languages, Toasts } from '../shared/parts';
import { savedAccount, saveAccount, type Account } from '../shared/session';
import { useStore } from '../shared/store';
import { Elsewhere, SignIn } from './account';
import type { Alert } from './alert';
import { Floor } from './floor';
import type { Tablet } from './model';
import { Sheet } from './sheet';
import { Who as SigningIn } from './who';
import { words } from './words';

// The guest is asked for the number first: the rest comes meanwhile.
type EnrolPage = typeof import('./enrol').Enrol;
type ManagePage = typeof import('./manage').Manage;

export function App(props: { tablet: Tablet; alert: Alert; signedIn: boolean }) {
  const { tablet, alert, signedIn: atStart } = props;
  useStore(tablet);
  useStore(i18n);
  const [signedIn, setSignedIn] = useState(atStart);
  const [Enrol, setEnrol] = useState<{ page: EnrolPage } | null>(null);
  const [Manage, setManage] = useState<{ page: ManagePage } | null>(null);
  const t = words().tablet;
  const inUse = signedIn && tablet.staffing?.open === true;
  useEffect(() => alert.count(inUse ? tablet.guests.fresh.length : 0, t.title));
  useEffect(() => alert.keepAwake(inUse), [inUse]);
  useEffect(() => {
    if (tablet.enrolment && !Enrol) void import('./enrol').then(({ Enrol: page }) => setEnrol({ page }));
  }, [tablet.enrolment !== null]);
  useEffect(() => {
    if (tablet.managing && !Manage) void import('./manage').then(({ Manage: page }) => setManage({ page }));
  }, [tablet.managing !== null]);
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
          account={savedAccount()?.account}
          refused={signedIn && tablet.linkState === 'refused'}
          onSignIn={signIn}
        />
      </Welcome>
    );
  if (!staffing.open)
    return (
      <Welcome>
        {tablet.linkState === 'elsewhere' && <Elsewhere onUseHere={() => tablet.takeOver()} />}
        <SigningIn staffing={staffing} online={tablet.linkState === 'online'} onAnotherAccount={signOut} />
      </Welcome>
    );
  if (tablet.enrolment)
    return Enrol ? (
      <Enrol.page
        enrolment={tablet.enrolment}
        others={tablet.witnesses}
        onClose={() => tablet.endEnrolment()}
      />
    ) : (
      <main class="enrol" />
    );
  const open = tablet.open ? tablet.guests.of(tablet.open) : null;
  return (
    <div class={`desk${open ? ' with-sheet' : ''}`}>
      <Header tablet={tablet} alert={alert} />
      <main class="sides">
        <div class="side">
          <Banners tablet={tablet} />
          {!tablet.managing && <Floor tablet={tablet} />}
          {tablet.managing && Manage && <Manage.page tablet={tablet} managing={tablet.managing} />}
        </div>
        {open && <Sheet tablet={tablet} prompt={open} />}
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

function Header({ tablet, alert }: { tablet: Tablet; alert: Alert }) {
  useStore(alert);
  const t = words().tablet;
  const online = tablet.linkState === 'online';
  const line = online ? t.online : tablet.linkState === 'connecting' ? i18n.t.common.connecting : t.lost;
  return (
    <header class="bar">
      <h1>{t.title}</h1>
      <span class={`pill ${online ? 'good' : 'alert'}`} data-link={tablet.linkState} title={line}>
        <span class="dot" />
        <span class="bar-words">
          {tablet.guests.status && online ? t.inStore(tablet.guests.status.inStore) : line}
        </span>
      </span>
      <span class="bar-gap" />
      <button
        type="button"
        class="button quiet icon"
        aria-pressed={alert.sound}
        aria-label={alert.sound ? t.soundOn : t.soundOff}
        title={alert.sound ? t.soundOn : t.soundOff}
        onClick={() => alert.setSound(!alert.sound)}
      >
        <Icon name={alert.sound ? 'sound' : 'mute'} />
      </button>
      <button
        type="button"
        class="button quiet"
        aria-label={t.enrol}
        aria-disabled={!online}
        onClick={() => online && tablet.enrol()}
      >
        <Icon name="plus" />
        <span class="bar-words">{t.enrol}</span>
      </button>
      <Languages menu />
      <Who tablet={tablet} />
      <button
        type="button"
        class="button"
        aria-label={i18n.t.common.signOut}
        onClick={() => void tablet.staffing?.signOut()}
      >
        <Icon name="out" />
        <span class="bar-words">{i18n.t.common.signOut}</span>
      </button>
    </header>
  );
}

// Who is signed in, and what their role lets them do beside greeting.
function Who({ tablet }: { tablet: Tablet }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const { name = '', roles = [] } = tablet.staffing?.session ?? {};
  const who = (
    <>
      <Icon name="person" />
      <bdi class="bar-staff">{name}</bdi>
    </>
  );
  const mine = (['lead', 'technician'] as const).filter((role) => roles.includes(role));
  if (mine.length === 0)
    return (
      <span class="bar-who" title={words().tablet.signedInAs(name)}>
        {who}
      </span>
    );
  const choose = (act: () => void) => {
    menu.current!.open = false;
    act();
  };
  return (
    <details
      class="bar-menu"
      ref={menu}
      onKeyDown={(event) =>
        event.key === 'Escape' && choose(() => menu.current!.querySelector('summary')!.focus())
      }
    >
      <summary class="button quiet" aria-label={words().tablet.signedInAs(name)}>
        {who}
      </summary>
      <div>
        {mine.map((role) => (
          <button
            key={role}
            type="button"
            class="button quiet"
            data-open={role}
            onClick={() => choose(() => tablet.manage(role))}
          >
            {words().manage[role]}
          </button>
        ))}
      </div>
    </details>
  );
}

function Banners({ tablet }: { tablet: Tablet }) {
  const t = words().tablet;
  const { waiting } = tablet;
  const { status } = tablet.guests;
  return (
    <div class="banners" role="status" aria-live="polite">
      {tablet.linkState === 'elsewhere' && <Elsewhere onUseHere={() => tablet.takeOver()} />}
      {tablet.lostSince !== null && tablet.linkState !== 'elsewhere' && (
        <p class="banner alert" data-banner="lost">
          <Icon name="away" />
          {t.lostBanner(i18n.time(tablet.lostSince))}
        </p>
      )}
      {waiting.actions.length > 0 && (
        <p class="banner calm" data-banner="waits">
          <Icon name="away" />
          {t.waits(waiting.actions.length)}
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
          {status.pausedHere.includes(name) ? t.pausedHere[name] : t.paused[name]}
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
