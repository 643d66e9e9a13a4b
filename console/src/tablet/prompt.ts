// SPDX-License-Identifier: Apache-2.0
// What a box says of a guest and of itself, as the tablet reads it. A released box that sends less is read, too.

import {
  kFloorPromptBy,
  kFloorPromptLevel,
  kFloorPromptMet,
  kFloorPromptState,
  kFloorPromptSuggestKind,
  kFloorPromptZone,
  kFloorStatusLink,
  kFloorStatusPaused,
  kFloorStatusTrouble,
  type FloorPrompt,
  type FloorPromptBy,
  type FloorPromptLevel,
  type FloorPromptMet,
  type FloorPromptState,
  type FloorPromptSuggestKind,
  type FloorPromptZone,
  type FloorStatus,
  type FloorStatusLink,
  type FloorStatusPaused,
  type FloorStatusTrouble,
  type Unread,
} from '../contract';
import { integer, list, one, record, text, time, type Json } from '../shared/read';

export interface Preference {
  key: string;
  text: string;
  source: string;
  confirmed: number | null; // how often; null: a box before 1.11, which does not say
  lastConfirmed: number | null;
  detail: string; // in English, of such a box
}

export interface Prompt {
  visit: string;
  level: FloorPromptLevel;
  by: FloorPromptBy[];
  met: FloorPromptMet; // as the guest wishes: nobody is named who did not choose it
  name: string;
  greeting: string;
  pronunciation: string;
  tier: string;
  points: number | null;
  nextReward: number | null; // points at which the next reward comes
  preferences: Preference[];
  lastConversation: { text: string; at: number | null } | null;
  suggest: { kind: FloorPromptSuggestKind; value: string; points: number } | null;
  suggestion: string; // in English, of a box before 1.11
  avoid: string[];
  zone: FloorPromptZone | null;
  since: number | null;
  state: FloorPromptState;
  claimedBy: string;
  leftAt: number | null;
  expiresAt: number | null;
  rehearsal: boolean;
}

export interface Status {
  store: string;
  link: FloorStatusLink;
  inStore: number;
  paused: FloorStatusPaused[];
  pausedHere: FloorStatusPaused[]; // of these, in the shop
  trouble: FloorStatusTrouble[];
  rehearsal: boolean;
}

export interface BoxStatus extends Status {
  toldAll: boolean; // every prompt of this box has been published since it met the broker
  at: number;
}

const kAllergy = /^allerg/i;

export const isAllergy = ({ key }: { key: string }) => kAllergy.test(key);

export function readPrompt(visit: string, json: Unread<FloorPrompt>): Prompt | null {
  const greet: Unread<FloorPrompt['greet']> | null = record(json.greet);
  const level = one(json.level, kFloorPromptLevel);
  if (!greet || !level || json.visit !== visit) return null;
  const name = text(greet.name, 80);
  const conversation: Unread<NonNullable<FloorPrompt['last_conversation']>> | null = record(
    json.last_conversation,
  );
  return {
    visit,
    level,
    by: list(json.by, (sign) => one(sign, kFloorPromptBy)),
    met: one(json.met, kFloorPromptMet) ?? 'quietly',
    name,
    greeting: text(greet.greeting, 80) || name,
    pronunciation: text(greet.pronunciation, 80),
    tier: text(json.tier, 32),
    points: integer(json.points),
    nextReward: integer(json.next_reward_points),
    preferences: list(json.preferences, readPreference, 12),
    lastConversation: conversation && { text: text(conversation.text, 600), at: time(conversation.at) },
    suggest: readSuggest(record(json.suggest)),
    suggestion: text(json.suggestion, 300),
    avoid: list(json.avoid, (item) => text(item, 120) || null, 8),
    zone: one(json.zone, kFloorPromptZone),
    since: time(json.since),
    state: one(json.state, kFloorPromptState) ?? 'new',
    claimedBy: text(json.claimed_by, 64),
    leftAt: time(json.left_at),
    expiresAt: time(json.expires_at),
    rehearsal: json.rehearsal === true,
  };
}

function readPreference(item: unknown): Preference | null {
  const json: Unread<FloorPrompt['preferences'][number]> | null = record(item);
  const key = text(json?.key, 64);
  const words = text(json?.text, 160);
  if (!json || !key || !words) return null;
  return {
    key,
    text: words,
    source: text(json.source, 64),
    confirmed: integer(json.confirmed),
    lastConfirmed: time(json.last_confirmed),
    detail: text(json.detail, 160),
  };
}

function readSuggest(json: Json | null): Prompt['suggest'] {
  const kind = one(json?.kind, kFloorPromptSuggestKind);
  if (!json || !kind) return null;
  const value = text(json.value, 160);
  if (!value && (kind === 'offer' || kind === 'ask')) return null;
  return { kind, value, points: integer(json.points) ?? 0 };
}

export function readStatus(json: Unread<FloorStatus>): BoxStatus {
  return {
    store: text(json.store, 64),
    link: one(json.link, kFloorStatusLink) ?? 'up',
    inStore: Math.max(0, integer(json.in_store) ?? 0),
    paused: list(json.paused, (name) => one(name, kFloorStatusPaused)),
    pausedHere: list(json.paused_here, (name) => one(name, kFloorStatusPaused)),
    trouble: list(json.trouble, (name) => one(name, kFloorStatusTrouble)),
    rehearsal: json.rehearsal === true,
    toldAll: json.told_all !== false, // a box that does not say is taken at its retained word
    at: time(json.at) ?? 0,
  };
}

// Several boxes of one store, each with a state of its own: what is wrong with one is wrong. All count
// the same guests, as far as each hears them.
export function worst(all: Status[]): Status | null {
  const [first] = all;
  if (!first) return null;
  const union = <T>(of: (status: Status) => T[]) => [...new Set(all.flatMap(of))];
  return {
    store: first.store,
    link: all.some((status) => status.link === 'down') ? 'down' : 'up',
    inStore: Math.max(...all.map((status) => status.inStore)),
    paused: union((status) => status.paused),
    pausedHere: union((status) => status.pausedHere),
    trouble: union((status) => status.trouble),
    rehearsal: all.some((status) => status.rehearsal),
  };
}
