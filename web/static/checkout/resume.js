// While the payment provider does not answer, what the payer has submitted waits in this page and goes off again by itself.
// Without scripts the payer presses the button.
"use strict";

(() => {
  const form = document.getElementById("resume");
  setTimeout(() => form.submit(), Number(form.dataset.resumeSeconds) * 1000);
})();
