// SPDX-License-Identifier: Apache-2.0
// Made by console/contract.mjs from docs/schemas; `npm run contract` makes it again.

// What came from outside has these names, and any value.
export type Unread<T> = { readonly [K in T extends unknown ? keyof T : never]?: unknown };

// Request of a customer's page

export const kDoorRequestKind = ['consent.set', 'offer.opened', 'offer.redeemed', 'offer.dismissed', 'complaint', 'survey.answer', 'met.set', 'details.set'] as const;
export type DoorRequestKind = (typeof kDoorRequestKind)[number];

export const kDoorRequestPurpose = ['proximity_offers', 'face_recognition', 'preference_prompts', 'personalised_offers', 'visit_analytics'] as const;
export type DoorRequestPurpose = (typeof kDoorRequestPurpose)[number];

export const kDoorRequestMet = ['quietly', 'by_name', 'not_today'] as const;
export type DoorRequestMet = (typeof kDoorRequestMet)[number];

export const kDoorRequestSurveyKind = ['nps', 'csat', 'ces'] as const;
export type DoorRequestSurveyKind = (typeof kDoorRequestSurveyKind)[number];

interface DoorRequestFields {
  v: 1;
  id: string;
  kind: DoorRequestKind;
  purpose?: DoorRequestPurpose;
  given?: boolean;
  notice?: {
    id: string;
    version: string;
    language: string;
  };
  met?: DoorRequestMet;
  details?: {
    greeting?: string;
    pronunciation?: string;
    language?: string;
    preferences?: {
      key: string;
      value: string;
    }[];
  };
  decision?: string;
  survey?: string;
  survey_kind?: DoorRequestSurveyKind;
  score?: number;
  text?: string;
  at?: string;
}

export type DoorRequest =
  | (DoorRequestFields & { kind: 'consent.set' } & Required<Pick<DoorRequestFields, 'purpose' | 'given'>>)
  | (DoorRequestFields & { kind: 'offer.opened' | 'offer.redeemed' | 'offer.dismissed' } & Required<Pick<DoorRequestFields, 'decision'>>)
  | (DoorRequestFields & { kind: 'complaint' })
  | (DoorRequestFields & { kind: 'met.set' } & Required<Pick<DoorRequestFields, 'met'>>)
  | (DoorRequestFields & { kind: 'details.set' } & Required<Pick<DoorRequestFields, 'details'>>)
  | (DoorRequestFields & { kind: 'survey.answer' } & Required<Pick<DoorRequestFields, 'survey' | 'survey_kind' | 'score'>>);

// What staff did

export const kFloorActionKind = ['claim', 'release', 'greeted', 'served', 'declined', 'not_this_person', 'note', 'preference', 'reopen'] as const;
export type FloorActionKind = (typeof kFloorActionKind)[number];

export const kFloorActionPreferenceVerdict = ['confirm', 'change'] as const;
export type FloorActionPreferenceVerdict = (typeof kFloorActionPreferenceVerdict)[number];

interface FloorActionFields {
  v: 1;
  id: string;
  visit: string;
  sign_in: string;
  kind: FloorActionKind;
  text?: string;
  preference?: {
    key: string;
    value: string;
    verdict: FloorActionPreferenceVerdict;
  };
  at: string;
}

export type FloorAction =
  | (FloorActionFields & { kind: 'claim' | 'release' | 'greeted' | 'served' | 'declined' | 'not_this_person' | 'reopen' })
  | (FloorActionFields & { kind: 'note' } & Required<Pick<FloorActionFields, 'text'>>)
  | (FloorActionFields & { kind: 'preference' } & Required<Pick<FloorActionFields, 'preference'>>);

// Enrolment at the desk

export const kFloorEnrolFrom = ['tablet', 'box'] as const;
export type FloorEnrolFrom = (typeof kFloorEnrolFrom)[number];

export const kFloorEnrolKind = ['lookup', 'start', 'consent', 'stop', 'member', 'confirmation', 'guide', 'done', 'failed'] as const;
export type FloorEnrolKind = (typeof kFloorEnrolKind)[number];

export const kFloorEnrolConfirmBy = ['phone', 'code', 'witness'] as const;
export type FloorEnrolConfirmBy = (typeof kFloorEnrolConfirmBy)[number];

export const kFloorEnrolConfirmed = ['waiting', 'yes', 'refused', 'expired', 'code', 'witness', 'unknown'] as const;
export type FloorEnrolConfirmed = (typeof kFloorEnrolConfirmed)[number];

