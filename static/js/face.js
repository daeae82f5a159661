// Small help for keyboards and screen readers, on every page.
"use strict";

// A table wider than its frame can be scrolled by keyboard, and says what it is. Its caption names it.
function openFrames() {
  for (const frame of document.querySelectorAll(".table-responsive")) {
    const scrolls = frame.scrollWidth > frame.clientWidth || frame.scrollHeight > frame.clientHeight;
    const name = frame.querySelector("caption")?.textContent.trim();
    frame.removeAttribute("tabindex");
    if (!scrolls) continue;
    frame.tabIndex = 0;
    if (name) {
      frame.setAttribute("role", "region");
      frame.setAttribute("aria-label", name);
    }
  }
}

// After a form was refused, reading goes on at the list of what is wrong.
document.querySelector("[data-focus]")?.focus();
openFrames();
window.addEventListener("resize", openFrames);
document.addEventListener("htmx:afterSettle", openFrames);
document.addEventListener("toggle", openFrames, true);
