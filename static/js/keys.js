// The page that shows a key once: it asks before it is left while the key was neither copied nor put away.
// It asks every two seconds for the part of it that says whether the first call has come, until it has.
// On the form before it: a second click sends nothing.
"use strict";

const shown = document.getElementById("key-text");
const LISTEN_MS = 2000;
let safe = !shown;

document.addEventListener("copied", (event) => {
  if (event.target.dataset.copy === "key-text") safe = true;
});
for (const done of document.querySelectorAll("[data-key-done]")) {
  done.addEventListener("click", () => { safe = true; });
}
window.addEventListener("beforeunload", (event) => {
  if (!safe) event.preventDefault();
});

async function listen(place, told) {
  const answer = await fetch(place.dataset.firstCall).catch(() => null);
  const text = answer?.ok && !answer.redirected ? await answer.text() : told;
  if (text !== told) place.innerHTML = text;
  if (!place.querySelector("[data-first-call-done]")) setTimeout(listen, LISTEN_MS, place, text);
}

for (const place of document.querySelectorAll("[data-first-call]")) listen(place, "");

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
// A page that comes back from the browser's history may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) delete form.dataset.sent;
});

// A file that holds the key is made here, of what the page shows: nobody else knows the key's text.
for (const link of document.querySelectorAll("[data-save]")) {
  link.addEventListener("click", () => {
    const text = document.getElementById(link.dataset.save).textContent;
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.href = address;
    setTimeout(() => URL.revokeObjectURL(address), LISTEN_MS);
  });
}
