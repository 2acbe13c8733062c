// Sound and flash for grave findings: off until somebody switches them on.
let context;

function beep() {
  context ??= new AudioContext();
  const tone = context.createOscillator(), volume = context.createGain();
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.2, context.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.5);
  tone.connect(volume).connect(context.destination);
  tone.start();
  tone.stop(context.currentTime + 0.5);
}

export function alarm(button) {
  let on = localStorage.getItem("alarm") === "on";
  const show = () => button.setAttribute("aria-pressed", String(on));
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    on = !on;
    localStorage.setItem("alarm", on ? "on" : "off");
    show();
    if (on) beep();
  });
  return (row) => {
    if (!on) return;
    beep();
    row.classList.add("flash");
    row.addEventListener("animationend", () => row.classList.remove("flash"), { once: true });
  };
}
