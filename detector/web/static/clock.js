// The engine's clock, and working time: within the windows that the server tells a countdown runs,
// between them it stands still. All instants are milliseconds UTC.
let told = 0, heard = 0, wall = true, windows = [];

export function tell(figures) {
  told = figures.clock;
  wall = figures.wall;
  windows = figures.windows;
  heard = performance.now();
}

// A clock of events stands where the last one put it; that of the machine goes on by itself.
export const now = () => (wall ? told + (performance.now() - heard) : told);

export const working = (at = now()) => windows.some(([begin, end]) => begin <= at && at < end);

export function left(until, at = now()) {
  let sum = 0;
  for (const [begin, end] of windows) sum += Math.max(0, Math.min(end, until) - Math.max(begin, at));
  const beyond = windows.length && until > windows.at(-1)[1];
  return { ms: sum, beyond };
}

export function spell(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function stamper(zone) {
  const form = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  return (ms) => form.format(ms);
}
