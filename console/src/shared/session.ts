// SPDX-License-Identifier: Apache-2.0
// The account of this tablet. It comes from the link's fragment (a QR that a technician made) or is typed, and
// stays: a tablet is registered once. By itself it lets nobody do anything: that takes a person and a PIN. The
// fragment leaves the address bar and the history at once.

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
  return load<Account>(localStorage, kKey, (value) => !!value.account && !!value.password);
}

export function saveAccount(account: Account | null) {
  save(localStorage, kKey, account);
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
