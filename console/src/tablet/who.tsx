// SPDX-License-Identifier: Apache-2.0
// Who uses this tablet: the names of the store's staff as tiles, then the PIN.

import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Field, Icon } from '../shared/parts';
import { useStore } from '../shared/store';
import type { Refusal, Staffing } from './staffing';
import { words } from './words';

const kDigits = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

export function Who(props: { staffing: Staffing; online: boolean; onAnotherAccount(): void }) {
  const { staffing } = props;
  useStore(staffing);
  const held = staffing.elsewhere ? null : staffing.session;
  const name = staffing.chosen?.name ?? held?.name;
  if (name !== undefined) return <Pin key={name} staffing={staffing} name={name} online={props.online} />;
  return <Names {...props} />;
}

function Names(props: { staffing: Staffing; online: boolean; onAnotherAccount(): void }) {
  const { staffing, online } = props;
  const t = words().tablet;
  const ready = staffing.people.filter(({ pin }) => pin);
  const waiting = staffing.people.filter(({ pin }) => !pin);
  return (
    <section class="sign-in who-are-you">
      <h1>{t.signInTitle}</h1>
      {staffing.ended && (
        <p class="banner alert" role="alert" data-ended={staffing.ended}>
          <Icon name="warn" />
          {t.endedBecause[staffing.ended]}
        </p>
      )}
      {!staffing.heard ? (
        <p class="soft" role="status">
          {online ? t.waitingForBox : t.refusedBecause.not_sent}
        </p>
      ) : staffing.people.length === 0 ? (
        <p role="status" data-staff="none">
          {t.noStaff}
        </p>
      ) : ready.length === 0 ? (
        <p role="status">{t.noPins}</p>
      ) : (
        <h2>{t.who}</h2>
      )}
      <ul class="people">
        {ready.map((person) => (
          <li key={person.id}>
            <button type="button" class="button tile" onClick={() => staffing.choose(person)}>
              {person.name}
            </button>
          </li>
        ))}
        {waiting.map((person) => (
          <li key={person.id}>
            <button type="button" class="button tile" disabled>
              {person.name}
              <small>{t.noPin}</small>
            </button>
          </li>
        ))}
      </ul>
      <button type="button" class="button quiet" onClick={props.onAnotherAccount}>
        {t.anotherAccount}
      </button>
    </section>
  );
}

function Pin({ staffing, name, online }: { staffing: Staffing; name: string; online: boolean }) {
  const [pin, setPin] = useState('');
  const t = words().tablet;
  const locked = staffing.chosen === null;
  const enter = () => {
    if (!pin) return;
    setPin('');
    void staffing.signIn(pin);
  };
  return (
    <form
      class="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        enter();
      }}
    >
      <h1>{t.pinOf(name)}</h1>
      {locked && <p class="soft">{t.lockedFor(name)}</p>}
      <p role="alert" class="pin-answer" data-refused={staffing.refusal?.cause}>
        {staffing.asking ? t.checking : staffing.refusal ? refused(staffing.refusal) : ''}
      </p>
      <Field label={t.pin}>
        <input
          name="pin"
          type="password"
          inputMode="none"
          autocomplete="off"
          maxLength={64}
          value={pin}
          readOnly={staffing.asking}
          ref={(input) => input && !input.dataset.seen && ((input.dataset.seen = '1'), input.focus())}
          onInput={(event) => setPin(event.currentTarget.value)}
        />
      </Field>
      <div class="pad">
        {kDigits.map((digit) => (
          <Key key={digit} words={digit} onPress={() => setPin(pin + digit)} />
        ))}
        <Key words="⌫" label={t.pinErase} onPress={() => setPin(pin.slice(0, -1))} />
        <Key words="0" onPress={() => setPin(`${pin}0`)} />
        <button class="button primary" disabled={!pin || staffing.asking || !online}>
          {t.pinEnter}
        </button>
      </div>
      <button type="button" class="button quiet" onClick={() => staffing.showNames()}>
        {t.somebodyElse}
      </button>
    </form>
  );
}

function Key({ words, label, onPress }: { words: string; label?: string; onPress(): void }) {
  return (
    <button type="button" class="button" aria-label={label} onClick={onPress}>
      {words}
    </button>
  );
}

function refused({ cause, triesLeft, retryAt }: Refusal): string {
  const t = words().tablet;
  if (retryAt !== null) return t.waitUntil(i18n.time(retryAt));
  switch (cause) {
    case 'wrong_pin':
    case 'wait':
      return t.wrongPin(triesLeft);
    case 'no_staff':
      return t.noStaff;
    case 'not_signed_in':
    case 'locked':
      return t.endedBecause.time;
    default:
      return t.refusedBecause[cause];
  }
}
