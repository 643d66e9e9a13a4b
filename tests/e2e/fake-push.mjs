// SPDX-License-Identifier: Apache-2.0
// A push service, and what a browser has of it: no test can reach the real ones.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createECDH, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import ece from 'http_ece';

// A browser's maker, as far as a sender sees it.
export class FakePushService {
  got = [];
  status = 201;
  #waiting = [];

  constructor(dir) {
    this.key = path.join(dir, 'push.key');
    this.certificate = path.join(dir, 'push.crt');
    execFileSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
      ...['-keyout', this.key, '-out', this.certificate],
    ]);
  }
  async open(port = 0) {
    const tls = { key: readFileSync(this.key), cert: readFileSync(this.certificate) };
    this.server = https.createServer(tls, (request, response) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts);
        this.got.push({ method: request.method, path: request.url, headers: request.headers, body });
        response.writeHead(this.status).end();
        this.#waiting.splice(0).forEach((wake) => wake());
      });
    });
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
  }
  // The next message that comes, or that came already.
  async next(timeoutMs = 30000) {
    for (const end = AbortSignal.timeout(timeoutMs); this.got.length === 0; )
      await new Promise((wake, fail) => {
        this.#waiting.push(wake);
        end.onabort = () => fail(new Error('nothing comes to the push service'));
      });
    return this.got.shift();
  }
  async close() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

// What a browser makes for one page.
export class FakeBrowser {
  #key = createECDH('prime256v1');
  #secret = randomBytes(16);

  constructor(service, name) {
    this.#key.generateKeys();
    this.subscription = {
      endpoint: `https://localhost:${service.port}/push/${name}`,
      p256dh: this.#key.getPublicKey('base64url'),
      auth: this.#secret.toString('base64url'),
    };
  }
  read({ body, headers }) {
    assert.equal(headers['content-encoding'], 'aes128gcm');
    const plain = ece.decrypt(body, {
      version: 'aes128gcm',
      privateKey: this.#key,
      authSecret: this.#secret.toString('base64url'),
    });
    return JSON.parse(plain.toString());
  }
}
