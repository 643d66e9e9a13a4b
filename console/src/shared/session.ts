// SPDX-License-Identifier: Apache-2.0
// Who is signed in. The account comes from the link's fragment or the sign-in form and stays in this
// tab's session only; the fragment leaves the address bar and the history at once.

export interface Account {
  account: string;
  password: string;
}

const kKey = 'welcome.account';

export function takeFragment(): Account | null {
  const match = /^#([^:]+):(.+)$/.exec(location.hash);
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  if (!match) return null;
  return { account: decode(match[1]), password: decode(match[2]) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function savedAccount(): Account | null {
  return load<Account>(sessionStorage, kKey, (value) => !!value.account && !!value.password);
}

export function saveAccount(account: Account | null) {
  save(sessionStorage, kKey, account);
}

export function load<T>(storage: Storage, key: string, valid: (value: T) => boolean): T | null {
  try {
    const value = JSON.parse(storage.getItem(key) ?? 'null') as T | null;
    return value && valid(value) ? value : null;
  } catch {
    return null;
  }
}

export function save(storage: Storage, key: string, value: unknown) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the page works on, for this visit only.
  }
}
