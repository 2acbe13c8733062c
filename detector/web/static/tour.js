// A first visit in five short steps; dismissed once, it does not come again.
const card = document.getElementById("tour");
const steps = card ? [...card.querySelectorAll("[data-at]")] : [];
let at = 0;

function show(n) {
  at = n;
  steps.forEach((step, k) => { step.hidden = k !== n; });
  for (const one of document.querySelectorAll(".pointed")) one.classList.remove("pointed");
  document.querySelector(steps[n].dataset.at)?.classList.add("pointed");
  card.querySelector("[data-next]").hidden = n === steps.length - 1;
}

function end() {
  localStorage.setItem("tour", "seen");
  document.querySelector(".pointed")?.classList.remove("pointed");
  card.remove();
}

if (card && localStorage.getItem("tour") !== "seen") {
  card.hidden = false;
  show(0);
  card.querySelector("[data-next]").addEventListener("click", () => show(at + 1));
  card.querySelector("[data-end]").addEventListener("click", end);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && card.isConnected) end(); });
}
