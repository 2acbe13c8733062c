// Keys on a list: j and k move, x marks, Enter opens, / searches.
const rows = [...document.querySelectorAll("#rows tbody tr[data-href]")];
let at = -1;

function go(n) {
  rows[at]?.removeAttribute("aria-selected");
  at = Math.max(0, Math.min(rows.length - 1, n));
  rows[at]?.setAttribute("aria-selected", "true");
  rows[at]?.scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => go(at + 1),
  k: () => go(at - 1),
  x: () => {
    const box = rows[at]?.querySelector("input[type=checkbox]");
    if (box) box.checked = !box.checked;
  },
  Enter: () => at >= 0 && location.assign(rows[at].dataset.href),
  "/": () => document.getElementById("find").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA|BUTTON|A)$/.test(event.target.tagName)) return;
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

document.getElementById("all")?.addEventListener("change", (event) => {
  for (const box of document.querySelectorAll("#rows tbody input[type=checkbox]")) box.checked = event.target.checked;
});
