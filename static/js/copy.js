// Copy buttons: `<button data-copy="ID">` puts the text of that element on the clipboard and says so.
"use strict";

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No permission, or a page without TLS: the selection is what the person copies.
    select(source);
    if (!document.execCommand("copy")) return;
  }
  say(button);
  button.dispatchEvent(new CustomEvent("copied", { bubbles: true }));
}

function select(source) {
  if (source.select) return source.select();
  getSelection().selectAllChildren(source);
}

function say(button) {
  const status = button.querySelector("[data-copy-status]");
  status.textContent = button.dataset.copied;
  setTimeout(() => { status.textContent = button.dataset.label; }, 2000);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
