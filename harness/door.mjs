// SPDX-License-Identifier: Apache-2.0
// A customer's device as the CRM's door sees one: it opens a link, keeps the cookie, asks and listens.

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';

const kAnHourLater = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
db.execute("UPDATE door_session SET linked_at = '2026-01-01T00:00:00.000Z'")
db.commit()`;

// As if every link had been opened, and every passkey used, an hour ago. For tests.
export function anHourLater(database) {
  execFileSync('/usr/bin/python3', ['-c', kAnHourLater, database]);
}

export class Device {
  cookie = '';

  // `base`: where the door is; `origin`: the page's.
  constructor(base, origin = base) {
    Object.assign(this, { base, origin });
  }

  // The link as `welcome-crm link` prints it.
  static async signedIn(base, url, name = 'Phone') {
    const device = new Device(base, new URL(url).origin);
    const { status, body } = await device.open(url, { device: name });
    if (status !== 204) throw new Error(`the link does not open: ${JSON.stringify(body)}`);
    return device;
  }

  open(url, more = {}) {
    return this.ask('POST', '/v1/session', { link: url.split('#link=')[1], ...more });
  }

  // { status, body, headers }; body is the parsed JSON, or null.
  async ask(method, path, body, headers = {}) {
    const response = await fetch(this.base + path, {
      method,
      headers: {
        ...(this.cookie ? { cookie: this.cookie } : {}),
        ...(method === 'GET' ? {} : { origin: this.origin, 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const cookie = response.headers.get('set-cookie');
    if (cookie) this.cookie = cookie.includes('Max-Age=0') ? '' : cookie.split(';')[0];
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null, headers: response.headers };
  }

  choose(purpose, given) {
    return this.ask('POST', '/v1/consents', { id: randomUUID(), purpose, given });
  }

  // The names of events as they come, until `end()`; `on` is called with each.
  async listen(path = '/v1/events', on = () => {}) {
    const stop = new AbortController();
    const response = await fetch(this.base + path, {
      headers: this.cookie ? { cookie: this.cookie } : {},
      signal: stop.signal,
    });
    if (response.status !== 200) throw new Error(`no stream: ${response.status}`);
    const heard = { events: [], closed: false, end: () => stop.abort(), response };
    heard.over = (async () => {
      const decoder = new TextDecoder();
      let rest = '';
      try {
        for await (const bytes of response.body) {
          const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
          rest = lines.pop();
          for (const line of lines) {
            if (!line.startsWith('event: ')) continue;
            heard.events.push(line.slice(7));
            on(line.slice(7));
          }
        }
      } catch {
        // ended, by either side
      }
      heard.closed = true;
    })();
    return heard;
  }
}
