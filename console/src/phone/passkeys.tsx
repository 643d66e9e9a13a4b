// SPDX-License-Identifier: Apache-2.0
// The customer's passkeys: the list, how to confirm with one, and what went wrong.

import { useEffect, useRef } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import type { Phone } from './model';
import { words } from './words';

export function Passkeys({ phone }: { phone: Phone }) {
  const t = words();
  if (!phone.keyring.there && phone.customer.passkeys.length === 0) return null;
  return (
    <section class="block">
      <h2>{t.passkeys}</h2>
      <p class="soft">{t.passkeysHint}</p>
      <ul class="devices" data-passkeys>
        {phone.customer.passkeys.map((passkey) => (
          <li key={passkey.id}>
            <span>
              {passkey.name || t.passkeyNoName}
              <small class="soft">
                {passkey.usedAt !== null
                  ? t.passkeyUsed(i18n.clock(passkey.usedAt))
                  : passkey.since !== null && t.passkeySince(i18n.clock(passkey.since))}
              </small>
            </span>
            <button type="button" class="button" onClick={() => phone.removePasskey(passkey)}>
              {t.remove}
            </button>
          </li>
        ))}
      </ul>
      {!phone.stepUp && <Problem phone={phone} />}
      {phone.keyring.there && (
        <button
          type="button"
          class="button"
          disabled={phone.keyring.asking}
          onClick={() => phone.addPasskey()}
        >
          {t.passkeyAdd}
        </button>
      )}
    </section>
  );
}

// What was asked for wants to know that it is still them.
export function StepUp({ phone }: { phone: Phone }) {
  const t = words();
  const here = useRef<HTMLDivElement>(null);
  // What was tapped may be far below.
  useEffect(() => here.current?.scrollIntoView({ block: 'center' }), []);
  const withKey = phone.keyring.there && phone.customer.passkeys.length > 0;
  return (
    <div class="banner step-up" role="alert" data-banner="step-up" ref={here}>
      {withKey && (
        <>
          <p>{t.stepUpPasskey}</p>
          <button
            type="button"
            class="button"
            disabled={phone.keyring.asking}
            onClick={() => phone.confirmByPasskey()}
          >
            {t.passkeyConfirm}
          </button>
          <Problem phone={phone} />
        </>
      )}
      <p>{withKey ? t.stepUpOtherwise : t.stepUp}</p>
    </div>
  );
}

export function SignInByPasskey({ phone }: { phone: Phone }) {
  if (!phone.keyring.there) return null;
  return (
    <>
      <button
        type="button"
        class="button"
        disabled={phone.keyring.asking}
        onClick={() => phone.enterByPasskey()}
      >
        {words().passkeySignIn}
      </button>
      <Problem phone={phone} />
    </>
  );
}

function Problem({ phone }: { phone: Phone }) {
  if (!phone.keyring.problem) return null;
  return (
    <p role="alert" data-key-problem={phone.keyring.problem}>
      {words().passkeyProblem[phone.keyring.problem]}
    </p>
  );
}
