// SPDX-License-Identifier: Apache-2.0
// Made by sdk/types.mjs from docs/openapi.yaml; `node sdk/types.mjs` makes it again.

/** a UUID of who asks: the request is done once */
export type Id = string;

export type Time = string;

export type Bytes = string;

export type Purpose = 'proximity_offers' | 'face_recognition' | 'preference_prompts' | 'personalised_offers' | 'visit_analytics';

export type Purposes = Record<'proximity_offers' | 'face_recognition' | 'preference_prompts' | 'personalised_offers' | 'visit_analytics', boolean>;

export type SurveyKind = 'nps' | 'csat' | 'ces';

export interface Notice {
  id: string;
  version: string;
  language: string;
}

export interface Me {
  name: string;
  greeting?: string;
  pronunciation?: string;
  language?: string;
  preferences: {
    key: string;
    value: string;
  }[];
  tier?: string;
  points?: number;
  next_reward_points?: number;
  met: 'quietly' | 'by_name';
  /** they wish to be left alone until then */
  not_today_until?: Time;
  purposes: Purposes;
  consents: {
    record_id: string;
    schema_version: string;
    tenant: string;
    customer: string;
    purpose: 'proximity_offers' | 'face_recognition' | 'preference_prompts' | 'personalised_offers' | 'visit_analytics';
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
      state: 'given' | 'withdrawn';
      at: string;
      how: 'app' | 'desk' | 'crm';
    }[];
    expires_at?: string;
    sig?: {
      key: string;
      value: string;
    };
  }[];
  /** the one that a grant refers to */
  notice: Notice;
  devices: {
    device: string;
    name: string;
    since: Time;
    /** to the hour */
    seen_at: Time;
    /** it is the one that asks */
    this: boolean;
  }[];
  /** the newest first */
  passkeys: {
    /** its name here; no browser knows it */
    passkey: string;
    name: string;
    since: Time;
    used_at?: Time;
  }[];
  /** what a desk wrote down in their name and nobody has confirmed; the CRM has signed none of it */
  desk_consents: {
    id: string;
    store: string;
    purposes: Purpose[];
    at: Time;
    expires_at: Time;
  }[];
  /** not there, the company tells nothing while the page is closed */
  push?: {
    /** applicationServerKey, base64url */
    key: string;
    /** this device is told */
    on: boolean;
    shows: boolean;
  };
  /** until then it may export and forget */
  fresh_until: Time;
}

export interface Shown {
  offers: {
    decision: string;
    title: string;
    text: string;
    /** for the till */
    code?: string;
    /** where it was made */
    store?: string;
    at: Time;
    expires_at: Time;
    opened_at?: Time;
    redeemed_at?: Time;
  }[];
  surveys: {
    survey: string;
    survey_kind: SurveyKind;
    question: string;
    at: Time;
    expires_at: Time;
  }[];
}

export interface Erasure {
  asked_at: Time;
  /** when the last box confirmed; null until then */
  done_at: string | null;
  boxes: number;
  done: number;
  /** boxes that were taken out of service; nobody waits for them */
  revoked: number;
  receipts: {
    store: string;
    box: string;
    done_at: string | null;
    revoked_at?: Time;
  }[];
}

export interface Problem {
  type: string;
  title: string;
  status: number;
}

