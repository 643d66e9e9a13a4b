// SPDX-License-Identifier: Apache-2.0
// The CRM's door at the origin that served the page (docs/openapi.yaml): requests, and the stream that says
// what has changed. The session is a cookie that no script sees.

import { record, text, type Json } from './read';

export interface Answer {
  status: number;
  body: Json; // {} where there is none
  problem: string; // its name; '' when it went well
}

// The same for who has shown already that there is no line: null, then.
export type Ask = (...asked: Parameters<Door['ask']>) => Promise<Answer | null>;

export interface Stream {
  end(): void;
}

export interface Door {
  // Rejects when there is no line.
  ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Answer>;
  // `onEvent` gets the names of events, 'open' each time that the stream is there (again), and 'lost' when it
  // is not. 'refused': it does not come back by itself.
  listen(path: string, onEvent: (name: string) => void): Stream;
}

const kProblem = 'urn:welcomed:problem:';
const kEvents = ['consents', 'offers', 'devices', 'passkeys', 'profile', 'erasure', 'ended'];

export const door: Door = {
  async ask(method, path, body) {
    const response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      ...(method === 'POST'
        ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) }
        : {}),
    });
    return read(response.status, await response.text());
  },

  listen(path, onEvent) {
    const source = new EventSource(path);
    source.onopen = () => onEvent('open');
    source.onerror = () => onEvent(source.readyState === EventSource.CLOSED ? 'refused' : 'lost');
    for (const name of kEvents) source.addEventListener(name, () => onEvent(name));
    return { end: () => source.close() };
  },
};

// A proxy that cannot reach the door answers with a page of its own.
function read(status: number, words: string): Answer {
  let body: Json = {};
  try {
    body = record(JSON.parse(words)) ?? {};
  } catch {
    // none
  }
  const type = text(body.type, 100);
  if (status < 400) return { status, body, problem: '' };
  return { status, body, problem: type.startsWith(kProblem) ? type.slice(kProblem.length) : 'unavailable' };
}
