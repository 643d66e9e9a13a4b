// SPDX-License-Identifier: Apache-2.0
// The page's worker: shows what is pushed while the page is closed, and has the page itself, without any of
// its data, for when there is no line. What the door answers is never kept.

import { record, text } from '../shared/read';
import { noticeWords } from './notice-words';

// TypeScript knows either a page or a worker; of the worker this is what is used here.
interface Later extends Event {
  waitUntil(what: Promise<unknown>): void;
}
interface Pushed extends Later {
  data: { text(): string } | null;
}
interface Tapped extends Later {
  notification: Notification;
}
interface Fetching extends Later {
  request: Request;
  respondWith(what: Promise<Response>): void;
}
interface Page {
  url: string;
  focus(): Promise<unknown>;
}
interface Worker {
  registration: ServiceWorkerRegistration;
  clients: {
    matchAll(how: object): Promise<Page[]>;
    openWindow(url: string): Promise<unknown>;
    claim(): Promise<void>;
  };
  skipWaiting(): Promise<void>;
  addEventListener<What extends Event>(name: string, what: (event: What) => void): void;
}
const worker = self as unknown as Worker;

const kShell = 'welcome.shell';
const kPage = new URL('./', location.href).pathname; // /phone/
const kAssets = '/assets/';

// ---- without a line ----

// The page with all that it refers to; what an older one wanted goes.
async function keepPage(answer: Response): Promise<void> {
  const cache = await caches.open(kShell);
  const page = await answer.clone().text();
  const wanted = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
  const kept = (await cache.keys()).map(({ url }) => new URL(url).pathname);
  await cache.addAll(wanted.filter((path) => !kept.includes(path)));
  await cache.put(kPage, answer);
  const older = kept.filter((path) => /\.(js|css)$/.test(path) && !page.includes(path));
  await Promise.all(older.map((path) => cache.delete(path)));
}

async function open(): Promise<Response> {
  try {
    const answer = await fetch(kPage, { cache: 'no-cache' });
    if (answer.ok) await keepPage(answer.clone()).catch(() => undefined);
    return answer;
  } catch (error) {
    const kept = await (await caches.open(kShell)).match(kPage);
    if (kept) return kept;
    throw error;
  }
}

// Its name says its content.
async function asset(request: Request): Promise<Response> {
  const cache = await caches.open(kShell);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

worker.addEventListener<Later>('install', (event) => {
  event.waitUntil(fetch(kPage, { cache: 'no-cache' }).then(keepPage));
  void worker.skipWaiting();
});
worker.addEventListener<Later>('activate', (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener<Fetching>('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (origin !== location.origin || event.request.method !== 'GET') return;
  if (event.request.mode === 'navigate' && pathname === kPage) event.respondWith(open());
  else if (pathname.startsWith(kAssets)) event.respondWith(asset(event.request));
});

// ---- what is pushed ----

async function show(pushed: string): Promise<void> {
  let said = null;
  try {
    said = record(JSON.parse(pushed));
  } catch {
    // Something has come, and a browser wants it shown.
  }
  const language = text(said?.language, 8);
  const words = noticeWords(language);
  const survey = said?.kind === 'survey';
  const title = text(said?.title, 200) || (survey ? words.survey : words.offer);
  await worker.registration.showNotification(title, {
    body: text(said?.text, 500) || text(said?.question, 500) || words.look,
    tag: text(said?.id, 64), // the same again takes its place
    lang: language || 'en',
    dir: 'auto',
    icon: `${kPage}icon-192.png`,
    badge: `${kPage}badge.png`,
  });
}

worker.addEventListener<Pushed>('push', (event) => event.waitUntil(show(event.data?.text() ?? '')));
worker.addEventListener<Tapped>('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(
    worker.clients.matchAll({ type: 'window', includeUncontrolled: true }).then((pages) => {
      const mine = pages.find(({ url }) => new URL(url).pathname === kPage);
      return mine ? mine.focus() : worker.clients.openWindow(kPage);
    }),
  );
});
