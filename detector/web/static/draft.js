// What was typed survives a reload, on this device, for a week. Without this file the page works all
// the same: the server gives back what it could not take.
const PREFIX = "oriole.draft.";
const KEPT_MS = 7 * 86400 * 1000;

function store(work) { // a browser may forbid storage, or have no room
  try { return work(localStorage); } catch { return null; }
}

function sweep(held) {
  for (const key of Object.keys(held).filter((name) => name.startsWith(PREFIX))) {
    const { at } = JSON.parse(held[key]);
    if (!(Date.now() - at < KEPT_MS)) held.removeItem(key);
  }
}

function watch(area) {
  const key = PREFIX + area.dataset.draft;
  const note = area.parentElement.querySelector(".restored");
  const save = () => store((held) => (area.value
    ? held.setItem(key, JSON.stringify({ text: area.value, at: Date.now() }))
    : held.removeItem(key)));
  const told = store((held) => held[key]);
  if (told && !area.value) {
    area.value = JSON.parse(told).text;
    note.hidden = false;
    area.closest("details")?.setAttribute("open", "");
  }
  note.querySelector("button").addEventListener("click", () => {
    area.value = "";
    note.hidden = true;
    save();
    area.focus();
  });
  area.addEventListener("input", save);
}

function check(input) { // before megabytes are sent in vain
  const { bytesMax, filesMax, tooLarge, tooMany } = input.dataset;
  const large = [...input.files].find((file) => file.size > Number(bytesMax));
  const told = large ? tooLarge.replace("{name}", large.name) : "";
  input.setCustomValidity(input.files.length > Number(filesMax) ? tooMany : told);
  input.reportValidity();
}

const done = document.querySelector("[data-done]");
store(sweep);
if (done) store((held) => held.removeItem(PREFIX + done.dataset.done));
document.querySelectorAll("textarea[data-draft]").forEach(watch);
document.querySelectorAll("input[type=file]").forEach((input) => {
  input.addEventListener("change", () => check(input));
});
