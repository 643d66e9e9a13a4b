// SPDX-License-Identifier: Apache-2.0
// All that this browser keeps of somebody. While they are signed in: what is still to be said, for this device alone,
// and their choices, for who wants to take one back without a line. After they were forgotten: the way to ask how far
// that is.

import { load, save } from '../shared/session';
import type { Customer } from './customer';

type Kept = Pick<Customer, 'device' | 'outbox' | 'choices' | 'notice'>;

const kKept = 'welcome.phone';
const kErasure = 'welcome.phone.erasure';

// Null, or nobody: nothing.
export function keep(customer: Customer | null) {
  const { device, outbox, choices, notice } = customer ?? {};
  save(localStorage, kKept, device ? { device, outbox, choices, notice } : null);
}

// On a device that is somebody else's by now it is not sent.
export function kept(device?: string): Kept | null {
  const valid = (kept: Kept) => Array.isArray(kept.outbox) && !!kept.device;
  const found = load<Kept>(localStorage, kKept, valid);
  return found && (device === undefined || found.device === device) ? found : null;
}

export function keepErasure(token: string | null) {
  save(localStorage, kErasure, token);
}

export function keptErasure(): string | null {
  return load<string>(localStorage, kErasure, (token) => typeof token === 'string');
}
