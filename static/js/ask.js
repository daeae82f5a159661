// The page that shows a key once asks a question with it, through the interface, and shows the words as they come.
// Question, answer and key are this page's only: nothing is kept.
"use strict";

const LONGEST_MS = 60000;
const IN_FORCE_MS = 5000; // a key that was just made is refused until every router knows it: a second as a rule
const AGAIN_MS = 500;

const opened = performance.now();
const form = document.querySelector("[data-ask]");

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function send(question) {
  return fetch(form.dataset.ask, {
    method: "POST",
    credentials: "omit",
    headers: {
      "authorization": `Bearer ${document.getElementById("key-text").textContent}`,
      "content-type": "application/json",
      "x-ilaas-explain": "1",
    },
    body: JSON.stringify({
      model: form.dataset.model,
      messages: [{ role: "user", content: question }],
      max_tokens: Number(form.dataset.most),
      stream: true,
    }),
    signal: AbortSignal.timeout(LONGEST_MS),
  });
}

async function sent(question) {
  for (;;) {
    const answer = await send(question);
    if (answer.status !== 401 || performance.now() - opened > IN_FORCE_MS) return answer;
    await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
  }
}

// Yields the whole events of a stream, each as the object behind its `data:`.
async function* events(answer) {
  const reader = answer.body.getReader(), decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const data = line.startsWith("data:") ? line.slice(5).trim() : "";
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
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

async function ask(words, status) {
  const texts = form.dataset;
  words.textContent = "";
  status.textContent = texts.asking;
  try {
    const answer = await sent(form.elements.question.value);
    if (!answer.ok) {
      const error = (await answer.json().catch(() => ({}))).error ?? {};
      status.textContent = filled(texts.refused, { status: answer.status, message: error.message ?? "–" });
      return;
    }
    for await (const event of events(answer)) {
      if (event.error) throw new Error(event.error.message);
      words.textContent += event.choices?.[0]?.delta?.content ?? "";
    }
    status.textContent = filled(texts.done, { model: texts.model, site: placeOf(answer) });
  } catch (failure) {
    status.textContent = filled(texts.broken, { message: failure.message });
  }
}

if (form) {
  const button = form.querySelector("button");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    await ask(form.querySelector("[data-words]"), form.querySelector("[data-status]"));
    button.disabled = false;
  });
}
