// Fields that only matter for one choice: `<div data-with-field="NAME" data-with-value="VALUE">` is there while that
// field of its form has that value. What was refused is always there, so that it can be read and put right.
"use strict";

function matters(place) {
  const form = place.closest("form");
  const { withField: name, withValue: value } = place.dataset;
  const isRefused = place.querySelector("[aria-invalid=true], [role=alert]");
  return isRefused || !form.elements[name] || new FormData(form).getAll(name).includes(value);
}

function showWhatMatters() {
  for (const place of document.querySelectorAll("[data-with-field]")) place.hidden = !matters(place);
}

document.addEventListener("change", showWhatMatters);
// After the browser has put back what was chosen before.
window.addEventListener("pageshow", showWhatMatters);
showWhatMatters();
