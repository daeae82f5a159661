// Light or dark, before the first paint: the reader's own choice if there is one, else the system's.
"use strict";

const CHOICE = "theme";
const THEMES = ["light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    const kept = localStorage.getItem(CHOICE);
    return THEMES.includes(kept) ? kept : null; // the register keeps "auto" for the system's
  } catch {
    return null; // storage is refused: the system decides
  }
}

function apply() {
  const theme = chosen() ?? (system.matches ? "dark" : "light");
  if (document.documentElement.dataset.bsTheme === theme) return;
  document.documentElement.dataset.bsTheme = theme;
  document.dispatchEvent(new CustomEvent("themechange"));
}

function choose(theme) {
  const isSystems = theme === (system.matches ? "dark" : "light");
  try {
    if (isSystems) localStorage.removeItem(CHOICE);
    else localStorage.setItem(CHOICE, theme);
  } catch {
    // Storage is refused: the choice holds for this page.
    document.documentElement.dataset.bsTheme = theme;
    document.dispatchEvent(new CustomEvent("themechange"));
    return;
  }
  apply();
}

apply();
system.addEventListener("change", apply);
window.addEventListener("storage", apply);
document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    choose(document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark");
  });
});
