// Keeps the page in the browser, so that it opens at once and without a network, and shows what the server pushes while
// the page is closed.
//
// A build is kept whole or not at all: every file is checked against the digest that was taken when it was built. It
// waits until the person reloads; until then the open pages go on with the build they began with.

// Filled in by the build (xtask/src/worker.rs): what names it, its files with their digests, and the page's addresses.
const BUILD = "";
const FILES = [];
const ROUTES = [];

const PREFIX = "confab-page-";
const CACHE = PREFIX + BUILD;
// Files of a build before this one, which pages that are still open may ask for.
const OF_A_BUILD = /^\/frontend-[0-9a-f]+\//;

const paths = new Set(FILES.map(([path]) => path));

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(clearUp()));
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

async function keep() {
  try {
    const cache = await caches.open(CACHE);
    await cache.addAll(FILES.map(([path, integrity]) => new Request(path, { integrity })));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

// The build before stays for the pages that were begun with it.
async function clearUp() {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (isRoute(pathname)) event.respondWith(kept("/index.html", request));
  } else if (paths.has(pathname) || OF_A_BUILD.test(pathname)) {
    event.respondWith(kept(pathname, request));
  }
});

function isRoute(pathname) {
  const [first, ...rest] = pathname.slice(1).split("/");
  return ROUTES.includes(first) && (rest.length === 0 || first === "c");
}

// What the server pushes (shared/src/push.rs), unless somebody looks at the page: that tells it by itself.
self.addEventListener("push", (event) => event.waitUntil(tell(event.data?.json())));

async function tell(notice) {
  if (!notice) return;
  const pages = await self.clients.matchAll({ type: "window" });
  if (pages.some((page) => page.focused && isRoute(new URL(page.url).pathname))) return;
  await self.registration.showNotification(notice.title, {
    body: notice.body,
    icon: "/icon-192.png",
    badge: "/icon-192.png",
    // The next one of the conversation takes its place, and the page's own is the same.
    tag: notice.conversation,
    data: { path: `/c/${notice.conversation}/${notice.seq}` },
  });
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data?.path ?? "/"));
});

async function show(path) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((page) => page.visibilityState === "visible") ?? pages[0];
  if (!page) return void (await self.clients.openWindow(path));
  await page.focus();
  page.postMessage({ path });
}

async function kept(path, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? (await caches.match(path)) ?? fetch(request);
}
