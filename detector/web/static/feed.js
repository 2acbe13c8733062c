// The board's stream. It comes back by itself with the last id; a hidden tab closes it, since
// browsers allow six connections a host.
export function follow(address, handlers) {
  let source, last = "";
  const on = (name, act) => source.addEventListener(name, (event) => {
    if (event.lastEventId) last = event.lastEventId;
    act(event.data ? JSON.parse(event.data) : null);
  });
  function open() {
    source?.close();
    source = new EventSource(last ? `${address}?last=${encodeURIComponent(last)}` : address);
    source.addEventListener("open", () => handlers.state("live"));
    source.addEventListener("error", () => handlers.state("lost"));
    for (const name of ["finding", "change", "resync", "board"]) on(name, handlers[name]);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    source.close();
    handlers.state("paused");
  });
  open();
}
