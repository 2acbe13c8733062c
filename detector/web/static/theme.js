// Dark or light, as the viewer chose; else as their system says. The wall is dark unless chosen.
const root = document.documentElement;
const button = document.getElementById("theme");
const kept = () => localStorage.getItem("theme");

function apply() {
  const wall = document.body.classList.contains("wall");
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = kept() ?? (wall ? "dark" : system);
}

apply();
// On a phone the menu slides: the page one is on is in sight. Not `scrollIntoView`, which moves the page too.
const menu = document.querySelector(".top nav");
const here = menu?.querySelector("[aria-current]");
if (here) menu.scrollLeft = here.offsetLeft - menu.offsetLeft - (menu.clientWidth - here.offsetWidth) / 2;
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    localStorage.setItem("theme", root.dataset.theme === "dark" ? "light" : "dark");
    apply();
    dispatchEvent(new Event("theme"));
  });
}
