// SPDX-License-Identifier: Apache-2.0
// How they wish to be met and what is known of them, with what they have just said on top.

import type { DoorRequestMet } from '../contract';
import type { Json } from '../shared/read';
import type { Details, Met } from './shown';

// Until when it is not today, the CRM says.
export function saidOfMet(known: Met, said: DoorRequestMet): Met {
  return said === 'not_today' ? { ...known, notTodayUntil: Infinity } : { met: said, notTodayUntil: null };
}

// What is no different is not said; a preference without a value goes.
export function changesOf(known: Details, next: Details): Json {
  const out: Json = {};
  for (const name of ['greeting', 'pronunciation', 'language'] as const)
    if (next[name] !== known[name]) out[name] = next[name];
  const value = ({ likes }: Details, key: string) => likes.find((like) => like.key === key)?.value ?? '';
  const keys = [...new Set([...known.likes, ...next.likes].map(({ key }) => key))];
  const preferences = keys
    .filter((key) => value(next, key) !== value(known, key))
    .map((key) => ({ key, value: value(next, key) }));
  if (preferences.length > 0) out.preferences = preferences;
  return out;
}
