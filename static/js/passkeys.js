// Says on the page that a passkey was not used; its own words are for programmers.
"use strict";

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const told = document.querySelector("[data-passkey-error]");
  if (told) told.hidden = false;
});
