// The doctor's last line: a short call through the interface, made here, with the key that only this page still has.
// It shows how the answer came and what was told of it, never what it says.
"use strict";

const LONGEST_MS = 60000;
// What is often copied with a key; the server leaves the same away.
const PASTED = /^["']?(?:authorization:\s*)?(?:bearer\s+)?(.*?)["']?$/is;

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function say(line, verdict, text, id) {
  for (const mark of line.querySelectorAll("[data-verdict]")) mark.hidden = mark.dataset.verdict !== verdict;
  line.querySelector("[data-said]").textContent = text;
  line.querySelector("[data-id]").textContent = id ? filled(line.dataset.request, { id }) : "";
}

// What a stream says of itself: a server that fails after its first words can only say so inside.
function errorIn(text) {
  for (const event of text.split("\n")) {
    if (!event.startsWith("data:") || !event.includes('"error"')) continue;
    try {
      const error = JSON.parse(event.slice(5)).error;
      if (error) return error.message;
    } catch { /* half an event is no error */ }
  }
  return "";
}

async function read(answer) {
  const reader = answer.body.getReader(), decoder = new TextDecoder();
  let text = "", first = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text, first };
    first ||= performance.now();
    text += decoder.decode(value, { stream: true });
  }
}

function placeOf(answer) {
  try {
    const told = JSON.parse(answer.headers.get("x-ilaas-explain"));
    return `${told.site} (${told.institution})`;
  } catch {
    return "–";
  }
}

async function call(line, key) {
  const texts = line.dataset, began = performance.now();
  say(line, "asking", texts.asking);
  try {
    const answer = await fetch(texts.call, {
      method: "POST",
      credentials: "omit",
      headers: { "authorization": `Bearer ${key}`, "content-type": "application/json", "x-ilaas-explain": "1" },
      body: texts.body,
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    const id = answer.headers.get("x-request-id");
    if (!answer.ok) {
      const error = (await answer.json().catch(() => ({}))).error ?? {};
      const values = { status: answer.status, code: error.code ?? error.type ?? "–", message: error.message ?? "–" };
      return say(line, "failed", filled(texts.refused, values), id);
    }
    const { text, first } = await read(answer);
    const message = errorIn(text);
    if (message || !text) return say(line, "failed", filled(texts.broken, { message: message || "–" }), id);
    const values = {
      model: JSON.parse(texts.body).model,
      site: placeOf(answer),
      first: Math.round(first - began),
      total: Math.round(performance.now() - began),
    };
    return say(line, "ok", filled(texts.ok, values), id);
  } catch {
    return say(line, "failed", texts.unreachable);
  }
}

const form = document.querySelector("[data-doctor]");

form.addEventListener("htmx:afterSwap", tryIt);
document.getElementById("findings").addEventListener("htmx:afterSwap", tryIt);

function tryIt() {
  const line = document.querySelector("[data-call]:not([data-tried])");
  if (!line) return;
  line.dataset.tried = "yes";
  call(line, PASTED.exec(form.elements.key.value.trim())[1]);
}
