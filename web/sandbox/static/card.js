// Comfort for the card fields. Everything works without it, except inside the frame.
"use strict";
(() => {
  const number = document.getElementById("number");
  const month = document.getElementById("exp_month");
  const year = document.getElementById("exp_year");
  const cvc = document.getElementById("cvc");
  const brand = document.getElementById("brand");

  const brandOf = (digits) => {
    if (/^4/.test(digits)) return "VISA";
    if (/^(5[1-5]|2[2-7])/.test(digits)) return "MASTERCARD";
    if (/^3[47]/.test(digits)) return "AMEX";
    return "";
  };

  const group = (digits) =>
    (/^3[47]/.test(digits) ? digits.replace(/^(.{4})(.{1,6})?(.{1,5})?.*$/, "$1 $2 $3") : digits.replace(/(.{4})/g, "$1 ")).trim();

  number.addEventListener("input", () => {
    const before = number.value.slice(0, number.selectionStart).replace(/\D/g, "").length;
    const digits = number.value.replace(/\D/g, "").slice(0, 19);
    number.value = group(digits);
    brand.textContent = brandOf(digits);
    let at = 0;
    for (let seen = 0; seen < before && at < number.value.length; at += 1) if (/\d/.test(number.value[at])) seen += 1;
    number.setSelectionRange(at, at);
  });

  month.addEventListener("input", () => {
    month.value = month.value.replace(/\D/g, "");
    if (/^[2-9]$/.test(month.value)) month.value = "0" + month.value;
    if (month.value.length === 2) year.focus();
  });
  year.addEventListener("input", () => { year.value = year.value.replace(/\D/g, ""); });
  cvc.addEventListener("input", () => { cvc.value = cvc.value.replace(/\D/g, ""); });

  // A click on a test card fills it in.
  for (const code of document.querySelectorAll("code[data-number]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = code.textContent;
    button.title = "Fill this card in";
    code.replaceChildren(button);
    button.addEventListener("click", () => {
      number.value = code.dataset.number;
      brand.textContent = brandOf(number.value);
      month.value = "12";
      year.value = String((new Date().getFullYear() + 3) % 100).padStart(2, "0");
      cvc.value = code.dataset.cvc;
      number.focus();
    });
  }
})();
