/* Keeps the verifier whole on the device, so that it opens without a network. EDITION is put before this by the node:
   {name, addresses, pages}. Nothing but this edition's own files is kept or answered here. */

/* global EDITION */

const PREFIX = "hutong-verifier-app-";
const CACHE = PREFIX + EDITION.name;

self.addEventListener("install", (event) => {
  event.waitUntil(keepEdition().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const address = addressOf(event.request);
  if (address !== null) event.respondWith(answer(event.request, address));
});

async function keepEdition() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    EDITION.addresses.map(async (address) => {
      if (await cache.match(address)) return; // kept for the page in the other language
      // Without credentials: what is kept must not be one person's page.
      const response = await fetch(address, { cache: "reload", credentials: "omit" });
      if (!response.ok || response.redirected) throw new Error(`${address} was not served`);
      await cache.put(address, response);
    }),
  );
}

async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
}

/** The kept address that a request means, or null; a page is one page whatever its query. */
function addressOf(request) {
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return null;
  if (EDITION.pages.includes(url.pathname)) return url.pathname;
  const address = url.pathname + url.search;
  return EDITION.addresses.includes(address) ? address : null;
}

async function answer(request, address) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}
