// SPDX-License-Identifier: Apache-2.0
// The CRM's door (docs/openapi.yaml) for an app: one request is one call, typed by the document. A browser keeps
// the session, and shows it to nobody. Where an answer's cookie can be read (node, native code) this keeps it,
// and tells the platform not to send it a second time; put `session` into the phone's key store.

import type { Problem, Routes } from './door_types.ts';

type Name = Extract<keyof Routes, string>;
type Places<Path extends string> = Path extends `${string}{${infer Place}}${infer Rest}`
  ? Place | Places<Rest>
  : never;
type Without<T> = { [K in keyof T as T[K] extends undefined ? never : K]: T[K] };
/** What a request is asked with: the words of its path, and its `body` where it has one. */
export type Asked<R extends Name> = Record<Places<R>, string> & Without<{ body: Routes[R]['body'] }>;

/** The door said no. `name` of the problem says why: `step-up-needed`, `signed-out`, … */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: string,
    title: string,
  ) {
    super(title);
    this.name = 'Refused';
  }
}

export interface DoorOptions {
  /** where the door is: `https://welcome.example` */
  base: string;
  /** that of the company's page, which may be elsewhere; a browser says it by itself */
  origin?: string;
  /** as `session` was the last time */
  session?: string;
}

export class Door {
  /** The cookie of this phone's session; empty: signed out. */
  session: string;
  readonly #base: string;
  readonly #origin: string;

  constructor({ base, origin = base, session = '' }: DoorOptions) {
    this.#base = base.replace(/\/$/, '');
    this.#origin = origin;
    this.session = session;
  }

  /** Opens a one-time link, as it was scanned. */
  async open(link: string, device?: string): Promise<void> {
    const token = new URL(link).hash.match(/^#link=([\w-]+)$/)?.[1];
    if (!token) throw new RangeError('not a link of this door');
    await this.ask('POST /v1/session', { body: { link: token, ...(device ? { device } : {}) } });
  }

  /** Throws `Refused`, or what fetch throws where there is no line: ask again then, with the same `id`. */
  async ask<R extends Name>(
    route: R,
    ...[asked]: keyof Asked<R> extends never ? [] : [asked: Asked<R>]
  ): Promise<Routes[R]['answer']> {
    const { body, ...places } = (asked ?? {}) as Record<string, unknown>;
    const [method, pattern] = route.split(' ') as [string, string];
    const path = pattern.replace(/\{(\w+)\}/g, (_, place: string) =>
      encodeURIComponent(String(places[place])),
    );
    const response = await fetch(this.#base + path, {
      method,
      ...this.#as(method === 'GET' ? {} : { origin: this.#origin, 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const cookie = response.headers.get('set-cookie');
    if (cookie) this.session = /max-age=0/i.test(cookie) ? '' : cookie.split(';')[0]!;
    const text = await response.text();
    if (!response.ok) throw refusal(response.status, text);
    return (text ? JSON.parse(text) : null) as Routes[R]['answer'];
  }

  #as(headers: Record<string, string>): Pick<RequestInit, 'credentials' | 'headers'> {
    return this.session
      ? { credentials: 'omit', headers: { ...headers, cookie: this.session } }
      : { credentials: 'include', headers };
  }

  /** Says what to ask for again (`offers`, `consents`, …) until the stream ends; then begin again, later each time. */
  async *changes(signal: AbortSignal): AsyncGenerator<string, void> {
    const response = await fetch(`${this.#base}/v1/events`, {
      ...this.#as({}),
      signal,
    });
    if (!response.ok) throw refusal(response.status, await response.text());
    if (!response.body) throw new TypeError('this fetch has no streams');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const lines = (rest + value).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line.startsWith('event: ')) yield line.slice(7);
      }
    } finally {
      await reader.cancel().catch(() => {}); // who stops listening lets go of the line
    }
  }
}

function refusal(status: number, text: string): Refused {
  try {
    const { type, title } = JSON.parse(text) as Problem;
    return new Refused(status, type.replace(/^urn:welcomed:problem:/, ''), title);
  } catch {
    return new Refused(status, 'unreadable', `the door said ${status}`); // a proxy before it, say
  }
}