export const kFloorEnrolKnown = ['yes', 'no', 'unchecked', 'too_often'] as const;
export type FloorEnrolKnown = (typeof kFloorEnrolKnown)[number];

export const kFloorEnrolHint = ['look_here', 'closer', 'further', 'turn_left', 'turn_right', 'more_light', 'hold_still', 'one_person', 'uncover', 'less_light'] as const;
export type FloorEnrolHint = (typeof kFloorEnrolHint)[number];

export const kFloorEnrolCause = ['no_clip', 'no_video', 'no_pictures', 'no_camera', 'nobody', 'several_people', 'too_far', 'too_near', 'too_dark', 'too_bright', 'covered', 'turned_away', 'not_upright', 'unsteady', 'same_view', 'too_short', 'picture', 'not_sure', 'somebody_else', 'withdrawn', 'not_stored'] as const;
export type FloorEnrolCause = (typeof kFloorEnrolCause)[number];

interface FloorEnrolFields {
  v: 1;
  id: string;
  session: string;
  from: FloorEnrolFrom;
  kind: FloorEnrolKind;
  sign_in?: string;
  customer?: string;
  purposes?: Record<string, boolean>;
  notice?: {
    id: string;
    version: string;
    language: string;
  };
  confirm?: {
    by: FloorEnrolConfirmBy;
    code?: string;
    staff?: string;
    pin?: string;
  };
  confirmed?: FloorEnrolConfirmed;
  known?: FloorEnrolKnown;
  name?: string;
  page?: string;
  hint?: FloorEnrolHint;
  views?: number;
  views_needed?: number;
  reason?: string;
  cause?: FloorEnrolCause;
  at: string;
}

export type FloorEnrol =
  | (FloorEnrolFields & { kind: 'lookup'; from: 'tablet' } & Required<Pick<FloorEnrolFields, 'sign_in' | 'customer'>>)
  | (FloorEnrolFields & { kind: 'member'; from: 'box' } & Required<Pick<FloorEnrolFields, 'known'>>)
  | (FloorEnrolFields & { kind: 'start'; from: 'tablet' } & Required<Pick<FloorEnrolFields, 'sign_in' | 'customer'>>)
  | (FloorEnrolFields & { kind: 'consent'; from: 'tablet' } & Required<Pick<FloorEnrolFields, 'sign_in' | 'customer' | 'purposes' | 'notice'>>)
  | (FloorEnrolFields & { kind: 'stop'; from: 'tablet' })
  | (FloorEnrolFields & { kind: 'confirmation'; from: 'box' } & Required<Pick<FloorEnrolFields, 'confirmed'>>)
  | (FloorEnrolFields & { kind: 'guide'; from: 'box' } & Required<Pick<FloorEnrolFields, 'views' | 'views_needed'>>)
  | (FloorEnrolFields & { kind: 'done'; from: 'box' } & Required<Pick<FloorEnrolFields, 'views'>>)
  | (FloorEnrolFields & { kind: 'failed'; from: 'box' } & Required<Pick<FloorEnrolFields, 'reason'>>);

// What a lead or a technician asks for

export const kFloorManageKind = ['today', 'pause', 'resume', 'rehearsal_start', 'rehearsal_stop', 'lights', 'signal', 'restart'] as const;
export type FloorManageKind = (typeof kFloorManageKind)[number];

export const kFloorManageFunction = ['face', 'offers', 'prompts', 'surveys', 'all'] as const;
export type FloorManageFunction = (typeof kFloorManageFunction)[number];

export const kFloorManageReason = ['wrong', 'bothers', 'busy', 'broken', 'other'] as const;
export type FloorManageReason = (typeof kFloorManageReason)[number];

interface FloorManageFields {
  v: 1;
  id: string;
  sign_in: string;
  kind: FloorManageKind;
  box?: string;
  function?: FloorManageFunction;
  reason?: FloorManageReason;
  at: string;
}

export type FloorManage =
  | (FloorManageFields & { kind: 'today' | 'rehearsal_start' | 'rehearsal_stop' | 'lights' | 'signal' })
  | (FloorManageFields & { kind: 'restart' } & Required<Pick<FloorManageFields, 'box'>>)
  | (FloorManageFields & { kind: 'pause' } & Required<Pick<FloorManageFields, 'function' | 'reason'>>)
  | (FloorManageFields & { kind: 'resume' } & Required<Pick<FloorManageFields, 'function'>>);

// What a box answers a lead or a technician

export const kFloorManagedKind = ['today', 'pause', 'resume', 'rehearsal_start', 'rehearsal_stop', 'lights', 'signal', 'restart'] as const;
export type FloorManagedKind = (typeof kFloorManagedKind)[number];

