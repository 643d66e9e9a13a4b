// SPDX-License-Identifier: Apache-2.0
// To use a passkey: a challenge from the door, the browser's dialog, and what came of it. What follows from that is the
// phone's.

import type { Answer, Ask } from '../shared/door';
import { one, type Json } from '../shared/read';
import { kNoKeyBecause, type Keys, type NoKeyBecause } from './keys';

// Where the door gives a challenge, what it is asked for, and where it takes the answer.
interface Way {
  challenge: string;
  asks: Json;
  answer: string;
}
const kWays = {
  create: { challenge: '/v1/passkeys/challenge', asks: { for: 'create' }, answer: '/v1/passkeys' },
  confirm: { challenge: '/v1/passkeys/challenge', asks: { for: 'confirm' }, answer: '/v1/passkeys/confirm' },
  enter: { challenge: '/v1/session/challenge', asks: {}, answer: '/v1/session/passkey' },
} satisfies Record<string, Way>;

export class Keyring {
  problem: NoKeyBecause | '' = ''; // why nothing came of the last one
  asking = false; // the browser shows its own dialog
  #keys: Keys;
  #ask: Ask;
  #changed: () => void;

  constructor(keys: Keys, ask: Ask, changed: () => void) {
    this.#keys = keys;
    this.#ask = ask;
    this.#changed = changed;
  }

  // Whether this browser knows passkeys.
  get there(): boolean {
    return this.#keys.there;
  }

  // Each answers what the door said, or the problem that the browser has; null: there is no line.
  create(who: string, device: string) {
    return this.#by(kWays.create, (asked) => this.#keys.create(asked, who), { name: device });
  }
  confirm() {
    return this.#by(kWays.confirm, (asked) => this.#keys.use(asked));
  }
  enter(device: string) {
    return this.#by(kWays.enter, (asked) => this.#keys.use(asked), { device });
  }

  // Whether that is about a passkey.
  refused(problem: string | undefined): boolean {
    const why = one(problem, kNoKeyBecause);
    if (why) this.problem = why;
    return why !== null;
  }

  async #by(way: Way, browser: (asked: Json) => Promise<Json>, more: Json = {}): Promise<Answer | null> {
    this.problem = '';
    this.asking = true;
    this.#changed();
    try {
      const asked = await this.#ask('POST', way.challenge, way.asks);
      if (asked?.status !== 200) return asked;
      const said = await browser(asked.body).catch((error: Error) => error);
      if (said instanceof Error) return { status: 0, body: {}, problem: said.message };
      return await this.#ask('POST', way.answer, { ...said, ...more });
    } finally {
      this.asking = false;
      this.#changed();
    }
  }
}
