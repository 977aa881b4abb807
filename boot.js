// Starts the page: loads the WebAssembly that trunk named in this script's tag, and says what to do if
// that fails.

// How the page is to look, before it is there (frontend/src/state/setting.rs).
for (const name of ["theme", "density", "size"]) {
  try {
    const value = localStorage.getItem(`confab-${name}`);
    if (value) document.documentElement.dataset[name] = value;
  } catch {
    // A browser that keeps nothing.
  }
}

const tag = document.querySelector("script[data-wasm]");
const text = document.querySelector("#boot .boot__text");

function fail(message) {
  text.textContent = message;
  const retry = document.createElement("button");
  retry.type = "button";
  retry.className = "button";
  retry.textContent = "Try again";
  retry.addEventListener("click", () => void again());
  text.after(retry);
}

// What keeps the page in the browser, if anything does.
async function keeper() {
  return navigator.serviceWorker?.getRegistration().catch(() => {});
}

// A build that stays in the browser and does not start is left for the next one, if there is one.
async function again() {
  const registration = await keeper();
  await registration?.update().catch(() => {});
  const next = registration?.installing ?? registration?.waiting;
  if (!next) return location.reload();
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
  const takeOver = () => next.state === "installed" && next.postMessage("take over");
  next.addEventListener("statechange", () => (next.state === "redundant" ? location.reload() : takeOver()));
  takeOver();
}

// Keeps the page in the browser (worker.js), where that is possible: over HTTPS, and from the own machine. Tells the page
// when another build is ready, and changes to it when the page says so.
async function stay(worker) {
  const workers = navigator.serviceWorker;
  if (!workers) return fetchRest();
  try {
    const registration = await workers.register(worker, { updateViaCache: "none" });
    const tell = () => {
      document.documentElement.dataset.renewed = "";
      dispatchEvent(new Event("confab-renewed"));
    };
    const look = () => {
      // The first of all is no other build.
      if (registration.waiting && workers.controller) tell();
    };
    const follow = () => {
      look();
      registration.installing?.addEventListener("statechange", look);
    };
    follow();
    registration.addEventListener("updatefound", follow);
    workers.addEventListener("message", (event) => {
      if (typeof event.data?.path !== "string") return;
      history.pushState(null, "", event.data.path);
      dispatchEvent(new PopStateEvent("popstate"));
    });
    let isReloading = false;
    const reload = () => {
      if (!isReloading) location.reload();
      isReloading = true;
    };
    let isWanted = false;
    workers.addEventListener("controllerchange", () => (isWanted ? reload() : tell()));
    addEventListener("confab-renew", () => {
      isWanted = true;
      if (registration.waiting) registration.waiting.postMessage("take over");
      else reload();
    });
    // A server that is back may be another one; one that is away is asked another time.
    addEventListener("confab-connected", () => registration.update().catch(() => {}));
    setInterval(() => registration.update().catch(() => {}), 60 * 60 * 1000);
  } catch (error) {
    console.warn("The page is not kept for when there is no network.", error);
  }
}

// Whoever has signed out is told nothing more here; the page may say so as soon as it starts.
addEventListener("confab-left", () => void leave());

async function leave() {
  try {
    const registration = await keeper();
    const subscription = await registration?.pushManager?.getSubscription();
    await subscription?.unsubscribe();
    for (const shown of (await registration?.getNotifications?.()) ?? []) shown.close();
  } catch (error) {
    console.warn("This browser may still be told of messages.", error);
  }
}

// Fetches what is not needed yet, so that nobody waits for it later.
function fetchRest() {
  for (const path of tag.dataset.parts.split(" ")) {
    const link = document.createElement("link");
    Object.assign(link, { rel: "prefetch", href: path, as: "fetch", crossOrigin: "anonymous" });
    document.head.append(link);
  }
}

if (typeof WebAssembly !== "object") {
  fail("This browser is too old for Confab. Please update it, or use another one.");
} else {
  try {
    const page = await import(tag.dataset.js);
    await page.default({ module_or_path: tag.dataset.wasm });
    document.getElementById("boot").remove();
    // What the first screen asks for comes first.
    const whenIdle = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 1000));
    if (tag.dataset.worker) whenIdle(() => void stay(tag.dataset.worker), { timeout: 3000 });
  } catch (error) {
    console.error(error);
    fail("Confab could not be loaded. Please check your connection.");
  }
}
