// The frame's side of the conversation with the page around it. That page is one known origin, and it never sees a card.
//   in:  {type: "meridian-sandbox-submit"}
//   out: {type: "meridian-sandbox-ready"}, {type: "meridian-sandbox-resize", height}, {type: "meridian-sandbox-enter"},
//        {type: "meridian-sandbox-token", token, brand, last4}, {type: "meridian-sandbox-error", field, code, message}
"use strict";
(() => {
  const form = document.getElementById("card");
  const { account, parent, action } = form.dataset;
  let isBusy = false;

  const tell = (message) => { if (window.parent !== window) window.parent.postMessage(message, parent); };

  const clear = () => {
    document.getElementById("form-error").textContent = "";
    for (const field of form.querySelectorAll(".field")) {
      field.classList.remove("is-wrong");
      field.querySelector(".error").textContent = "";
      for (const input of field.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    }
  };

  const refuse = (name, code, message) => {
    const field = form.querySelector(`[data-field="${name === "exp_year" ? "exp_month" : name}"]`);
    if (field) {
      field.classList.add("is-wrong");
      field.querySelector(".error").textContent = message;
      const input = field.querySelector("input");
      input.setAttribute("aria-invalid", "true");
      input.focus();
    } else {
      document.getElementById("form-error").textContent = message;
    }
    tell({ type: "meridian-sandbox-error", field: name, code, message });
  };

  const submit = async () => {
    if (isBusy) return;
    isBusy = true;
    clear();
    const body = { account };
    for (const name of ["number", "exp_month", "exp_year", "cvc"]) body[name] = form.elements[name].value;
    try {
      const answer = await fetch(action, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(body),
      });
      const said = await answer.json();
      if (answer.status === 201) tell({ type: "meridian-sandbox-token", token: said.token, brand: said.brand, last4: said.last4 });
      else refuse(((said.errors || [])[0] || { pointer: "/" }).pointer.slice(1), said.code, said.detail);
    } catch {
      refuse("", "unreachable", "The card could not be checked. Try again.");
    } finally {
      isBusy = false;
    }
  };

  window.addEventListener("message", (event) => {
    if (event.origin !== parent || event.source !== window.parent) return;
    if (event.data && event.data.type === "meridian-sandbox-submit") submit();
  });
  // Enter in a field means "pay": the page around decides what that is.
  form.addEventListener("submit", (event) => { event.preventDefault(); tell({ type: "meridian-sandbox-enter" }); });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); tell({ type: "meridian-sandbox-enter" }); }
  });

  new ResizeObserver(() => {
    tell({ type: "meridian-sandbox-resize", height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
  }).observe(document.documentElement);
  tell({ type: "meridian-sandbox-ready" });
})();