export const kFloorManagedTodayPausedFunction = ['face', 'offers', 'prompts', 'surveys', 'all'] as const;
export type FloorManagedTodayPausedFunction = (typeof kFloorManagedTodayPausedFunction)[number];

export const kFloorManagedTodayPausedHereReason = ['wrong', 'bothers', 'busy', 'broken', 'other'] as const;
export type FloorManagedTodayPausedHereReason = (typeof kFloorManagedTodayPausedHereReason)[number];

export const kFloorManagedLightsLight = ['clock', 'line', 'floor', 'radio', 'camera', 'models', 'store', 'consents', 'decisions'] as const;
export type FloorManagedLightsLight = (typeof kFloorManagedLightsLight)[number];

export const kFloorManagedLightsLamp = ['green', 'yellow', 'red', 'off'] as const;
export type FloorManagedLightsLamp = (typeof kFloorManagedLightsLamp)[number];

export const kFloorManagedSignalBy = ['phone', 'fob'] as const;
export type FloorManagedSignalBy = (typeof kFloorManagedSignalBy)[number];

export const kFloorManagedSignalZone = ['away', 'street', 'door', 'inside', 'desk'] as const;
export type FloorManagedSignalZone = (typeof kFloorManagedSignalZone)[number];

export interface FloorManaged {
  v: 1;
  id: string;
  re: string;
  box: string;
  kind: FloorManagedKind;
  today?: {
    since: string;
    arrivals: number;
    greeted: number;
    greeted_at_once: number;
    served: number;
    offers: number;
    opened: number;
    redeemed: number;
    surveys: number;
    why_not: Record<string, number>;
    experiments: {
      campaign: string;
      name: string;
      variants: string[];
      holdout_percent: number;
    }[];
    signed_in: {
      tablet: string;
      staff: string;
      since: string;
      locked: boolean;
    }[];
    paused: {
      function: FloorManagedTodayPausedFunction;
      here?: {
        staff: string;
        reason: FloorManagedTodayPausedHereReason;
        since: string;
      };
    }[];
    rehearsal: boolean;
  };
  lights?: {
    light: FloorManagedLightsLight;
    lamp: FloorManagedLightsLamp;
    what: string;
    to_do: string;
  }[];
  signal?: {
    by: FloorManagedSignalBy;
    bars: number;
    zone: FloorManagedSignalZone;
  }[];
  at: string;
}

// Prompt for the staff's tablets

export const kFloorPromptLevel = ['near', 'present', 'confirmed'] as const;
export type FloorPromptLevel = (typeof kFloorPromptLevel)[number];

export const kFloorPromptBy = ['phone', 'beacon', 'face', 'app'] as const;
export type FloorPromptBy = (typeof kFloorPromptBy)[number];

export const kFloorPromptMet = ['quietly', 'by_name'] as const;
export type FloorPromptMet = (typeof kFloorPromptMet)[number];

export const kFloorPromptSuggestKind = ['offer', 'points', 'ask', 'open'] as const;
export type FloorPromptSuggestKind = (typeof kFloorPromptSuggestKind)[number];

export const kFloorPromptZone = ['away', 'street', 'door', 'inside', 'desk'] as const;
export type FloorPromptZone = (typeof kFloorPromptZone)[number];

export const kFloorPromptState = ['new', 'claimed', 'greeted', 'served', 'declined'] as const;
export type FloorPromptState = (typeof kFloorPromptState)[number];

export interface FloorPrompt {
  v: 1;
  visit: string;
  decision: string;
  level: FloorPromptLevel;
  by: FloorPromptBy[];
  met?: FloorPromptMet;
  greet: {
    name: string;
    greeting?: string;
    pronunciation?: string;
  };
  tier?: string;
  points?: number;
  next_reward_points?: number;
  headline: string;
  preferences: {
    key: string;
    text: string;
    detail?: string;
    source?: string;
    confirmed?: number;
    last_confirmed?: string;
  }[];
  last_conversation: {
    text: string;
    at: string;
  } | null;
  suggestion?: string;
  suggest?: {
    kind: FloorPromptSuggestKind;
    value?: string;
    points?: number;
  };
  avoid: string[];
  zone: FloorPromptZone;
  since: string;
  state: FloorPromptState;
  rehearsal?: boolean;
  left_at?: string;
  claimed_by: string | null;
  expires_at: string;
}

// What a box did not take from a tablet

