// SPDX-License-Identifier: Apache-2.0
// The account of this tablet: typed by hand, and taken back from another screen.

import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Field, Icon } from '../shared/parts';
import type { Account } from '../shared/session';
import { words } from './words';

export function SignIn(props: {
  refused: boolean;
  account?: string; // typed before
  onSignIn(account: Account): void;
}) {
  const [account, setAccount] = useState(props.account ?? '');
  const [password, setPassword] = useState('');
  const t = i18n.t.common;
  const own = words().tablet;
  return (
    <form
      class="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        if (account.trim() && password) props.onSignIn({ account: account.trim(), password });
      }}
    >
      <h1>{own.signInTitle}</h1>
      <p class="soft">{own.signInHint}</p>
      {props.refused && (
        <p class="banner alert" role="alert">
          <Icon name="warn" />
          {t.refused}
        </p>
      )}
      <Field label={t.account} hint={own.accountHint}>
        <input
          name="account"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          value={account}
          onInput={(event) => setAccount(event.currentTarget.value)}
        />
      </Field>
      <Field label={t.password}>
        <input
          name="password"
          type="password"
          autocomplete="off"
          required
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </Field>
      <button class="button primary">{t.signIn}</button>
    </form>
  );
}

// The broker gives the session to whoever came last; here it is to be had back.
export function Elsewhere({ onUseHere }: { onUseHere(): void }) {
  const t = i18n.t.common;
  return (
    <div class="banner alert" role="status" data-banner="elsewhere">
      <span>{t.elsewhere}</span>
      <button type="button" class="button" onClick={onUseHere}>
        {t.useHere}
      </button>
    </div>
  );
}
