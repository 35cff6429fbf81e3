// Copies a field when its button is pressed. Without this file the button stays hidden, and the field can be selected.
for (const button of document.querySelectorAll("button[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  const said = document.getElementById(button.dataset.says);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = "Copied.";
    } catch {
      field.select();
      said.textContent = "Press Ctrl or ⌘ and C to copy what is selected.";
    }
  });
}
