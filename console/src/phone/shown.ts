// SPDX-License-Identifier: Apache-2.0
// What the page shows of what the door says (docs/openapi.yaml): each thing as it is read, or left.

import {
  kDoorRequestSurveyKind,
  kFloorPromptMet as kMet,
  kItemConsentsHistoryHow,
  kItemConsentsHistoryState,
  kItemConsentsPurpose as kPurposes,
  type DoorRequestSurveyKind,
  type FloorPromptMet,
  type ItemConsents,
  type ItemConsentsHistoryHow,
  type ItemConsentsPurpose as Purpose,
  type Unread,
} from '../contract';
import { integer, list, one, record, text, time, type Json } from '../shared/read';

export interface Offer {
  decision: string;
  title: string;
  text: string;
  code: string;
  store: string; // where it was made
  expiresAt: number;
  opened: boolean;
  redeemed: boolean;
}

export interface Survey {
  id: string;
  kind: DoorRequestSurveyKind;
  question: string;
}

export interface Receipt {
  record: string;
  purpose: Purpose;
  notice: string;
  categories: string[];
  controller: string;
  storage: string;
  retentionDays: number | null;
  recipients: string[];
  withdrawHow: string;
  history: { given: boolean; at: number; how: ItemConsentsHistoryHow | null }[]; // newest first
}

// What a desk wrote down in this customer's name: theirs, or not?
export interface DeskConsent {
  id: string;
  store: string;
  purposes: Purpose[];
  at: number;
  expiresAt: number;
}

export interface DeviceView {
  id: string;
  name: string;
  since: number | null;
  seenAt: number | null;
  here: boolean;
}

export interface PasskeyView {
  id: string;
  name: string;
  since: number | null;
  usedAt: number | null;
}

export interface Erasure {
  askedAt: number | null;
  doneAt: number | null;
  boxes: number;
  done: number;
  receipts: { box: string; doneAt: number | null; revoked: boolean }[];
}

// How they wish to be met, and whether they are left alone today.
export interface Met {
  met: FloorPromptMet;
  notTodayUntil: number | null;
}

// What is known of them, and theirs to change but for the name.
export interface Details {
  greeting: string;
  pronunciation: string;
  language: string;
  likes: { key: string; value: string }[];
}

export interface Standing {
  tier: string;
  points: number | null;
  nextReward: number | null; // the points that it takes
}

export type Notice = Pick<ItemConsents['notice'], 'id' | 'version'>;

export const kScores = {
  nps: [0, 10],
  csat: [1, 5],
  ces: [1, 7],
} as const satisfies Record<DoorRequestSurveyKind, readonly [number, number]>;

export function readMet(json: Json): Met {
  return { met: one(json.met, kMet) ?? 'quietly', notTodayUntil: time(json.not_today_until) };
}

export function readDetails(json: Json): Details {
  return {
    greeting: text(json.greeting, 200),
    pronunciation: text(json.pronunciation, 200),
    language: text(json.language, 35),
    likes: list(json.preferences, (item) => {
      const like = record(item);
      const key = text(like?.key, 64);
      return key ? { key, value: text(like?.value, 500) } : null;
    }),
  };
}

export function readStanding(json: Json): Standing {
  const reward = integer(json.next_reward_points);
  return { tier: text(json.tier, 64), points: integer(json.points), nextReward: reward || null };
}

export function readReceipt(value: unknown): Receipt | null {
  const json: Unread<ItemConsents> | null = record(value);
  const purpose = one(json?.purpose, kPurposes);
  const id = text(json?.record_id, 128);
  if (!json || !purpose || !id) return null;
  const notice: Unread<Notice> | null = record(json.notice);
  const history = list(
    json.history,
    (item) => {
      const entry: Unread<ItemConsents['history'][number]> | null = record(item);
      const at = time(entry?.at);
      const state = one(entry?.state, kItemConsentsHistoryState);
      if (!entry || at === null || !state) return null;
      return { given: state === 'given', at, how: one(entry.how, kItemConsentsHistoryHow) };
    },
    1000,
  );
  return {
    record: id,
    purpose,
    notice: [text(notice?.id, 64), text(notice?.version, 32)].filter(Boolean).join(' · '),
    categories: list(json.data_categories, (item) => text(item, 64).replaceAll('_', ' ') || null),
    controller: text(json.controller, 120),
    storage: text(json.storage_location, 120),
    retentionDays: integer(json.retention_days),
    recipients: list(json.recipients, (item) => text(item, 120) || null),
    withdrawHow: text(json.withdraw_how, 200),
    // Ties go to the withdrawal.
    history: history.sort((a, b) => b.at - a.at || Number(a.given) - Number(b.given)),
  };
}

export function isGiven(receipt: Receipt): boolean {
  return receipt.history.length > 0 && receipt.history[0].given;
}

export function readOffer(value: unknown): Offer | null {
  const json = record(value);
  const decision = text(json?.decision, 128);
  if (!json || !decision) return null;
  return {
    decision,
    title: text(json.title, 160),
    text: text(json.text, 1000),
    code: text(json.code, 64),
    store: text(json.store, 64),
    expiresAt: time(json.expires_at) ?? 0,
    opened: time(json.opened_at) !== null,
    redeemed: time(json.redeemed_at) !== null,
  };
}

export function readSurvey(value: unknown): Survey | null {
  const json = record(value);
  const id = text(json?.survey, 128);
  const kind = one(json?.survey_kind, kDoorRequestSurveyKind);
  const question = text(json?.question, 300);
  return id && kind && question ? { id, kind, question } : null;
}

export function readDeskConsent(value: unknown): DeskConsent | null {
  const json = record(value);
  const id = text(json?.id, 64);
  const at = time(json?.at);
  const expiresAt = time(json?.expires_at);
  const purposes = list(json?.purposes, (item) => one(item, kPurposes));
  if (!json || !id || at === null || expiresAt === null || purposes.length === 0) return null;
  return { id, store: text(json.store, 64), purposes, at, expiresAt };
}

export function readDevice(value: unknown): DeviceView | null {
  const json = record(value);
  const id = text(json?.device, 64);
  if (!json || !id) return null;
  return {
    id,
    name: text(json.name, 60),
    since: time(json.since),
    seenAt: time(json.seen_at),
    here: json.this === true,
  };
}

export function readPasskey(value: unknown): PasskeyView | null {
  const json = record(value);
  const id = text(json?.passkey, 64);
  if (!json || !id) return null;
  return { id, name: text(json.name, 60), since: time(json.since), usedAt: time(json.used_at) };
}

// Whether this device is told something while the page is closed; null: the company does not do that.
export interface PushView {
  key: string;
  on: boolean;
  shows: boolean;
}

export function readPush(value: unknown): PushView | null {
  const json = record(value);
  const key = text(json?.key, 100);
  if (!json || !key) return null;
  return { key, on: json.on === true, shows: json.shows === true };
}

export function readErasure(json: Json): Erasure {
  return {
    askedAt: time(json.asked_at),
    doneAt: time(json.done_at),
    boxes: integer(json.boxes) ?? 0,
    done: integer(json.done) ?? 0,
    receipts: list(
      json.receipts,
      (item) => {
        const receipt = record(item);
        const box = [text(receipt?.store, 64), text(receipt?.box, 64)].filter(Boolean).join(' / ');
        return receipt && box
          ? { box, doneAt: time(receipt.done_at), revoked: time(receipt.revoked_at) !== null }
          : null;
      },
      1000,
    ),
  };
}
