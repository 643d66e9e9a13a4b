// SPDX-License-Identifier: Apache-2.0
// Whether this device is told something while the page is closed: the browser is asked, and then the door.

import type { Answer, Ask } from '../shared/door';
import { i18n } from '../shared/i18n';
import { one } from '../shared/read';
import { kNoBellBecause, type Bell, type BellState, type NoBellBecause } from './bell';

export class Telling {
  problem: NoBellBecause | '' = '';
  asking = false;
  #bell: Bell;
  #ask: Ask;
  #changed: () => void;

  constructor(bell: Bell, ask: Ask, changed: () => void) {
    this.#bell = bell;
    this.#ask = ask;
    this.#changed = changed;
  }

  get state(): BellState {
    return this.#bell.state();
  }

  // `key`: the company's; `shows`: with the words of what there is. Both answer whether there was a line; who asked then
  // asks the door how it is now, and what is shown changes at once.
  start(key: string, shows: boolean): Promise<boolean> {
    return this.#try(async () => {
      const where = await this.#bell.ring(key);
      return this.#ask('POST', '/v1/push', { ...where, shows, language: i18n.language });
    });
  }
  stop(): Promise<boolean> {
    return this.#try(async () => {
      const answer = await this.#ask('DELETE', '/v1/push');
      if (answer?.status === 204) await this.#bell.silence().catch(() => undefined);
      return answer;
    });
  }

  async #try(what: () => Promise<Answer | null>): Promise<boolean> {
    this.problem = '';
    this.asking = true;
    this.#changed();
    const answer = await what().catch((error: Error) => error.message);
    this.asking = false;
    const problem = typeof answer === 'string' ? answer : answer?.problem;
    this.problem = one(problem, kNoBellBecause) ?? (problem ? 'failed' : '');
    return answer !== null;
  }
}
