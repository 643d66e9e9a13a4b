// SPDX-License-Identifier: Apache-2.0
// Whoever is signed in here: what the CRM has of them, with what they said since and is on its way on top. Nothing is
// asked or sent from here. Once they have left, the phone has another one of these: nothing of them is left to it, and
// an answer that comes too late is told to one that nobody shows.

import {
  kItemConsentsPurpose as kPurposes,
  type DoorRequestMet,
  type ItemConsentsPurpose as Purpose,
  type Unread,
} from '../contract';
import type { Answer } from '../shared/door';
import { list, record, text, type Json } from '../shared/read';
import type { LinkCode } from './code';
import { saidOfMet } from './details';
import {
  readDeskConsent,
  readDetails,
  readDevice,
  readMet,
  readOffer,
  readPasskey,
  readPush,
  readReceipt,
  readStanding,
  readSurvey,
  type DeskConsent,
  type Details,
  type DeviceView,
  type Met,
  type Notice,
  type Offer,
  type PasskeyView,
  type PushView,
  type Receipt,
  type Standing,
  type Survey,
} from './shown';

// What is still to be said, in order.
export interface Queued {
  id: string;
  path: string;
  body: Json;
}

export type Choices = Partial<Record<Purpose, boolean>>;

export const offerPath = ({ decision }: Offer, what: 'opened' | 'dismissed' | 'redeemed') =>
  `/v1/offers/${encodeURIComponent(decision)}/${what}`;
export const surveyPath = ({ id }: Survey, what: 'answer' | 'dismiss') =>
  `/v1/surveys/${encodeURIComponent(id)}/${what}`;

const kOffersMax = 50;
const kSurveysMax = 10;
const kDeskConsentsMax = 10;

export class Customer {
  name = '';
  device = ''; // that is signed in here
  offers: Offer[] = [];
  surveys: Survey[] = [];
  receipts: Receipt[] = [];
  devices: DeviceView[] = [];
  passkeys: PasskeyView[] = [];
  push: PushView | null = null;
  deskConsents: DeskConsent[] = [];
  deskCode: { code: string; expiresAt: number } | null = null; // to be said at a desk
  choices: Choices | null = null;
  notice: Notice = { id: 'pledge', version: '1' };
  met: Met | null = null; // as the CRM has it
  details: Details | null = null;
  standing: Standing | null = null;
  read: Json | null = null; // everything that is held on them, while it is shown
  link: LinkCode | null = null; // for another device, while it is shown
  outbox: Queued[] = [];

  // What they want: what was confirmed, with what is still on its way on top.
  wanted(purpose: Purpose): boolean {
    const pending = this.pending(purpose);
    return pending ? pending.body.given === true : this.choices?.[purpose] === true;
  }
  pending(purpose: Purpose): Queued | undefined {
    return this.#waiting('/v1/consents')
      .filter(({ body }) => body.purpose === purpose)
      .pop();
  }

  // ---- what the door says ----

  onMe(json: Json) {
    this.name = text(json.name, 120);
    this.#onPurposes(json.purposes);
    this.met = this.#waiting('/v1/met').reduce(
      (met, { body }) => saidOfMet(met, body.met as DoorRequestMet),
      readMet(json),
    );
    this.standing = readStanding(json);
    if (this.#waiting('/v1/details').length === 0) this.details = readDetails(json);
    this.receipts = list(json.consents, readReceipt);
    this.devices = list(json.devices, readDevice);
    this.passkeys = list(json.passkeys, readPasskey);
    this.push = readPush(json.push);
    this.deskConsents = list(json.desk_consents, readDeskConsent, kDeskConsentsMax);
    const notice: Unread<Notice> | null = record(json.notice);
    const id = text(notice?.id, 128);
    const version = text(notice?.version, 32);
    if (id && version) this.notice = { id, version };
  }

  // What was tapped and is still on its way stays tapped.
  onOffers(json: Json) {
    const said = (path: string) => this.#waiting(path).length > 0;
    this.offers = list(json.offers, readOffer, kOffersMax).filter(
      (offer) => !said(offerPath(offer, 'dismissed')),
    );
    for (const offer of this.offers) {
      offer.opened ||= said(offerPath(offer, 'opened'));
      offer.redeemed ||= said(offerPath(offer, 'redeemed'));
    }
    this.surveys = list(json.surveys, readSurvey, kSurveysMax).filter(
      (survey) => !said(surveyPath(survey, 'answer')) && !said(surveyPath(survey, 'dismiss')),
    );
  }

  // It took that, or never will.
  onSaid(said: Queued, { status, body }: Answer) {
    this.outbox = this.outbox.filter((one) => one !== said);
    const receipt = status === 200 ? readReceipt(body.consent) : null;
    if (!receipt) return;
    this.#onPurposes(body.purposes);
    this.receipts = [receipt, ...this.receipts.filter(({ record }) => record !== receipt.record)];
  }

  #onPurposes(json: unknown) {
    const purposes = record(json) ?? {};
    this.choices = {};
    for (const purpose of kPurposes) this.choices[purpose] = purposes[purpose] === true;
  }

  #waiting(where: string): Queued[] {
    return this.outbox.filter(({ path }) => path === where);
  }
}
