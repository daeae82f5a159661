// Live numbers: follows the router's load and writes it where the page asks for it. Without it the page keeps
// what was true when it was made.
//   data-live="servers/ID/in_flight"    the number (–: not known)
//   data-live-health="ID"               the badge of a server's health; texts in #health-texts
//   data-live-meter="ID"                <meter> of requests in flight against the limit
//   data-live-if="servers/ID/limit"     shown while there is such a number
//   data-live-away                      shown while the router is away
//   data-live-status                    whether the page is live; its texts in data-live-on and data-live-off
"use strict";

const RETRY_MS = 5000;
const language = document.documentElement.lang;
const healths = JSON.parse(document.getElementById("health-texts")?.textContent ?? "{}");

function write(told) {
  for (const place of document.querySelectorAll("[data-live]")) {
    setText(place, find(told, place.dataset.live)?.toLocaleString(language) ?? "–");
  }
  for (const place of document.querySelectorAll("[data-live-if]")) {
    place.hidden = find(told, place.dataset.liveIf) == null;
  }
  for (const badge of document.querySelectorAll("[data-live-health]")) {
    showHealth(badge, told.servers[badge.dataset.liveHealth]?.health);
  }
  for (const meter of document.querySelectorAll("[data-live-meter]")) {
    showMeter(meter, told.servers[meter.dataset.liveMeter]);
  }
  for (const notice of document.querySelectorAll("[data-live-away]")) notice.hidden = told.router;
  routerIsThere = told.router;
  announce();
}

function find(told, path) {
  return path.split("/").reduce((part, key) => part?.[key], told);
}

function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function showHealth(badge, health) {
  const { label, tone } = healths[health] ?? healths[""];
  badge.className = `status text-nowrap ${tone}`;
  setText(badge.querySelector("[data-live-label]"), label);
}

function showMeter(meter, server) {
  if (!server?.limit) return;
  meter.max = server.limit;
  meter.value = server.in_flight;
}

// Without the router nothing is live, and the notice above says it already.
let routerIsThere = !document.querySelector("[data-live-away]:not([hidden])");
let isConnected = false;

function announce() {
  for (const place of document.querySelectorAll("[data-live-status]")) {
    place.hidden = isConnected && !routerIsThere;
    place.classList.toggle("status-green", isConnected);
    setText(place.querySelector("[data-live-label]"), isConnected ? place.dataset.liveOn : place.dataset.liveOff);
  }
}

function connect(isThere) {
  isConnected = isThere;
  announce();
}

// A hidden page gives its connection back: over HTTP/1.1 a browser has six for the whole site. The browser
// connects again by itself, except after an answer such as 502 while the portal restarts.
let source = null;

function follow() {
  if (document.hidden) return;
  source = new EventSource("/live/");
  source.addEventListener("open", () => connect(true));
  source.addEventListener("message", (event) => write(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    connect(false);
    if (source?.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  });
}

document.addEventListener("visibilitychange", () => {
  source?.close();
  source = null;
  follow();
});
follow();