export interface Routes {
  /** Open a one-time link */
  'POST /v1/session': {
    body: {
      /** the token of the link */
      link: string;
      /** what its owner calls it: "iPhone" */
      device?: string;
      /** the device is signed in for somebody else */
      replace?: boolean;
    };
    answer: null;
  };
  /** Sign this device out */
  'DELETE /v1/session': {
    body: undefined;
    answer: null;
  };
  /** A challenge to sign in with a passkey */
  'POST /v1/session/challenge': {
    body: Record<string, unknown>;
    answer: {
      challenge: Bytes;
      host: string;
    };
  };
  /** Sign in with a passkey */
  'POST /v1/session/passkey': {
    body: {
      passkey: Bytes;
      handle: string;
      client_data: Bytes;
      authenticator_data: Bytes;
      signature: Bytes;
      device?: string;
      /** the device is signed in for somebody else */
      replace?: boolean;
    };
    answer: null;
  };
  /** Who this is, what they agreed to, and their devices */
  'GET /v1/me': {
    body: undefined;
    answer: Me;
  };
  /** Give a purpose, or take it back */
  'POST /v1/consents': {
    body: {
      id: Id;
      purpose: Purpose;
      given: boolean;
      notice?: Notice;
      at?: Time;
    };
    answer: {
      consent: {
        record_id: string;
        schema_version: string;
        tenant: string;
        customer: string;
        purpose: 'proximity_offers' | 'face_recognition' | 'preference_prompts' | 'personalised_offers' | 'visit_analytics';
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
          state: 'given' | 'withdrawn';
          at: string;
          how: 'app' | 'desk' | 'crm';
        }[];
        expires_at?: string;
        sig?: {
          key: string;
          value: string;
        };
      };
      purposes: Purposes;
    };
  };
  /** Confirm what a desk wrote down, or say that it is not theirs */
  'POST /v1/desk-consents/{question}': {
    body: {
      confirmed: boolean;
    };
    answer: null;
  };
  /** A code to say at a desk instead */
  'POST /v1/desk-code': {
    body: Record<string, unknown>;
    answer: {
      code: string;
      expires_at: Time;
    };
  };
  /** Offers and questions that are there to see */
  'GET /v1/offers': {
    body: undefined;
    answer: Shown;
  };
  /** What came of an offer */
  'POST /v1/offers/{decision}/{outcome}': {
    body: {
      id: Id;
      at?: Time;
    };
    answer: null;
  };
  /** They complain, and get no offer for a while */
  'POST /v1/complaints': {
    body: {
      id: Id;
      text?: string;
      at?: Time;
    };
    answer: null;
  };
  /** Say how they wish to be met */
  'POST /v1/met': {
    body: {
      id: Id;
      met: 'quietly' | 'by_name' | 'not_today';
      at?: Time;
    };
    answer: null;
  };
  /** Change what is known of them */
  'POST /v1/details': {
    body: {
      id: Id;
      details: {
        greeting?: string;
        pronunciation?: string;
        /** BCP 47 */
        language?: string;
        preferences?: {
          key: string;
          value: string;
        }[];
      };
      at?: Time;
    };
    answer: null;
  };
  /** Answer a question */
  'POST /v1/surveys/{survey}/answer': {
    body: {
      id: Id;
      survey_kind: SurveyKind;
      score: number;
      text?: string;
      at?: Time;
    };
    answer: null;
  };
  /** Do not ask this */
  'POST /v1/surveys/{survey}/dismiss': {
    body: Record<string, unknown>;
    answer: null;
  };
  /** Sign another device of theirs out */
  'DELETE /v1/devices/{device}': {
    body: undefined;
    answer: null;
  };
  /** A challenge for a passkey */
  'POST /v1/passkeys/challenge': {
    body: {
      for: 'create' | 'confirm';
    };
    answer: {
      challenge: Bytes;
      /** the relying party's id */
      host: string;
      /** the ids of those that are there, to be excluded or allowed */
      passkeys: Bytes[];
      /** the user's id, of `create`; random */
      handle?: Bytes;
    };
  };
  /** Add a passkey */
  'POST /v1/passkeys': {
    body: {
      /** what its owner knows it by */
      name?: string;
      client_data: Bytes;
      attestation: Bytes;
    };
    answer: null;
  };
  /** Confirm with a passkey that it is still them */
  'POST /v1/passkeys/confirm': {
    body: {
      passkey: Bytes;
      /** where the authenticator says it */
      handle?: string;
      client_data: Bytes;
      authenticator_data: Bytes;
      signature: Bytes;
    };
    answer: null;
  };
  /** Remove a passkey of theirs */
  'DELETE /v1/passkeys/{passkey}': {
    body: undefined;
    answer: null;
  };
  /** Use another device */
  'POST /v1/link': {
    body: Record<string, unknown>;
    answer: {
      url: string;
      expires_at: Time;
      /** the link as a QR code, row by row: `1` is a dark module */
      qr: string[];
    };
  };
  /** Everything that is held on them */
  'POST /v1/export': {
    body: Record<string, unknown>;
    answer: {
      v: 1;
      customer: string;
      /** their pseudonym in the company's own app */
      app_id: string;
      exported_at: string;
      controller: string;
      /** as in item.profiles.json */
      profile: Record<'customer' | 'name', unknown>;
      /** the regions where the customer is at home; empty: all */
      regions: string[];
      /** as in item.consents.json, with the whole history; `confirmed` of a step says how what a desk wrote down was confirmed: phone, code or witness */
      consents: (Record<'record_id' | 'purpose' | 'history', unknown>)[];
      /** as in item.identities.json */
      identities: (Record<'identity' | 'kind', unknown>)[];
      /** what boxes reported about the customer */
      events: {
        id: string;
        store: string;
        box: string;
        type: string;
        time: string;
        data: Record<string, unknown>;
      }[];
      offers: {
        decision: string;
        campaign: string;
        /** "holdout": nothing was shown */
        variant: string;
        shown_at: string;
        opened_at?: string;
        redeemed_at?: string;
      }[];
      /** what a desk wrote down and the customer has not confirmed yet */
      desk_questions: {
        store: string;
        purpose: string;
        at: string;
        expires_at: string;
      }[];
      survey_answers: {
        kind: 'nps' | 'csat' | 'ces';
        score: number;
        at: string;
      }[];
      /** what the customer asked for on their page */
      app_requests: {
        kind: string;
        at: string;
        body: Record<string, unknown>;
      }[];
      /** the boxes that have the profile because they saw the customer, and on which day they last did; empty where every box has every profile */
      profile_at: {
        store: string;
        box: string;
        seen_on: string;
      }[];
      /** on which they are signed in to their page */
      devices: {
        name: string;
        since: string;
        seen_at: string;
        /** where its browser is told while the page is closed */
        push?: string;
      }[];
      /** with which they confirm that it is them; what head office holds of one besides is its public key */
      passkeys: {
        name: string;
        since: string;
        used_at?: string;
      }[];
      /** offers and questions that their page shows */
      shown: {
        v: 1;
        id: string;
        kind: 'offer' | 'survey';
        decision?: string;
        title?: string;
        text?: string;
        code?: string;
        survey?: string;
        survey_kind?: 'nps' | 'csat' | 'ces';
        question?: string;
        at: string;
        expires_at: string;
      }[];
    };
  };
  /** Tell this device while its page is closed */
  'POST /v1/push': {
    body: {
      /** https, at a push service that the company knows */
      endpoint: string;
      p256dh: string;
      auth: string;
      /** of what the lock screen says */
      language?: string;
      /** the lock screen may show what an offer says */
      shows?: boolean;
    };
    answer: null;
  };
  /** Tell this device no more */
  'DELETE /v1/push': {
    body: undefined;
    answer: null;
  };
  /** Be forgotten */
  'POST /v1/forget': {
    body: Record<string, unknown>;
    answer: {
      token: string;
      /** the page that tells it */
      url: string;
      erasure: Erasure;
    };
  };
  /** How far an erasure is */
  'GET /v1/erasures/{token}': {
    body: undefined;
    answer: Erasure;
  };
}
