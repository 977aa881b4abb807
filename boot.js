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
  retry.addEventListener("click", () => location.reload());
  text.after(retry);
}

if (typeof WebAssembly !== "object") {
  fail("This browser is too old for Confab. Please update it, or use another one.");
} else {
  try {
    const page = await import(tag.dataset.js);
    await page.default({ module_or_path: tag.dataset.wasm });
    document.getElementById("boot").remove();
  } catch (error) {
    console.error(error);
    fail("Confab could not be loaded. Please check your connection.");
  }
}