export const kFloorRefusedCause = ['wrong_pin', 'wait', 'unknown', 'no_staff', 'not_signed_in', 'locked', 'somebody_else', 'no_witness', 'too_many', 'not_stored', 'not_allowed'] as const;
export type FloorRefusedCause = (typeof kFloorRefusedCause)[number];

export interface FloorRefused {
  v: 1;
  id: string;
  re: string;
  cause: FloorRefusedCause;
  tries_left?: number;
  retry_after_s?: number;
  at: string;
}

// Who is signed in on a tablet

export const kFloorSessionState = ['on', 'locked', 'over'] as const;
export type FloorSessionState = (typeof kFloorSessionState)[number];

export const kFloorSessionWhy = ['signed_out', 'somebody_else', 'time', 'left', 'new_pin'] as const;
export type FloorSessionWhy = (typeof kFloorSessionWhy)[number];

export const kFloorSessionRoles = ['staff', 'lead', 'technician'] as const;
export type FloorSessionRoles = (typeof kFloorSessionRoles)[number];

export interface FloorSession {
  v: 1;
  box: string;
  sign_in: string;
  state: FloorSessionState;
  why?: FloorSessionWhy;
  staff: string;
  name: string;
  roles: FloorSessionRoles[];
  since: string;
  ends_at: string;
  lock_after_s: number;
  at: string;
}

// Somebody signs in on a tablet, or out

export const kFloorSignInKind = ['sign_in', 'sign_out', 'lock', 'active'] as const;
export type FloorSignInKind = (typeof kFloorSignInKind)[number];

interface FloorSignInFields {
  v: 1;
  id: string;
  kind: FloorSignInKind;
  staff?: string;
  pin?: string;
  sign_in?: string;
  at: string;
}

export type FloorSignIn =
  | (FloorSignInFields & { kind: 'sign_in' } & Required<Pick<FloorSignInFields, 'staff' | 'pin'>>)
  | (FloorSignInFields & { kind: 'sign_out' | 'lock' | 'active' } & Required<Pick<FloorSignInFields, 'sign_in'>>);

// Who may sign in on the tablets of the store

export interface FloorStaff {
  v: 1;
  box: string;
  staff: {
    id: string;
    name: string;
    pin: boolean;
  }[];
  at: string;
}

// Status of the store, for the tablets

export const kFloorStatusLink = ['up', 'down'] as const;
export type FloorStatusLink = (typeof kFloorStatusLink)[number];

export const kFloorStatusPaused = ['face', 'offers', 'prompts', 'surveys', 'all'] as const;
export type FloorStatusPaused = (typeof kFloorStatusPaused)[number];

export const kFloorStatusPausedHere = ['face', 'offers', 'prompts', 'surveys', 'all'] as const;
export type FloorStatusPausedHere = (typeof kFloorStatusPausedHere)[number];

export const kFloorStatusTrouble = ['crm_silent', 'clock_not_set', 'store', 'radio', 'camera'] as const;
export type FloorStatusTrouble = (typeof kFloorStatusTrouble)[number];

export interface FloorStatus {
  v: 1;
  store: string;
  box: string;
  link: FloorStatusLink;
  in_store: number;
  paused: FloorStatusPaused[];
  paused_here?: FloorStatusPausedHere[];
  trouble?: FloorStatusTrouble[];
  told_all?: boolean;
  rehearsal: boolean;
  version: string;
  at: string;
}

// Consent record (ISO/IEC TS 27560): item of the collection `consents`, key = record_id

export const kItemConsentsPurpose = ['proximity_offers', 'face_recognition', 'preference_prompts', 'personalised_offers', 'visit_analytics'] as const;
export type ItemConsentsPurpose = (typeof kItemConsentsPurpose)[number];

export const kItemConsentsHistoryState = ['given', 'withdrawn'] as const;
export type ItemConsentsHistoryState = (typeof kItemConsentsHistoryState)[number];

export const kItemConsentsHistoryHow = ['app', 'desk', 'crm'] as const;
export type ItemConsentsHistoryHow = (typeof kItemConsentsHistoryHow)[number];

export interface ItemConsents {
  record_id: string;
  schema_version: string;
  tenant: string;
  customer: string;
  purpose: ItemConsentsPurpose;
  notice: {
    id: string;
    version: string;
    language: string;
  };
  data_categories: string[];
  controller: string;
  storage_location: string;
  retention_days: number;
  jurisdiction: string;
  recipients: string[];
  withdraw_how: string;
  history: {
    state: ItemConsentsHistoryState;
    at: string;
    how: ItemConsentsHistoryHow;
  }[];
  expires_at?: string;
  sig?: {
    key: string;
    value: string;
  };
}
