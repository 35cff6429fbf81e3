// Card fields live in the gateway's own frame, on the gateway's origin. This script only asks that frame for a token.
// Without it, or without the frame, the form goes off with an empty token and the payer enters the card on the gateway's page.
"use strict";

(() => {
  const ANSWER_MS_MAX = 15000;
  const FRAME_PX_MAX = 1200;
  const form = document.getElementById("checkout");
  const holder = document.getElementById("card-frame");
  const problem = document.getElementById("problem");
  const button = form.querySelector("button[type=submit]");
  const label = button.textContent;
  const frameOrigin = form.dataset.frameOrigin;
  const channel = form.dataset.channel; // what the types of this gateway's messages begin with

  const frame = document.createElement("iframe");
  frame.height = 248;

  let deadline = 0;
  let isReady = false;

  const show = (message) => {
    problem.textContent = message;
    problem.hidden = !message;
  };

  const rest = (message) => {
    clearTimeout(deadline);
    deadline = 0;
    button.disabled = false;
    button.textContent = label;
    show(message);
  };

  const check = (input, message) => {
    const bad = !input.validity.valid || (input.required && !input.value.trim());
    const note = document.getElementById(`${input.id}-note`);
    if (bad) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    note.textContent = bad ? message : note.dataset.hint || "";
    note.classList.toggle("bad", bad);
    return !bad;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (deadline) return;
    const messages = { email: form.dataset.fixEmail, name: form.dataset.fixName };
    const wrong = [...form.elements].filter((input) => document.getElementById(`${input.id}-note`)
      && !check(input, messages[input.name] || form.dataset.fixRequired));
    if (wrong.length) {
      wrong[0].focus();
      return;
    }
    if (!isReady || form.elements.method.value !== "card") { // the other ways to pay go on at the gateway's page
      form.submit();
      return;
    }
    button.disabled = true;
    button.textContent = form.dataset.working;
    show("");
    deadline = setTimeout(() => rest(form.dataset.frameFailed), ANSWER_MS_MAX);
    frame.contentWindow.postMessage({ type: `${channel}-submit` }, frameOrigin);
  });

  window.addEventListener("message", (event) => {
    if (event.origin !== frameOrigin || event.source !== frame.contentWindow || !event.data) return;
    const { type, token, height } = event.data;
    if (type === `${channel}-ready`) isReady = true;
    if (type === `${channel}-resize` && height > 0 && height <= FRAME_PX_MAX) frame.height = height;
    if (type === `${channel}-enter`) form.requestSubmit();
    if (type === `${channel}-error` && deadline) rest("");
    if (type === `${channel}-token` && typeof token === "string" && deadline) {
      clearTimeout(deadline);
      form.elements.payment_token.value = token;
      form.submit();
    }
  });

  if (holder) { // a gateway without a frame takes the card on its own page
    frame.title = holder.dataset.title;
    frame.src = holder.dataset.src; // once somebody listens
    holder.append(frame);
    holder.hidden = false;
  }

  // A page that comes back from the browser's cache must not hold a spent token or a dead button.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    form.elements.payment_token.value = "";
    rest("");
  });
})();
