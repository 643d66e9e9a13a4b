// SPDX-License-Identifier: Apache-2.0
// The page opens without a line: its shell is kept, and nothing of anybody. What the door says (/v1) is never
// seen here. The newest page is shown whenever there is a line.

const kCache = 'welcome-phone';
const kPage = '/phone/';

// The page with all that it refers to; what an older one needed goes.
async function keep(page) {
  const cache = await caches.open(kCache);
  const words = await page.clone().text();
  const assets = [...words.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
  const kept = (await cache.keys()).map(({ url }) => new URL(url).pathname);
  await cache.addAll(assets.filter((path) => !kept.includes(path)));
  await cache.put(kPage, page.clone());
  const scripts = kept.filter((path) => /[.](js|css)$/.test(path));
  await Promise.all(scripts.filter((path) => !words.includes(path)).map((path) => cache.delete(path)));
}

async function page() {
  try {
    const response = await fetch(kPage, { cache: 'no-cache' });
    if (response.ok) await keep(response).catch(() => {});
    return response;
  } catch (noLine) {
    const kept = await caches.match(kPage);
    if (kept) return kept;
    throw noLine;
  }
}

async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(kCache)).put(request, response.clone());
  return response;
}

self.addEventListener('install', (event) => {
  event.waitUntil(fetch(kPage, { cache: 'no-cache' }).then(keep));
  self.skipWaiting();
});
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== 'GET' || origin !== self.location.origin) return;
  if (event.request.mode === 'navigate' && pathname === kPage) event.respondWith(page());
  else if (pathname.startsWith('/assets/')) event.respondWith(asset(event.request));
});
